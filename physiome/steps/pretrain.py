"""Step: pretrain the encoder of one modality on a fold's pretrain subjects."""

from functools import partial
from pathlib import Path

import numpy as np

from physiome.config.agreement import Owner
from physiome.config.gpu import GpuSpec
from physiome.config.jobs import PretrainSettings
from physiome.data.store.shards import require_settings
from physiome.training.manifest import training_peaks
from physiome.training.runtime import compute_device


def run(
    settings: str,
    shards: list[Path],
    folds: Path,
    fold: int,
    modality: str,
    output: Path,
    gpus: int = 0,
    device: str = "auto",
    gpu: str = "{}",
    save_every_s: float = 300.0,
    shard_settings: str | None = None,
    monitor: str | None = None,
) -> None:
    """Write `<output>.safetensors`, its manifest (.json) and metrics (.metrics.jsonl).

    Args:
        gpu: how a GPU is used, as JSON.
        shard_settings: what the shards must have been written with, as JSON; None: anything.
        monitor: how it is watched, as JSON; None: not at all. It changes no weight.
    """
    spec = PretrainSettings.parse_text(settings)
    require_settings(shards, shard_settings)
    sharing = GpuSpec.parse_text(gpu, "gpu")
    peaks = partial(training_peaks, output, spec.plain())
    with compute_device(gpus, device, sharing, peaks) as chosen:
        from physiome.data.folds.fold_windows import open_fold
        from physiome.methods.build import build_encoder
        from physiome.training.job import train_to_file, watch

        store, roles = open_fold(shards, spec.modalities, folds, fold)
        index = np.flatnonzero((roles == "pretrain") & store.carrying(modality))
        train_to_file(
            lambda: build_encoder(spec, modality),
            store,
            [((modality,), index)],
            spec.plain() | {"modality": modality},
            spec.pretrain,
            chosen,
            output,
            Owner(spec.dataset, fold, modality),
            "pretrain",
            save_every_s,
            monitor=watch(monitor, store, roles),
            rehearsed=True,
            gpu=sharing.on(chosen),
        )
