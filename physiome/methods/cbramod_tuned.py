"""CBraMod fusion, fine-tuned on labels: the second paper's other way of using its encoders.

A linear head on the concatenated embeddings is trained together with the encoders. So that it bears
missing modalities, ours: of each window the head sees a random part of those that the batch has.
Supervised, so never compared with frozen self-supervised embeddings.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from physiome.errors import PhysioError
from physiome.methods.base import Inputs, Method, Signals
from physiome.methods.cbramod import CBraModFusion
from physiome.nn.draws import uniform
from physiome.nn.losses import cross_entropy


class TunedCBraMod(Method):
    """The encoders of a trained `CBraModFusion`, trained further with a head."""

    comparable = False  # the embedding grows with the number of observed modalities

    def __init__(self, inputs: Inputs, pretrained: CBraModFusion):
        super().__init__(inputs.modalities, {"labels": 1.0})
        self.pretrained = pretrained
        pretrained.outputs.requires_grad_(False)  # nothing is masked here that they could predict
        width, classes = pretrained.spec.width, len(inputs.classes)
        # A linear layer on embeddings side by side is a sum of linear layers on each.
        self.heads = nn.ModuleDict({m: nn.Linear(width, classes) for m in inputs.modalities})

    @classmethod
    def build(cls, spec: Any, inputs: Inputs, parents: Sequence[Any]) -> Self:
        """On a trained CBraMod fusion, which keeps the scaling it was pretrained with.

        Raises:
            PhysioError: without one, or without at least two classes.
        """
        if len(parents) != 1 or not isinstance(parents[0], CBraModFusion):
            raise PhysioError("cbramod_tuned begins with cbramod", do="train it first")
        if len(inputs.classes) < 2:
            raise PhysioError("cbramod_tuned learns classes", do="name at least two")
        return cls(inputs, parents[0])

    def labelled_loss(
        self, batch: Signals, labels: Tensor, rng: torch.Generator
    ) -> dict[str, Tensor]:
        """Term labels: cross-entropy of the head on a random part of each window's modalities."""
        features = self.pretrained.encode({m: batch[m] for m in self.modalities if m in batch})
        noise = uniform((len(labels), len(features)), rng, labels.device)
        shown = (noise < 0.5) | (noise == noise.amin(dim=1, keepdim=True))  # (B, M), one at least
        logits = torch.stack([self.heads[m](x) for m, x in features.items()], dim=1)  # (B, M, C)
        return {"labels": cross_entropy((logits * shown[..., None]).sum(dim=1), labels)}

    def encode(self, observed: Signals) -> dict[str, Tensor]:
        """As `CBraModFusion`."""
        return self.pretrained.encode(observed)

    def fuse(self, encoded: Mapping[str, Tensor]) -> Tensor:
        """As `CBraModFusion`: (B, D x number of observed modalities)."""
        return self.pretrained.fuse(encoded)
