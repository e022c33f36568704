"""Manifests of models that were never trained."""

from typing import Any

from physiome.training.manifest import Manifest, Summary

TRAINING: dict[str, Any] = {
    "epochs": 1, "asked_epochs": 1, "steps": 1, "seconds": 100.0, "segments_per_s": 40.0,
    "peak_gpu_bytes": 0, "device": "cpu", "precision": "fp32", "parameters": 9,
    "trained_parameters": 9, "final_loss": {},
}  # fmt: skip
MADE: dict[str, Any] = {
    "role": "pretrain", "settings": {}, "shards": "x", "data": "x", "code": "x", "identity": "x",
    "monitor": {}, "torch": "x", "host": "x", "peak_rss_bytes": 1, "cpu_s": 1.0,
}  # fmt: skip


def model_manifest(
    dataset: str, fold: int, name: str, training: dict[str, Any] | None = None, **made: Any
) -> Manifest:
    """One of a short training on a CPU, but for what is given."""
    summary = Summary(**TRAINING | (training or {}))
    return Manifest(dataset, fold, name, **MADE | made, training=summary)
