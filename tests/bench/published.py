"""DP-NeuroNet's training step in the published arrangement, with the weights of our own model.

Written for comparison only, from the description of that arrangement: a Python loop takes every
frame through the frame network; a view goes through it twice, once for its two masked passes and
once for a third, whose class token serves the contrast between the views; every pass is a batch of
its own; NT-Xent broadcasts all pairs of vectors.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from physiome.methods.base import Signals
from physiome.methods.neuronet import DPNeuroNet
from physiome.nn.augment import two_views
from physiome.nn.losses import masked_mse
from physiome.nn.masking import masked_positions, n_kept, random_kept

from .published_frames import frame_features


class Published(nn.Module):
    """`model`'s loss, the slow way: equal terms for equal draws, but for batch-norm in training.

    Args:
        frames: how a frame network takes (B, L) to (B, N, features).
    """

    def __init__(self, model: DPNeuroNet, frames: Callable = frame_features):
        super().__init__()
        self.model, self.frames = model, frames

    def loss(self, batch: Signals, rng: torch.Generator) -> dict[str, Tensor]:
        """Terms masked, within and across of a batch."""
        model, spec = self.model, self.model.spec
        augment, n = spec.augment, model.encoder.n
        x = batch[model.modalities[0]]
        views = two_views(x, rng, augment.probability, augment.crop, augment.segments)
        kept = random_kept(4 * len(x), n, n_kept(n, spec.mask_ratio), rng).chunk(4)
        # Our rows: pass 1 of view 1, pass 1 of view 2, pass 2 of view 1, pass 2 of view 2.
        one = self._view(views[0], kept[0], kept[2])
        two = self._view(views[1], kept[1], kept[3])
        # The third masking repeats the first: then the terms are equal to ours, at equal cost.
        across = self._contrast(self._third(views[0], kept[0]), self._third(views[1], kept[1]))
        return {
            "masked": 0.5 * (one[0] + two[0]),
            "within": 0.5 * (one[1] + two[1]),
            "across": across,
        }

    def _view(self, x: Tensor, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Summed masked losses of a view's two passes, and the contrast between them."""
        features = self._features(x)
        masked, classes = zip(*(self._masked(features, k) for k in (first, second)), strict=True)
        return masked[0] + masked[1], self._contrast(*classes)

    def _features(self, x: Tensor) -> Tensor:
        """(B, L) -> (B, N, features)."""
        encoder = self.model.encoder
        return self.frames(encoder.frame_network, encoder.scaling(x))

    def _masked(self, features: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
        """Loss and class token of one masked pass."""
        model = self.model
        tokens = model.encoder.tokens(features, kept)
        predicted = model.decoder(tokens[:, 1:], kept)
        mask = masked_positions(kept, model.encoder.n)
        return masked_mse(predicted, features, mask), tokens[:, 0]

    def _third(self, x: Tensor, kept: Tensor) -> Tensor:
        return self.model.encoder.tokens(self._features(x), kept)[:, 0]

    def _contrast(self, a: Tensor, b: Tensor) -> Tensor:
        return nt_xent_of_pairs(
            self.model.projection(a), self.model.projection(b), self.model.spec.temperature
        )


def nt_xent_of_pairs(a: Tensor, b: Tensor, temperature: float) -> Tensor:
    """NT-Xent (see `physiome.nn.losses`) from a broadcast (2B, 2B, D) tensor."""
    vectors, n = torch.cat([a, b]).float(), len(a)
    similar = F.cosine_similarity(vectors[:, None], vectors[None], dim=-1) / temperature
    itself = torch.eye(2 * n, dtype=torch.bool, device=a.device)
    positives = torch.arange(2 * n, device=a.device).roll(n)
    return F.cross_entropy(similar.masked_fill(itself, float("-inf")), positives)
