"""A channel in stretches, so that a recording of days needs hardly more memory than a night."""

from dataclasses import dataclass
from fractions import Fraction

SAMPLES = 1 << 22  # of a stretch; nearly twelve hours at 100 Hz
# Read around a stretch beside what filters need. A gap that is longer on both sides of a border is
# bridged by the value at its near end there, instead of by a line to its far end.
AROUND_S = 60.0


@dataclass(frozen=True)
class Stretch:
    """Samples [begin, stop) are read so that results for [first, last) do not feel the edges.

    The last stretch of a channel has stop and last None: up to the end, wherever that is.
    """

    begin: int
    first: int
    last: int | None
    stop: int | None

    def own(self, step: Fraction) -> slice:
        """Its own part of what was read, after resampling by `step`."""
        last = None if self.last is None else int((self.last - self.begin) * step)
        return slice(int((self.first - self.begin) * step), last)


def divide(n: int, around: int, multiple: int, samples: int = SAMPLES) -> list[Stretch]:
    """Stretches of `n` samples, with `around` more on both sides.

    Args:
        multiple: every border is a multiple of it, so that it falls on a resampled sample, too.
    """
    size = max(1, samples // multiple) * multiple
    around = -(-around // multiple) * multiple
    firsts = range(0, max(n, 1), size)
    return [
        Stretch(
            max(0, first - around),
            first,
            None if first == firsts[-1] else first + size,
            None if first == firsts[-1] else first + size + around,
        )
        for first in firsts
    ]
