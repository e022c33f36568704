"""Step: train a method on the windows of a fold's pretrain subjects, or on labelled ones."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from physiome.config.agreement import Owner, require, require_owner
from physiome.config.gpu import GpuSpec
from physiome.config.jobs import TrainSettings
from physiome.data.store.shards import require_settings
from physiome.errors import DataError
from physiome.files import file_digest
from physiome.registry import METHODS, lineage
from physiome.training.manifest import Manifest, training_peaks
from physiome.training.runtime import compute_device


def run(
    settings: str,
    shards: list[Path],
    folds: Path,
    fold: int,
    parents: list[Path],
    output: Path,
    gpus: int = 0,
    device: str = "auto",
    gpu: str = "{}",
    save_every_s: float = 300.0,
    shard_settings: str | None = None,
    parent_settings: str | None = None,
    monitor: str | None = None,
) -> None:
    """Write `<output>.safetensors`, its manifest (.json) and metrics (.metrics.jsonl).

    Args:
        parents: weights the training begins with: of an encoder per modality, or of the method
            that is trained before; empty for most.
        gpu: how a GPU is used, as JSON.
        shard_settings, parent_settings: what these must have been made with, as JSON; None: any.
        monitor: how it is watched, as JSON; None: not at all. It changes no weight.
    """
    spec = TrainSettings.parse_text(settings)
    require_settings(shards, shard_settings)
    sharing = GpuSpec.parse_text(gpu, "gpu")
    peaks = partial(training_peaks, output, spec.plain())
    with compute_device(gpus, device, sharing, peaks) as chosen:
        from physiome.data.folds.fold_windows import open_fold
        from physiome.data.store.batches import patterns
        from physiome.training.job import train_to_file, watch

        store, roles = open_fold(shards, spec.modalities, folds, fold)
        labels = store.table["label"].to_numpy(np.int64) if METHODS[spec.base].labels else None
        role = "pretrain" if labels is None else "train"
        index = np.flatnonzero((roles == role) & (True if labels is None else labels >= 0))
        pretrained = _load_parents(spec, parents, fold, parent_settings)
        reports = [manifest.monitor for _, manifest in pretrained.values()]
        inputs = {name: _facts(*parent) for name, parent in pretrained.items()}
        train_to_file(
            partial(_build, spec, [parent for parent, _ in pretrained.values()], store, index),
            store,
            patterns(store, index),
            spec.plain() | {"parents": inputs} | _published(spec),
            spec.train,
            chosen,
            output,
            Owner(spec.dataset, fold, spec.name),
            role,
            save_every_s,
            labels,
            watch(monitor, store, roles, reports[0] if spec.takes else None),
            rehearsed=True,
            gpu=sharing.on(chosen),
        )


def _build(spec: TrainSettings, parents: list[Any], store: Any, index: np.ndarray) -> Any:
    """The method on trained parents, or on fresh ones with the constants of these windows."""
    from physiome.methods.build import build_method, fresh_parents
    from physiome.training.job import set_constants

    if spec.takes:
        return parents[0]
    if parents:
        return build_method(spec, parents)
    fresh = fresh_parents(spec)
    for parent in fresh:  # nobody has trained it, so it lacks the constants of this fold
        set_constants(parent, store, index)
    return build_method(spec, fresh)


def _facts(parent: Any, manifest: Manifest) -> dict[str, str]:
    """Which weights a parent has: what they were made from, and what they are."""
    from physiome.training.standstill import fingerprint

    weights = fingerprint(list(parent.state_dict().values()))
    return {"identity": manifest.identity, "weights": weights}


def _published(spec: TrainSettings) -> dict[str, Any]:
    """Sums of the published weights it begins with, by modality."""
    found = {m: file_digest(path) for m, path in spec.method.get("published", {}).items()}
    return {"published_sha256": found} if found else {}


def _load_parents(
    spec: TrainSettings, paths: list[Path], fold: int, wanted: str | None
) -> dict[str, tuple[Any, Manifest]]:
    """Modality or method -> (the parent with its trained weights, its manifest)."""
    from physiome.methods.build import build_method, fresh_parents
    from physiome.training.checkpoint import load_weights

    entry = METHODS[spec.base]
    names = spec.modalities if entry.on_encoders else lineage(spec.base)[1:2]
    if spec.untrained or spec.takes:
        names = (spec.base,) if spec.takes else ()
    if len(paths) != len(names):
        raise DataError(
            f"{spec.base} begins with {len(names)} trained models, {len(paths)} are given",
            do=f"give the weights of {', '.join(names) or 'none'}, in this order",
        )
    loaded = {}
    fresh = fresh_parents(spec) if names else []
    if spec.takes:
        fresh = [build_method(spec, fresh)]
    for name, path, parent in zip(names, paths, fresh, strict=True):
        manifest = Manifest.parse(load_weights(parent, path), path)
        require_owner(manifest.owner, Owner(spec.dataset, fold, name), path)
        require(manifest.settings, wanted, path, "model")
        loaded[name] = (parent, manifest)
    return loaded
