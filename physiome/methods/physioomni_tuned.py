"""PhysioOmni's third stage: fine-tuning on labels that survives missing modalities.

Follows the published code (arXiv 2504.19596): tokens of every modality are assigned to common
positions, pass one shared block, and are drawn to prototypes of the classes. Ours: two classes use
cross-entropy over both, too, instead of a single logit. Supervised, so never compared with frozen
self-supervised embeddings.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from physiome.config.systems.physioomni import PhysioOmniSpec
from physiome.errors import PhysioError
from physiome.methods.base import Inputs, Method, Signals
from physiome.methods.physioomni import PhysioOmni
from physiome.nn.leads import over_leads
from physiome.nn.losses import cross_entropy, mse
from physiome.nn.physioomni import BareBlock


class Assignment(nn.Module):
    """Tokens (B, N, D) of one modality, spread softly over positions: (B, positions, width)."""

    def __init__(self, spec: PhysioOmniSpec):
        super().__init__()
        width = spec.aligned_width
        self.score = nn.Sequential(
            nn.LayerNorm(spec.width),
            nn.Linear(spec.width, width),
            nn.LayerNorm(width),
            nn.Dropout(spec.aligned_dropout),
            nn.LayerNorm(width),
            nn.Linear(width, spec.positions),
        )
        self.leave = nn.Linear(spec.width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, D) -> (B, positions, width); a position is the weighted sum of all tokens."""
        share = self.score(tokens).softmax(dim=-1)  # (B, N, positions): where a token goes
        return self.leave(share.transpose(1, 2) @ tokens)


class TunedPhysioOmni(Method):
    """Stage 3: aligns the modalities' features to learned prototypes of the classes."""

    def __init__(self, spec: PhysioOmniSpec, inputs: Inputs, pretrained: PhysioOmni):
        super().__init__(inputs.modalities, {"align": 1.0, "fused": 0.5, "single": 0.5})
        self.spec, width = spec, spec.aligned_width
        self.encoders = pretrained.encoders.requires_grad_(True)
        self.assign = nn.ModuleDict({m: Assignment(spec) for m in inputs.modalities})
        self.block = BareBlock(width, spec.aligned_heads)
        self.pool = nn.Linear(spec.positions, 1, bias=False)
        self.prototypes = nn.Parameter(torch.randn(len(inputs.classes), width))
        self.classify = nn.Linear(width, len(inputs.classes))
        nn.init.trunc_normal_(self.classify.weight, std=0.02)
        nn.init.zeros_(self.classify.bias)

    @classmethod
    def build(cls, spec: PhysioOmniSpec, inputs: Inputs, parents: Sequence[Any]) -> Self:
        """On the encoders of stage 2, which keep the scaling they were pretrained with.

        Raises:
            PhysioError: without them, or without at least two classes.
        """
        if len(parents) != 1 or not isinstance(parents[0], PhysioOmni):
            raise PhysioError("physioomni_tuned begins with physioomni", do="train it first")
        if len(inputs.classes) < 2:
            raise PhysioError("physioomni_tuned learns classes", do="name at least two")
        return cls(spec, inputs, parents[0])

    def labelled_loss(
        self, batch: Signals, labels: Tensor, rng: torch.Generator
    ) -> dict[str, Tensor]:
        """Terms align, fused (the mean of all present) and single (each of them, summed).

        Draws nothing from `rng`: the only randomness is dropout.
        """
        features = self.encode({m: batch[m] for m in self.modalities if m in batch})
        prototypes, smoothing = self.prototypes[labels], self.spec.smoothing
        logits = {m: self.classify(f) for m, f in features.items()}
        fused = self.classify(self.fuse(features))
        return {
            "align": torch.stack([mse(f, prototypes) for f in features.values()]).sum(),
            "fused": cross_entropy(fused, labels, smoothing),
            "single": torch.stack(
                [cross_entropy(one, labels, smoothing) for one in logits.values()]
            ).sum(),
        }

    def encode(self, observed: Signals) -> dict[str, Tensor]:
        """Modality -> aligned feature (B, width)."""
        return {m: self._aligned(m, x) for m, x in observed.items()}

    def _aligned(self, m: str, x: Tensor) -> Tensor:
        # In full precision, as residual sums are everywhere else.
        placed = self.block(
            self.assign[m](over_leads(self.encoders[m], x)).float()
        )  # (B, positions, width)
        return self.pool(placed.transpose(1, 2)).squeeze(-1)

    def fuse(self, encoded: Mapping[str, Tensor]) -> Tensor:
        """Mean over the observed modalities (B, width)."""
        return torch.stack([encoded[m] for m in self.modalities if m in encoded]).mean(dim=0)
