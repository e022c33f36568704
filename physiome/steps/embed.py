"""Step: embeddings of all subsets, each modality encoded once."""

from pathlib import Path
from typing import Any

import numpy as np

from physiome.config.base import Spec
from physiome.config.model import EncoderSpec
from physiome.config.window import Window
from physiome.training.runtime import compute_device


class Settings(Spec):
    """What embeddings depend on besides the weights."""

    dataset: str
    name: str
    modalities: tuple[str, ...]
    classes: tuple[str, ...]
    window: Window
    encoder: EncoderSpec
    method: dict[str, Any]
    batch: int


def run(
    settings: str, shards: list[Path], folds: Path, fold: int, output: Path,
    weights: Path | None = None, gpus: int = 0, device: str = "auto",
) -> None:  # fmt: skip
    """Write `<output>.npy` (windows, width of all subsets), and its `.json` and `.parquet`.

    Rows: the labelled windows of the fold's train, valid and test subjects. A subset's columns are
    NaN where the window really lacks one of its modalities.
    """
    spec = Settings.parse_text(settings)
    with compute_device(gpus, device) as chosen:
        from physiome.evaluation.embed import embed_windows
        from physiome.training.job import open_fold

        store, roles = open_fold(shards, spec.modalities, folds, fold)
        labelled = store.table["label"].to_numpy() >= 0
        index = np.flatnonzero(labelled & np.isin(roles, ("train", "valid", "test")))
        method, manifest = _load(spec, weights)
        facts = {
            "dataset": spec.dataset, "fold": fold, "method": spec.name, "settings": spec.plain(),
            "classes": list(spec.classes), "weights": manifest.get("identity"),
            "shards": store.settings_digest,
        }  # fmt: skip
        embed_windows(method.to(chosen), store, index, roles[index], spec.batch, output, facts)


def _load(spec: Settings, weights: Path | None) -> tuple[Any, dict]:
    from physiome.methods.build import build_encoder, build_method
    from physiome.registry import METHODS
    from physiome.training.checkpoint import load_weights

    encoders = []
    if METHODS[spec.name].on_encoders:
        encoders = [build_encoder(spec.plain(), m) for m in spec.modalities]
    method = build_method(spec.name, spec.plain(), encoders)
    return method, load_weights(method, weights) if weights else {}
