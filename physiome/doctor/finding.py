"""One finding of `physiome doctor`, and how sizes and hours are written."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "FAIL"]


@dataclass(frozen=True)
class Finding:
    """What was looked at, how it is, and what to do about it.

    Attributes:
        level: FAIL: a run would not come to its end; warn: look at it first.
        topic: what was looked at, in a word or two.
        text: what was found.
        do: what to do; empty if nothing.
    """

    level: Level
    topic: str
    text: str
    do: str = ""

    def __str__(self) -> str:
        return f"{self.level:<4}  {self.topic:<11} {self.text}" + (f" - {self.do}" * bool(self.do))


def size(n_bytes: float) -> str:
    """1500000 -> `1.5 MB`."""
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if n_bytes >= factor:
            return f"{n_bytes / factor:.1f} {unit}"
    return f"{n_bytes / 1e3:.1f} kB"


def several(n: int, what: str) -> str:
    """`several(1, "fold")` -> `1 fold`, of 2 `2 folds`."""
    return f"{n} {what}" if n == 1 else f"{n} {what}{'es' if what.endswith('ch') else 's'}"
