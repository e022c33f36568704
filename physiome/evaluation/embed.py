"""Embeddings of every subset of modalities for many windows, each modality encoded once."""

import logging
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from physiome.data.store.batches import ordered_batches, patterns, prefetch
from physiome.data.store.windows import WindowStore
from physiome.errors import PhysioError
from physiome.evaluation.facts import EmbeddingFacts
from physiome.files import atomic_path, sums, write_json
from physiome.methods.base import Method
from physiome.subsets import Subset, all_subsets, subset_name

log = logging.getLogger(__name__)


@torch.no_grad()
def embed_subsets(
    method: Method, signals: dict[str, torch.Tensor], subsets: list[Subset]
) -> dict[Subset, torch.Tensor]:
    """Embedding (B, D) of each subset that the signals hold; every modality is encoded once.

    Subsets that the method refuses are left out.
    """
    encoded = method.encode(signals)
    return {
        subset: method.fuse({m: encoded[m] for m in subset})
        for subset in subsets
        if all(m in encoded for m in subset) and not method.refuses(subset)
    }


def embed_windows(
    method: Method,
    store: WindowStore,
    index: np.ndarray,
    roles: np.ndarray,
    batch: int,
    output: Path,
    facts: EmbeddingFacts,
    subsets: list[Subset] | None = None,
) -> None:
    """Write the embeddings of the windows at `index` (see `physiome.steps.embed`).

    Args:
        facts: what is known before; columns, sums and the like are added.
        subsets: those to embed; None: all.

    Raises:
        PhysioError: if the method refuses every one of them.
    """
    method.eval()
    subsets = all_subsets(store.modalities) if subsets is None else subsets
    refused = _refused(method, subsets)
    columns = _columns(method, store, subsets)
    width = max(stop for _, stop in columns.values())
    device = method.device
    started = time.monotonic()
    with atomic_path(output, 4 * len(index) * width) as temporary:
        rows = np.lib.format.open_memmap(temporary, "w+", np.float32, (len(index), width))
        with open(temporary, "rb+") as file:  # a full disk would kill the process later
            os.posix_fallocate(file.fileno(), 0, temporary.stat().st_size)
        place = np.full(len(store.table), -1)
        place[index] = np.arange(len(index))
        groups = patterns(store, index)
        bare = np.setdiff1d(index, np.concatenate([index[:0], *(p for _, p in groups)]))
        rows[place[bare]] = np.nan
        for (_, positions), signals in prefetch(store, ordered_batches(groups, batch)):
            tensors = {m: torch.from_numpy(x).to(device) for m, x in signals.items()}
            block = np.full((len(positions), width), np.nan, np.float32)
            for subset, embedding in embed_subsets(method, tensors, subsets).items():
                start, stop = columns[subset]
                block[:, start:stop] = embedding.float().cpu().numpy()
            rows[place[positions]] = block
        rows.flush()
        # Until it is written anew, nothing describes these rows: a kill must not leave the old.
        output.with_suffix(".json").unlink(missing_ok=True)
    _write_windows(store, index, roles, output.with_suffix(".parquet"))
    facts = replace(
        facts,
        columns={subset_name(subset): list(span) for subset, span in columns.items()},
        modalities=list(store.modalities),
        level_columns=method.level_columns,
        windows=len(index),
        comparable=method.comparable,
        refused=refused,
        peak_gpu_bytes=torch.cuda.max_memory_allocated() if device.type == "cuda" else 0,
        sha256=sums(output, output.with_suffix(".parquet")),
    )
    write_json(output.with_suffix(".json"), facts.plain())
    rate = len(index) * len(subsets) / (time.monotonic() - started)
    log.info("windows=%d subsets=%d embeddings_per_s=%.0f", len(index), len(subsets), rate)


def _write_windows(store: WindowStore, index: np.ndarray, roles: np.ndarray, path: Path) -> None:
    """Write which windows the rows are of."""
    table = store.table.iloc[index].drop(columns=["shard", "row"]).assign(role=roles)
    with atomic_path(path) as temporary:
        table.to_parquet(temporary, index=False)


def _refused(method: Method, subsets: list[Subset]) -> dict[str, str]:
    """Subsets that the method does not embed, and why not; an error if it is all of them."""
    refused = {subset_name(s): method.refuses(s) for s in subsets if method.refuses(s)}
    for name, reason in refused.items():
        log.warning("subset=%s is left out: %s", name, reason)
    if len(refused) == len(subsets):
        raise PhysioError("the method refuses every subset", why="; ".join(refused.values()))
    return refused


def _columns(
    method: Method, store: WindowStore, subsets: list[Subset]
) -> dict[Subset, tuple[int, int]]:
    """Each subset's columns, from the width of its embedding of two made-up windows."""
    device = method.device
    blank = {m: torch.zeros(2, *store.shapes[m], device=device) for m in store.modalities}
    widths = {s: e.shape[1] for s, e in embed_subsets(method, blank, subsets).items()}
    edges = np.cumsum([0, *widths.values()]).tolist()
    return {s: (edges[i], edges[i + 1]) for i, s in enumerate(widths)}
