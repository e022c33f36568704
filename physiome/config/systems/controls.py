"""Settings of the controls without weights."""

from physiome.config.image import Image
from physiome.config.systems.base import SystemSpec


class PresentPressureSpec(SystemSpec):
    """The mean of the window's own pressure."""

    modality: str = "abp"  # a data set without it has no such row


class ImageRowMeansSpec(SystemSpec):
    """The mean over time of the log spectrogram."""

    image: Image = Image()
