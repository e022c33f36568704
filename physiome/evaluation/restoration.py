"""How well a method rebuilds what is missing: the error of restored tokens."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from physiome.data.store.batches import ordered_batches, prefetch
from physiome.data.store.windows import WindowStore
from physiome.methods.base import Method
from physiome.subsets import Subset, all_subsets, subset_name

SAMPLE = 256  # windows, of some 7000 tokens: the mean moves little with more


@torch.no_grad()
def restoration_error(
    method: Method,
    store: WindowStore,
    index: np.ndarray,
    batch: int,
    subsets: Sequence[Subset] | None = None,
) -> dict[str, dict[str, dict[str, float]]]:
    """Error of every restored modality under proper subsets; {} if the method restores none.

    Args:
        index: windows that carry every modality; up to SAMPLE of them are used, evenly spread.
        subsets: the full set and those observed; None: all.

    Returns:
        subset -> missing modality -> mse (over tokens and width) and relative (mse over the
        variance of the target tokens about their mean token: 1 is no better than that mean).
    """
    if not method.restores or len(index) < 2:
        return {}
    chosen = index[np.unique(np.linspace(0, len(index) - 1, SAMPLE).astype(int))]
    device = method.device
    _, *proper = subsets or all_subsets(store.modalities)
    spread = {m: _Spread() for m in store.modalities}
    errors: dict[tuple[str, str], float] = {}
    for _, signals in prefetch(store, ordered_batches([(store.modalities, chosen)], batch)):
        encoded = method.encode({m: torch.from_numpy(x).to(device) for m, x in signals.items()})
        for m, e in encoded.items():
            spread[m].add(e[:, 1:])
        for subset in proper:
            for m, restored in method.restore({m: encoded[m] for m in subset}).items():
                error = (restored.double() - encoded[m][:, 1:].double()).square().sum()
                key = (subset_name(subset), m)
                errors[key] = errors.get(key, 0.0) + float(error)
    found: dict[str, dict[str, Any]] = {}
    for (name, m), error in errors.items():
        values = {"mse": error / spread[m].values, "relative": error / spread[m].about_mean()}
        found.setdefault(name, {})[m] = values
    return found


class _Spread:
    """Sum of squares about the mean over windows, of tokens (B, N, D) that come in batches."""

    def __init__(self) -> None:
        self.windows, self.values = 0, 0
        self.total: Tensor | float = 0.0
        self.squares = 0.0

    def add(self, tokens: Tensor) -> None:
        tokens = tokens.double()
        self.windows += len(tokens)
        self.values += tokens.numel()
        self.total = self.total + tokens.sum(dim=0)
        self.squares += float(tokens.square().sum())

    def about_mean(self) -> float:
        total = torch.as_tensor(self.total)
        return max(self.squares - float(total.square().sum()) / self.windows, 1e-12)
