"""How a run computes, and how its tables look: nothing here changes a result."""

from typing import Literal

from pydantic import PositiveInt

from physiome.config.base import Spec
from physiome.config.metrics import Shown


class Threads(Spec):
    """CPU threads of one job; they change no result."""

    shard: PositiveInt = 4
    train: PositiveInt = 4
    probe: PositiveInt = 4


class Intervals(Spec):
    """The bootstrap over test subjects behind the intervals of differences."""

    resamples: PositiveInt = 2000
    seed: int = 0


class Tables(Spec):
    """How tables look."""

    metrics: Shown = ("acc", "auc")  # of the LaTeX tables; the CSV files have all
    intervals: Intervals = Intervals()
    head: Literal["logistic", "paper", "one_head"] = "logistic"
    decimals: int = 2
