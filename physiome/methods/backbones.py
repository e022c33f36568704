"""Image backbones as modality encoders: what Table 3 puts in place of DP-NeuroNet.

The paper says nothing on how they are trained; ours: the contrast between DP-NeuroNet's two
augmented views of the raw signal, of which spectrograms are made, and no masked prediction. All
else, from the temperature to the projection head, is DP-NeuroNet's, so that a row of the table
differs in the network and the masked part only.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from physiome.config.backbones import BackboneSpec
from physiome.methods.base import Method, Signals
from physiome.nn.augment import two_views
from physiome.nn.backbones import (
    Backbone,
    EfficientNetBackbone,
    ResNetBackbone,
    SwinBackbone,
    ViTBackbone,
)
from physiome.nn.losses import contrast_accuracy, nt_xent
from physiome.nn.tokens import Projection


class BackboneEncoder(Method):
    """A backbone on spectrogram images, pretrained by contrast between two views.

    Args:
        samples: of a window, at `rate_hz`; the image's frequencies follow from its `n_fft`.
        leads: how many make no difference: the image is the mean of theirs.
    """

    calibrated = True
    contrasts = ("across",)
    network: ClassVar[Callable[[Any, int], Backbone]]

    def __init__(
        self, spec: BackboneSpec, modality: str, samples: int, rate_hz: float, leads: int = 0
    ):
        super().__init__((modality,), {"across": spec.weights.get("across", 1.0)})
        self.spec = spec
        self.encoder = type(self).network(spec, samples)
        self.projection = Projection(spec.width, *spec.projection)

    def set_scaling(self, constants: Mapping[str, tuple[float, float]]) -> None:
        """Only the scale: see `SpectrogramImage`."""
        _, scale = constants[self.modalities[0]]
        self.encoder.image.scale.fill_(scale)

    def calibrate(self, sample: Signals) -> None:
        """Mean and spread of the frequency bins."""
        self.encoder.image.calibrate(sample[self.modalities[0]])

    def loss(self, batch: Signals, rng: torch.Generator) -> dict[str, Tensor]:
        """Term across: contrast between the views. Each passes alone, for its batch-norms' sake.

        Logged: the contrast's accuracy.
        """
        x, augment = batch[self.modalities[0]], self.spec.augment
        views = two_views(x, rng, augment.probability, augment.crop, augment.segments)
        first, second = (self.projection(self.encoder(view)[:, 0]) for view in views)  # (B, D)
        accuracy = contrast_accuracy(first, second)
        return {
            "across": nt_xent(first, second, self.spec.temperature),
            "across_accuracy": accuracy,
        }

    def encode(self, observed: Signals) -> dict[str, Tensor]:
        """Modality -> tokens e (B, N + 1, D)."""
        return {m: self.encoder(x) for m, x in observed.items()}

    def fuse(self, encoded: Mapping[str, Tensor]) -> Tensor:
        """The token at index 0 (B, D)."""
        return encoded[self.modalities[0]][:, 0]


class ResNet18(BackboneEncoder):
    """ResNet-18."""

    network = ResNetBackbone


class EfficientNetB0(BackboneEncoder):
    """EfficientNet-B0."""

    network = EfficientNetBackbone


class ViTS16(BackboneEncoder):
    """ViT-S/16."""

    network = ViTBackbone


class SwinT(BackboneEncoder):
    """Swin-T with windows that fit the image."""

    network = SwinBackbone
