"""How a run computes, and how its tables look: nothing here changes a result."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, NonNegativeInt, PositiveInt

from physiome.config.base import Spec
from physiome.config.metrics import METRICS
from physiome.errors import nearest


def _known(metric: str) -> str:
    if metric not in METRICS:
        raise ValueError(nearest(metric, METRICS))
    return metric


Metric = Annotated[str, AfterValidator(_known)]


def _each_once(metrics: tuple[Metric, ...]) -> tuple[Metric, ...]:
    if len(set(metrics)) < len(metrics):
        raise ValueError("a metric stands there twice")
    return metrics


Shown = Annotated[tuple[Metric, ...], Field(min_length=1), AfterValidator(_each_once)]


class Threads(Spec):
    """CPU threads of one job; `train`, also of embedding, changes results by rounding."""

    shard: PositiveInt = 4
    train: PositiveInt = 4
    probe: PositiveInt = 4


class Intervals(Spec):
    """The bootstrap over test subjects behind the intervals of differences."""

    resamples: PositiveInt = 2000
    seed: NonNegativeInt = 0


class FewLabels(Spec):
    """Label efficiency: draws of labelled subjects, and of test subjects for its intervals."""

    draws: PositiveInt = 5
    resamples: PositiveInt = 500
    seed: NonNegativeInt = 0


class Tables(Spec):
    """How tables look."""

    metrics: Shown | None = None  # null: PRINTED, and BALANCED where one class holds most windows
    intervals: Intervals = Intervals()
    few_labels: FewLabels = FewLabels()
    head: Literal["logistic", "centred", "context", "paper", "one_head"] = "logistic"
    decimals: NonNegativeInt = 2
