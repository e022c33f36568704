"""Frame features of frozen encoders, kept on the device between epochs (`gpu.keep_gb`).

A frozen frame network says the same of a window in every epoch. Kept rows are what was computed,
bit for bit; what does not fit is computed anew.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from physiome.nn.draws import send
from physiome.nn.neuronet import ModalityEncoder

log = logging.getLogger(__name__)


class KeptFrames:
    """What frozen frame networks of a method said of the windows that it is trained on.

    Args:
        positions: of these windows, of `windows` in the store.
        most_bytes: of the device, for all modalities together; 0: nothing is kept.
    """

    def __init__(self, method: nn.Module, positions: np.ndarray, windows: int, most_bytes: float):
        self.count, self.left = len(positions), most_bytes
        self.places = np.full(windows, -1)
        self.places[positions] = np.arange(self.count)
        self.kept: dict[str, Tensor | None] = {}  # (count, N, features); None: does not fit
        self.known: dict[str, np.ndarray] = {}  # (count,), whether a window's row is there
        self._now: np.ndarray | None = None
        for name, part in method.named_modules() if most_bytes else ():
            if isinstance(part, ModalityEncoder) and frozen(part.frame_network):
                part.keeper = partial(self._features, name)

    @contextmanager
    def of(self, positions: np.ndarray) -> Iterator[None]:
        """Within, encoders see these windows, and no others."""
        self._now = self.places[positions]
        try:
            yield
        finally:
            self._now = None

    def _features(self, name: str, compute: Callable[[], Tensor]) -> Tensor:
        """Of the windows of now (B, N, features); `compute` makes them if one is not there."""
        now = self._now
        if now is None:
            return compute()
        kept = self.kept.get(name)
        if kept is not None and self.known[name][now].all():
            return kept[send(torch.from_numpy(now), kept.device)]
        features = compute()
        if name not in self.kept:
            self._make_room(name, features)
        if (kept := self.kept[name]) is not None:
            kept[send(torch.from_numpy(now), kept.device)] = features.detach()
            self.known[name][now] = True
        return features

    def _make_room(self, name: str, features: Tensor) -> None:
        size = self.count * features[0].nbytes
        fits = size <= self.left
        word = (
            "kept on the device" if fits else "computed in every epoch, gpu.keep_gb is too little"
        )
        log.info("frame features of %s, %.1f GB: %s", name, size / 1e9, word)
        self.kept[name] = features.new_empty((self.count, *features.shape[1:])) if fits else None
        self.known[name] = np.zeros(self.count, bool)
        self.left -= size if fits else 0.0


def frozen(network: nn.Module) -> bool:
    """Nothing of it learns, and its batch-norms are in evaluation mode."""
    return not network.training and not any(p.requires_grad for p in network.parameters())
