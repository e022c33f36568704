"""Step: embeddings of all subsets, each modality encoded once."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from physiome.config.agreement import Owner, require, require_owner
from physiome.config.gpu import GpuSpec
from physiome.config.jobs import EmbedSettings
from physiome.data.store.shards import require_settings
from physiome.data.store.windows import WindowStore
from physiome.devices.memory import FEWER, memory_told
from physiome.errors import DataError, PhysioError
from physiome.evaluation.facts import EmbeddingFacts
from physiome.files import file_digest, read_json
from physiome.subsets import Subset, named_subsets
from physiome.training.manifest import Manifest, other_folds
from physiome.training.runtime import bf16, compute_device, wants_bf16


def run(
    settings: str,
    shards: list[Path],
    folds: Path,
    fold: int,
    output: Path,
    weights: Path | None = None,
    gpus: int = 0,
    device: str = "auto",
    gpu: str = "{}",
    shard_settings: str | None = None,
    train_settings: str | None = None,
    batch: int | None = None,
) -> None:
    """Write `<output>.npy` (windows, width of all subsets), and its `.json` and `.parquet`.

    Rows: the labelled windows of the fold's train and test subjects. A subset's columns are
    NaN where the window really lacks one of its modalities.

    Args:
        gpu: how a GPU is used, as JSON.
        shard_settings: what the shards must have been written with, as JSON; None: anything.
        train_settings: what the weights must have been trained with; likewise.
        batch: windows embedded at a time; None: as the settings say.
    """
    spec = EmbedSettings.parse_text(settings).at_once(batch)
    require_settings(shards, shard_settings)
    holds = f"{spec.batch} windows at a time"
    sharing = GpuSpec.parse_text(gpu, "gpu")
    leased = compute_device(gpus, device, sharing, partial(_peaks, output, spec))
    with memory_told("embedding", holds, FEWER), leased as chosen:
        from physiome.data.folds.fold_windows import open_fold
        from physiome.evaluation.embed import embed_windows

        store, roles = open_fold(shards, spec.modalities, folds, fold)
        labelled = store.table["label"].to_numpy() >= 0
        index = np.flatnonzero(labelled & np.isin(roles, ("train", "test")))
        method, manifest = _load(spec, weights)
        if weights is not None and manifest is not None:
            _check(manifest, weights, Owner(spec.dataset, fold, spec.name), train_settings, store)
        method.to(chosen).eval()
        complete = np.all([store.carrying(m) for m in spec.modalities], axis=0)
        tested = np.flatnonzero(labelled & complete & (roles == "test"))
        facts = EmbeddingFacts(
            spec.dataset,
            fold,
            spec.name,
            list(spec.classes),
            settings=spec.plain(),
            shards=store.settings_digest,
            shard_settings=store.settings,
            departure=method.departure,
        )
        if weights is not None and manifest is not None:
            facts = _with_model(facts, manifest, weights)
        with bf16(wants_bf16(spec.precision, chosen), chosen):
            if spec.subsets is None:  # of what tables of chosen subsets show, no figure is drawn
                facts = replace(facts, **_restored(method, store, tested, spec))
            roles = roles[index]
            embed_windows(method, store, index, roles, spec.batch, output, facts, _subsets(spec))


def _peaks(output: Path, spec: EmbedSettings) -> Iterator[int]:
    """What the same step of other folds took at most of a GPU, in bytes."""
    for path in other_folds(output.with_suffix(".json")):
        try:
            found = EmbeddingFacts.parse(read_json(path), path)
        except PhysioError:
            continue  # it is being written, or of another version
        if found.settings == spec.plain():
            yield found.peak_gpu_bytes


def _restored(
    method: Any, store: WindowStore, tested: np.ndarray, spec: EmbedSettings
) -> dict[str, Any]:
    """What the facts say of restored tokens, of complete test windows."""
    from physiome.evaluation.restoration import restoration_error
    from physiome.evaluation.restored_example import restored_examples

    return {
        "restoration": restoration_error(method, store, tested, spec.batch, _subsets(spec)),
        "examples": restored_examples(method, store, tested, spec.batch),
    }


def _with_model(facts: EmbeddingFacts, manifest: Manifest, weights: Path) -> EmbeddingFacts:
    return replace(
        facts,
        train_settings=manifest.settings,
        weights=manifest.identity,
        weights_sha256=file_digest(weights),
        warnings=manifest.monitor["warnings"],
    )


def _subsets(spec: EmbedSettings) -> list[Subset]:
    """Those asked for, in the order of all; all that are scored where none are named."""
    return named_subsets(spec.scored if spec.subsets is None else spec.subsets, spec.modalities)


def _load(spec: EmbedSettings, weights: Path | None) -> tuple[Any, Manifest | None]:
    from physiome.methods.build import build_method, fresh_parents
    from physiome.training.checkpoint import load_weights

    method = build_method(spec, fresh_parents(spec))
    if weights is None:
        return method, None
    return method, Manifest.parse(load_weights(method, weights), weights)


def _check(
    manifest: Manifest, path: Path, owner: Owner, settings: str | None, store: WindowStore
) -> None:
    """Weights of another model, or that learned from shards of other settings, are refused."""
    require_owner(manifest.owner, owner, path)
    require(manifest.settings, settings, path, "model")
    if manifest.shards != store.settings_digest:
        raise DataError(
            "these weights were trained on shards of other settings",
            where=path,
            why=f"shards {manifest.shards}, now {store.settings_digest}",
            do="let Snakemake train them again",
        )
