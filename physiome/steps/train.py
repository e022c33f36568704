"""Step: train a method on all modalities of a fold's pretrain subjects."""

from pathlib import Path
from typing import Any

import numpy as np

from physiome.config.base import Spec
from physiome.config.model import EncoderSpec
from physiome.config.training import TrainSpec
from physiome.config.window import Window
from physiome.errors import DataError
from physiome.training.runtime import compute_device


class Settings(Spec):
    """What a method depends on; `method` is its own section of the configuration."""

    dataset: str
    name: str
    modalities: tuple[str, ...]
    window: Window
    encoder: EncoderSpec
    method: dict[str, Any]
    train: TrainSpec


def run(
    settings: str, shards: list[Path], folds: Path, fold: int, encoders: Path | None, output: Path,
    gpus: int = 0, device: str = "auto", save_every_s: float = 300.0,
) -> None:  # fmt: skip
    """Write `<output>.safetensors`, its manifest (.json) and metrics (.metrics.jsonl).

    Args:
        encoders: folder of `<modality>.safetensors`; None for methods without encoders.
    """
    spec = Settings.parse_text(settings)
    with compute_device(gpus, device) as chosen:
        from physiome.data.batches import patterns
        from physiome.methods.build import build_method
        from physiome.training.job import open_fold, train_to_file

        store, roles = open_fold(shards, spec.modalities, folds, fold)
        index = np.flatnonzero(roles == "pretrain")
        pretrained = _load_encoders(spec, encoders, fold)
        inputs = {m: manifest["identity"] for m, (_, manifest) in pretrained.items()}
        train_to_file(
            lambda: build_method(spec.name, spec.plain(), [e for e, _ in pretrained.values()]),
            store, patterns(store, index), spec.plain() | {"encoders": inputs}, spec.train, chosen,
            output, {"dataset": spec.dataset, "fold": fold, "name": spec.name, "role": "pretrain"},
            save_every_s,
        )  # fmt: skip


def _load_encoders(spec: Settings, folder: Path | None, fold: int) -> dict[str, tuple[Any, dict]]:
    """Modality -> (encoder with its pretrained weights, manifest)."""
    from physiome.methods.build import build_encoder
    from physiome.training.checkpoint import load_weights

    loaded = {}
    if folder is None:
        return loaded
    for modality in spec.modalities:
        path = folder / f"{modality}.safetensors"
        encoder = build_encoder(spec.plain(), modality)
        manifest = load_weights(encoder, path)
        # An encoder of another fold has seen this fold's test subjects.
        found = (manifest["dataset"], manifest["fold"], manifest["name"])
        if found != (spec.dataset, fold, modality):
            raise DataError(
                "these weights belong elsewhere", where=path,
                why=f"wanted {(spec.dataset, fold, modality)}, found {found}",
                do="give the encoders of this data set, fold and modality",
            )  # fmt: skip
        loaded[modality] = (encoder, manifest)
    return loaded
