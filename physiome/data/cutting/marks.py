"""What only samples that have not been filtered yet can show of a channel."""

from dataclasses import dataclass

import numpy as np

from physiome.config.data import Quality
from physiome.data.cutting import signals
from physiome.data.cutting.stretches import Stretch

LEVELS_OF = 20_000  # samples whose distinct values are counted


@dataclass(frozen=True)
class Marks:
    """What a channel showed before it was filtered.

    Attributes:
        flat: (k, 2) constant stretches in seconds on the recording's clock.
        clipped: (W,) share of each window's samples that are held at its extreme.
        levels: number of distinct values, or of those among evenly picked samples.
    """

    flat: np.ndarray
    clipped: np.ndarray
    levels: int


def either(one: Marks, other: Marks) -> Marks:
    """Of a difference of two channels: what one of them showed counts."""
    return Marks(
        np.concatenate([one.flat, other.flat]),
        np.maximum(one.clipped, other.clipped),
        min(one.levels, other.levels),
    )


class Marker:
    """Collects marks from a channel's samples, which come as read: NaN in gaps, its own rate.

    Args:
        n: about how many samples there are.
        begin_s: time of the first.
        onsets_s: (W,) of the windows, each `length_s` long.
    """

    def __init__(
        self,
        n: int,
        rate_hz: float,
        begin_s: float,
        onsets_s: np.ndarray,
        length_s: float,
        quality: Quality,
    ):
        self.rate_hz, self.begin_s, self.quality = rate_hz, begin_s, quality
        self.starts = np.rint((onsets_s - begin_s) * rate_hz).astype(int)
        self.samples = round(length_s * rate_hz)
        self.every = n // LEVELS_OF + 1
        self._flat: list[np.ndarray] = []
        self._clipped: list[np.ndarray] = []
        self._levels = np.empty(0)

    def look(self, x: np.ndarray, stretch: Stretch) -> None:
        """Take in the samples `x` (n,) of the next stretch."""
        flat = signals.flat_runs(x, self.rate_hz, self.quality.max_flat_s) * self.rate_hz
        self._flat.append(np.rint(flat).astype(int) + stretch.begin)
        after = self.starts >= stretch.first if stretch.first else np.full(len(self.starts), True)
        mine = after if stretch.last is None else after & (self.starts < stretch.last)
        starts = self.starts[mine] - stretch.begin
        self._clipped.append(signals.clipped_share(x, starts, self.samples))
        picked = x[-stretch.begin % self.every :: self.every]
        self._levels = np.union1d(self._levels, picked[np.isfinite(picked)])

    def marks(self) -> Marks:
        """Of all stretches."""
        flat = _merged(np.concatenate(self._flat)) / self.rate_hz + self.begin_s
        return Marks(flat, np.concatenate(self._clipped), len(self._levels))


def _merged(runs: np.ndarray) -> np.ndarray:
    """Runs (k, 2) by start, those that overlap as one: a run across a border was seen twice."""
    runs = runs[np.argsort(runs[:, 0], kind="stable")]
    reached = np.maximum.accumulate(runs[:, 1]) if len(runs) else runs[:, 1]
    apart = np.flatnonzero(runs[1:, 0] >= reached[:-1]) + 1
    firsts = np.concatenate([[0], apart]) if len(runs) else np.empty(0, dtype=int)
    lasts = np.concatenate([apart, [len(runs)]]) - 1 if len(runs) else firsts
    return np.stack([runs[firsts.astype(int), 0], reached[lasts.astype(int)]], axis=1)
