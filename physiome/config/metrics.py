"""Which scores tables can show."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

Metric = Literal["acc", "auc", "balanced_acc", "f1", "kappa", "auprc", "ece"]


def _each_once(metrics: tuple[Metric, ...]) -> tuple[Metric, ...]:
    if len(set(metrics)) < len(metrics):
        raise ValueError("a metric stands there twice")
    return metrics


Shown = Annotated[tuple[Metric, ...], Field(min_length=1), AfterValidator(_each_once)]
