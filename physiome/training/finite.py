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
        signals: modality -> samples of the batch, (B, T), or (B, C, T) of which a lead that is not
            there is NaN throughout.
        step: number of the step that would take them, from one.

    Raises:
        TrainingError: naming the record and window.
    """
    for modality, x in signals.items():
        good = sound_windows(x)
        if not good.all():
            found = int(np.argmin(good))
            raise TrainingError(
                f"{modality} has samples that are not numbers",
                where=_window(store, batch, found),
                why=f"met before step {step}",
                do=f"add --forcerun {_shard(store, batch, found)}; saved progress is kept",
            )


def require_finite_loss(
    store: WindowStore,
    batch: Batch,
    step: int,
    terms: Mapping[str, float],
) -> None:
    """The sum of a step's terms is a number.

    Args:
        step: number of steps taken before.
        terms: name -> value; `loss` is their sum.

    Raises:
        TrainingError: naming the window with the largest samples.
    """
    if math.isfinite(terms["loss"]):
        return
    modalities, positions = batch
    signals = store.read(positions, modalities)
    peaks = np.max([np.nanmax(np.abs(_rows(x)), axis=1) for x in signals.values()], axis=0)
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


def sound_windows(x: np.ndarray) -> np.ndarray:
    """Of (B, T) or (B, C, T): windows (B,) of numbers alone in every lead there, one at least."""
    leads = x.reshape(len(x), math.prod(x.shape[1:-1]), x.shape[-1])  # (B, C, T); B may be 0
    finite = np.asarray(np.isfinite(leads).all(axis=2))
    lost = np.asarray(np.isnan(leads).all(axis=2))
    return np.asarray((finite | lost).all(axis=1) & finite.any(axis=1))


def _rows(x: np.ndarray) -> np.ndarray:
    """(B, T) or (B, C, T) -> (B, all samples)."""
    return x.reshape(len(x), -1)


def _window(store: WindowStore, batch: Batch, number: int) -> str:
    row = store.table.iloc[int(batch[1][number])]
    return f"record {row['record']}, window {row['number']}"


def _shard(store: WindowStore, batch: Batch, number: int) -> Path:
    row = store.table.iloc[int(batch[1][number])]
    return store.folders[int(row["shard"])] / MANIFEST
