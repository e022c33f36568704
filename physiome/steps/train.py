"""Step: train a method on the windows of a fold's pretrain subjects, or on labelled ones."""

from pathlib import Path
from typing import Any

import numpy as np

from physiome.config.agreement import require, require_owner
from physiome.config.base import Spec
from physiome.config.model import EncoderSpec
from physiome.config.training import TrainSpec
from physiome.config.window import Window
from physiome.data.shards import require_settings
from physiome.errors import DataError
from physiome.registry import METHODS
from physiome.training.runtime import compute_device


class Settings(Spec):
    """What a method depends on; `method` is its own section of the configuration."""

    dataset: str
    name: str
    base: str  # the registered method; differs from the name for variants
    modalities: tuple[str, ...]
    window: Window
    encoder: EncoderSpec | None = None
    method: dict[str, Any]
    untrained: bool = False  # freshly initialised, what it stands on included
    classes: tuple[str, ...] = ()
    train: TrainSpec


def run(
    settings: str, shards: list[Path], folds: Path, fold: int, stands: list[Path], output: Path,
    gpus: int = 0, device: str = "auto", save_every_s: float = 300.0,
    shard_settings: str | None = None, stand_settings: str | None = None,
    monitor: str | None = None,
) -> None:  # fmt: skip
    """Write `<output>.safetensors`, its manifest (.json) and metrics (.metrics.jsonl).

    Args:
        stands: weights of what the method stands on: one encoder per modality, or the method it is
            trained after; empty for most.
        shard_settings: what the shards must have been written with, as JSON; None: anything.
        stand_settings: what it stands on must have been trained with; likewise.
        monitor: how it is watched, as JSON; None: not at all. It changes no weight.
    """
    spec = Settings.parse_text(settings)
    require_settings(shards, shard_settings)
    with compute_device(gpus, device) as chosen:
        from physiome.data.batches import patterns
        from physiome.data.fold_windows import open_fold
        from physiome.methods.build import build_method, fresh_stands
        from physiome.training.job import set_constants, train_to_file, watch

        store, roles = open_fold(shards, spec.modalities, folds, fold)
        labels = store.table["label"].to_numpy(np.int64) if METHODS[spec.base].labels else None
        role = "pretrain" if labels is None else "train"
        index = np.flatnonzero((roles == role) & (True if labels is None else labels >= 0))
        pretrained = _load_stands(spec, stands, fold, stand_settings)
        inputs = {name: manifest["identity"] for name, (_, manifest) in pretrained.items()}

        def build() -> Any:
            if not spec.untrained:
                return build_method(spec.base, spec.plain(), [e for e, _ in pretrained.values()])
            fresh = fresh_stands(spec.base, spec.plain())
            for stand in fresh:  # nobody has trained it, so it lacks the constants of this fold
                set_constants(stand, store, index)
            return build_method(spec.base, spec.plain(), fresh)

        train_to_file(
            build,
            store, patterns(store, index), spec.plain() | {"stands": inputs}, spec.train, chosen,
            output, {"dataset": spec.dataset, "fold": fold, "name": spec.name, "role": role},
            save_every_s, labels, watch(monitor, store, roles), rehearsed=True,
        )  # fmt: skip


def _load_stands(
    spec: Settings, paths: list[Path], fold: int, wanted: str | None
) -> dict[str, tuple[Any, dict]]:
    """Modality or method -> (what is stood on, with its trained weights; its manifest)."""
    from physiome.methods.build import fresh_stands
    from physiome.training.checkpoint import load_weights

    entry = METHODS[spec.base]
    names = spec.modalities if entry.on_encoders else (entry.after,) if entry.after else ()
    if spec.untrained:
        names = ()
    if len(paths) != len(names):
        raise DataError(
            f"{spec.base} stands on {len(names)} trained models, {len(paths)} are given",
            do=f"give the weights of {', '.join(names) or 'none'}, in this order",
        )  # fmt: skip
    loaded = {}
    fresh = fresh_stands(spec.base, spec.plain()) if names else []
    for name, path, stand in zip(names, paths, fresh, strict=True):
        manifest = load_weights(stand, path)
        require_owner(manifest, (spec.dataset, fold, name), path)
        require(manifest.get("settings"), wanted, path, "model")
        loaded[name] = (stand, manifest)
    return loaded
