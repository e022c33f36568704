"""Restored tokens beside the true ones, of one window for each modality."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from physiome.data.store.batches import ordered_batches, prefetch
from physiome.data.store.windows import WindowStore
from physiome.methods.base import Method
from physiome.subsets import subset_name

SAMPLE = 64  # windows among which the example is the one of median error
COMPONENTS = 8  # of the true tokens' width that are kept
DIGITS = 4


@torch.no_grad()
def restored_examples(
    method: Method, store: WindowStore, index: np.ndarray, batch: int
) -> dict[str, dict[str, Any]]:
    """For every modality, its tokens in one window as they are, and restored from all others.

    Tokens are given less the mean token of their place, so restoring that mean would be zeros, and
    as the first principal components of the true ones over the sampled windows.

    Args:
        index: windows that carry every modality; up to SAMPLE of them are used, evenly spread.

    Returns:
        modality -> observed (the subset), record, number and onset_s of the window, relative (its
        squared error over the mean variance of the tokens), explained (share of the variance in
        the components), true and restored (N, K). {} if the method restores none.
    """
    if not method.restores or len(store.modalities) < 2 or len(index) < 2:
        return {}
    chosen = index[np.unique(np.linspace(0, len(index) - 1, SAMPLE).astype(int))]
    true: dict[str, list[Tensor]] = {m: [] for m in store.modalities}
    restored: dict[str, list[Tensor]] = {m: [] for m in store.modalities}
    places = []
    for (_, positions), signals in prefetch(
        store, ordered_batches([(store.modalities, chosen)], batch)
    ):
        places.append(positions)
        on_device = {m: torch.from_numpy(x).to(method.device) for m, x in signals.items()}
        encoded = method.encode(on_device)
        for m in store.modalities:
            others = {other: tokens for other, tokens in encoded.items() if other != m}
            true[m].append(encoded[m][:, 1:].double().cpu())
            restored[m].append(method.restore(others)[m].double().cpu())
    windows = store.table.iloc[np.concatenate(places)]
    found = {}
    for m in store.modalities:
        place, example = _median(torch.cat(true[m]), torch.cat(restored[m]))
        row = windows.iloc[place]
        found[m] = {
            "observed": subset_name(tuple(x for x in store.modalities if x != m)),
            "record": str(row["record"]),
            "number": int(row["number"]),
            "onset_s": float(row["onset_s"]),
            **example,
        }
    return found


def _median(true: Tensor, restored: Tensor) -> tuple[int, dict[str, Any]]:
    """The window of median error, and its tokens; both are (B, N, D)."""
    mean = true.mean(dim=0)
    true, restored = true - mean, restored - mean
    variance = true.square().sum(dim=(1, 2)).mean().clamp(min=1e-12)
    errors = (restored - true).square().sum(dim=(1, 2)) / variance
    place = int(errors.argsort(stable=True)[len(errors) // 2])
    spread, axes = torch.linalg.eigh(torch.einsum("bnd,bne->de", true, true))
    axes = axes.flip(1)[:, :COMPONENTS]  # (D, K), the largest first
    largest = axes.gather(0, axes.abs().argmax(dim=0, keepdim=True))
    axes = axes * largest.sign()  # an eigenvector's own sign is chance
    explained = spread.flip(0)[:COMPONENTS].sum() / spread.sum().clamp(min=1e-12)
    return place, {
        "relative": float(errors[place]),
        "explained": float(explained),
        "true": _rounded(true[place] @ axes),
        "restored": _rounded(restored[place] @ axes),
    }


def _rounded(x: Tensor) -> list[list[float]]:
    return np.round(x.numpy(), DIGITS).tolist()
