"""What methods that see spectrogram images have in common: one image per modality."""

from collections.abc import Mapping

from torch import Tensor, nn

from physiome.config.image import Image
from physiome.methods.base import Inputs, Method, Signals
from physiome.nn.spectrogram import SpectrogramImage


class ImageMethod(Method):
    """A method whose modalities are images (B, bins, frames), standardised on pretrain windows."""

    calibrated = True

    def __init__(
        self, inputs: Inputs, image: Image, weights: Mapping[str, float] | None = None
    ) -> None:
        super().__init__(inputs.modalities, weights)
        self.images = nn.ModuleDict(
            {m: SpectrogramImage(image, inputs.window.samples) for m in inputs.modalities}
        )

    def set_scaling(self, constants: Mapping[str, tuple[float, float]]) -> None:
        """Only the scale: see `SpectrogramImage`."""
        for m, (_, scale) in constants.items():
            self._image_of(m).scale.fill_(scale)

    def calibrate(self, sample: Signals) -> None:
        """Mean and spread of every modality's frequency bins."""
        for m, x in sample.items():
            self._image_of(m).calibrate(x)

    def image(self, observed: Signals) -> dict[str, Tensor]:
        """Modality -> image (B, bins, frames), in the modalities' order."""
        return {m: self.images[m](observed[m]) for m in self.modalities if m in observed}

    def _image_of(self, m: str) -> SpectrogramImage:
        part = self.images[m]
        assert isinstance(part, SpectrogramImage)
        return part
