"""The spectrogram image that the systems born in vision see."""

from pydantic import PositiveInt

from physiome.config.base import Spec


class Image(Spec):
    """Log-power of a short-time Fourier transform; the hop follows from the window's length."""

    n_fft: PositiveInt = 256
    bins: PositiveInt = 96  # lowest frequency bins that are kept
    frames: PositiveInt = 128
