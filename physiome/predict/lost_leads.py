"""The step `lost-leads`: score a fold's test windows with leads taken away."""

from pathlib import Path

import numpy as np
import pandas as pd

from physiome.config.gpu import GpuSpec
from physiome.data.store.shards import require_settings
from physiome.devices.memory import FEWER, memory_told
from physiome.files import atomic_path
from physiome.predict.trained import check_weights, load_method, open_trained
from physiome.subsets import named_subsets
from physiome.training.runtime import compute_device


def run(
    shards: list[Path],
    folds: Path,
    fold: int,
    heads: Path,
    output: Path,
    weights: Path | None = None,
    gpus: int = 0,
    device: str = "auto",
    gpu: str = "{}",
    shard_settings: str | None = None,
    batch: int | None = None,
) -> None:
    """Write per-window probabilities by the number of leads left (see `score_lost_leads`).

    Of labelled test windows that have every modality and every lead, so that all numbers are over
    the same windows; a table without a row where there is none, or no head was fitted.

    Args:
        gpu: how a GPU is used, as JSON.
        heads: of the method; they say what weights and settings they belong to.
        shard_settings: what the shards must have been written with, as JSON; None: anything.
        batch: windows embedded at a time; None: as many as for the heads.

    Raises:
        PhysioError: for heads, weights or shards that do not belong together.
    """
    require_settings(shards, shard_settings)
    trained = open_trained(heads, none_too=True)
    check_weights(trained, heads, weights)
    spec = trained.settings.at_once(batch)
    holds = f"{spec.batch} windows at a time"
    leased = compute_device(gpus, device, GpuSpec.parse_text(gpu, "gpu"))
    with memory_told("embedding", holds, FEWER), leased as chosen:
        from physiome.data.folds.fold_windows import open_fold
        from physiome.evaluation.lost_leads import score_lost_leads

        store, roles = open_fold(shards, spec.modalities, folds, fold)
        whole = (roles == "test") & (store.table["label"].to_numpy() >= 0)
        whole &= np.all([store.carrying(m) for m in spec.modalities], axis=0)
        for m, leads in spec.leads.items():
            whole &= store.table[f"leads_{m}"].to_numpy() == leads
        method = load_method(spec, weights, chosen)
        every = named_subsets(spec.scored, spec.modalities)
        parts = [
            score_lost_leads(
                method,
                store,
                np.flatnonzero(whole),
                m,
                [s for s in every if m in s],
                trained.heads,
                len(spec.classes),
                spec.batch,
            )
            for m in spec.leads
        ]
    facts = {"dataset": spec.dataset, "fold": fold, "method": spec.name}
    with atomic_path(output) as temporary:
        pd.concat(parts, ignore_index=True).assign(**facts).to_parquet(temporary, index=False)
