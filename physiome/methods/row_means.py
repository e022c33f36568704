"""A control: the mean over time of the log spectrogram that the systems born in vision see."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from physiome.config.systems.controls import ImageRowMeansSpec
from physiome.methods.base import Inputs, Method, Signals
from physiome.nn.spectrogram import SpectrogramImage


class ImageRowMeans(Method):
    """One log-power per frequency bin and modality, concatenated over the observed ones."""

    comparable = False  # the embedding grows with the subset

    def __init__(self, spec: ImageRowMeansSpec, inputs: Inputs):
        super().__init__(inputs.modalities)
        self.images = nn.ModuleDict(
            {m: SpectrogramImage(spec.image, inputs.window.samples) for m in inputs.modalities}
        )

    @classmethod
    def build(cls, spec: ImageRowMeansSpec, inputs: Inputs, parents: Sequence[Any]) -> Self:
        """It needs the image's settings and nothing that is learned or measured."""
        return cls(spec, inputs)

    def encode(self, observed: Signals) -> dict[str, Tensor]:
        """Modality -> mean log-power of each row (B, bins), not standardised: the head does so."""
        return {m: self._image(m).log_power(x).mean(dim=2) for m, x in observed.items()}

    def fuse(self, encoded: Mapping[str, Tensor]) -> Tensor:
        """(B, bins per observed modality)."""
        return torch.cat([encoded[m] for m in self.modalities if m in encoded], dim=1)

    def _image(self, m: str) -> SpectrogramImage:
        part = self.images[m]
        assert isinstance(part, SpectrogramImage)
        return part
