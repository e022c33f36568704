"""What a training refuses because it is not a number, each with the window or step to look at."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from torch import Tensor

from physiome.data.store.batches import Batch
from physiome.data.store.shards import MANIFEST
from physiome.data.store.windows import WindowStore
from physiome.errors import TrainingError


def require_finite_samples(
    store: WindowStore, batch: Batch, signals: Mapping[str, np.ndarray], step: int
) -> None:
    """Methods clip their input: an infinite sample would pass for a large one.

    Args:
        signals: modality -> samples of the batch, (B, T).
        step: number of the step that would take them, from one.

    Raises:
        TrainingError: naming the record and window.
    """
    for modality, x in signals.items():
        if not np.isfinite(x).all():
            found = int(np.argmin(np.isfinite(x).all(axis=1)))
            raise TrainingError(
                f"{modality} has samples that are not numbers",
                where=_window(store, batch, found),
                why=f"met before step {step}",
                do=f"add --forcerun {_shard(store, batch, found)}; saved progress is kept",
            )


def require_finite_loss(
    store: WindowStore,
    batch: Batch,
    signals: Mapping[str, np.ndarray],
    step: int,
    terms: Mapping[str, float],
) -> None:
    """The sum of a step's terms is a number.

    Args:
        signals: modality -> samples of the batch, (B, T).
        step: number of steps taken before.
        terms: name -> value; `loss` is their sum.

    Raises:
        TrainingError: naming the window with the largest samples.
    """
    if math.isfinite(terms["loss"]):
        return
    peaks = np.max([np.abs(x).max(axis=1) for x in signals.values()], axis=0)
    raise TrainingError(
        f"the loss is not finite at step {step}",
        where=_window(store, batch, int(np.argmax(peaks))),
        why=f"this window has the largest samples; terms {dict(terms)}",
        do="check the recording or lower the learning rate; saved progress is kept",
    )


def require_finite_weights(trained: Iterable[Tensor], step: int) -> None:
    """A gradient can be infinite while the loss is finite: such a step is not worth keeping.

    Raises:
        TrainingError: after which step.
    """
    if not all(bool(p.isfinite().all()) for p in trained):
        raise TrainingError(
            f"the weights are not finite after step {step}",
            do="lower the learning rate; saved progress is kept",
        )


def _window(store: WindowStore, batch: Batch, number: int) -> str:
    row = store.table.iloc[int(batch[1][number])]
    return f"record {row['record']}, window {row['number']}"


def _shard(store: WindowStore, batch: Batch, number: int) -> Path:
    row = store.table.iloc[int(batch[1][number])]
    return store.folders[int(row["shard"])] / MANIFEST
