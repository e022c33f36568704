"""MaskMentor: MultiMAE's network as its own teacher on complete input.

From the abstract and the PhysioME paper's description: masking of whole modalities and of patches
(M2IM), and one network that learns on complete input and, on incomplete input, rebuilds its own
tokens of the complete. The embedding is MultiMAE's here: rows of frequency stay apart, ours. There
is no published code. The weight of the token loss, the teacher's
visible share and the token head are ours. The third modality of the original, a label map, is
dropped: labels are not available to self-supervision.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn

from physiome.config.systems.maskmentor import MaskMentorSpec
from physiome.methods.base import Inputs, Signals
from physiome.methods.multimae import MultiMAE
from physiome.nn.draws import send
from physiome.nn.losses import masked_cosine
from physiome.nn.masking import masked_positions
from physiome.nn.patches import visible_patches
from physiome.nn.transformer import initialise


def unmasked_modalities(
    batch: int, modalities: int, probability: float, rng: torch.Generator
) -> Tensor:
    """Which modalities every sample shows, (batch, modalities) bool, at least one.

    Each is masked with `probability`, under the condition that one remains: drawn from the table
    of all outcomes but the empty one, which is what rejection of empty draws arrives at. At one
    half and three modalities each is shown with probability 4/7.
    """
    table = torch.tensor(list(product((False, True), repeat=modalities))[1:])
    shown = table.sum(dim=1)
    odds = (1.0 - probability) ** shown * probability ** (modalities - shown)
    return table[torch.multinomial(odds, batch, replacement=True, generator=rng)]


class MaskMentor(MultiMAE):
    """MultiMAE in phases: M2IM warm-up, then cycles of teacher updates and one student update.

    Whole modalities are masked per sample, like the patches. The network has no part that acts
    differently in training, so the teacher is the network as it stands, without gradient.
    """

    spec: MaskMentorSpec

    def __init__(self, spec: MaskMentorSpec, inputs: Inputs):
        super().__init__(spec, inputs, {"pixels": 1.0, "tokens": spec.token_weight})
        self.token_heads = nn.ModuleDict(
            {m: nn.Linear(spec.decoder_width, spec.width) for m in self.modalities}
        )
        initialise(self.token_heads)

    @classmethod
    def build(cls, spec: MaskMentorSpec, inputs: Inputs, parents: Sequence[Any]) -> Self:
        """From the section `method`; begins with nothing."""
        return cls(spec, inputs)

    @property
    def phase(self) -> Literal["warmup", "teacher", "student"]:
        """What the next step is, from `progress`."""
        now = self.progress
        if now.share < self.spec.warmup:
            return "warmup"
        place = (now.epoch * now.steps + now.step) % (self.spec.teacher_updates + 1)
        return "student" if place == self.spec.teacher_updates else "teacher"

    def loss(self, batch: Signals, rng: torch.Generator) -> dict[str, Tensor]:
        """Terms pixels and tokens; tokens is a constant 0 unless this is a student update."""
        patches = self.patches(batch)
        visible = self.draw_visible(patches, rng)
        features = self.rebuild(patches, visible)
        pixels = self.pixel_loss(features, patches, visible)
        if self.phase != "student":
            return {"pixels": pixels, "tokens": pixels.new_zeros(())}
        return {"pixels": pixels, "tokens": self.token_loss(features, patches, visible)}

    def draw_visible(self, patches: Mapping[str, Tensor], rng: torch.Generator) -> Tensor:
        """As MultiMAE's on teacher updates; otherwise whole modalities are masked first."""
        if self.phase == "teacher":
            return super().draw_visible(patches, rng)
        first = next(iter(patches.values()))
        shown = unmasked_modalities(len(first), len(patches), self.spec.mask_modality, rng)
        shown = send(shown, first.device)
        # A sample that shows a single modality must have enough patches, too.
        return visible_patches(shown, self.n, min(self.spec.visible, self.n), rng)

    def token_loss(
        self, features: Mapping[str, Tensor], patches: Mapping[str, Tensor], visible: Tensor
    ) -> Tensor:
        """Mean over masked patches of 1 - cosine(token head, the teacher's encoded token)."""
        with torch.no_grad():
            target = self.encode_tokens(self.tokens(patches))[:, 1:]  # (B, M N, D)
        found = torch.cat([self.token_heads[m](features[m]) for m in patches], dim=1)
        return masked_cosine(found, target, masked_positions(visible, target.shape[1]))
