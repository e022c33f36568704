"""The spectrogram image that the systems born in vision see, and the backbones of Table 3."""

from pydantic import PositiveInt

from physiome.config.base import Spec


class Image(Spec):
    """Log-power of a short-time Fourier transform; the hop follows from the window's length."""

    n_fft: PositiveInt = 256
    bins: PositiveInt = 96  # lowest frequency bins that are kept
    frames: PositiveInt = 128


class BackboneSpec(Spec):
    """Sizes of the image backbones, in the terms of their `transformers` configurations."""

    image: Image = Image()
    resnet_stem: PositiveInt = 64
    resnet_widths: tuple[PositiveInt, ...] = (64, 128, 256, 512)
    resnet_depths: tuple[PositiveInt, ...] = (2, 2, 2, 2)
    efficientnet_width: float = 1.0
    efficientnet_depth: float = 1.0
    vit_patch: PositiveInt = 16
    vit_width: PositiveInt = 384
    vit_depth: PositiveInt = 12
    vit_heads: PositiveInt = 6
    swin_patch: PositiveInt = 4
    swin_width: PositiveInt = 96
    swin_depths: tuple[PositiveInt, ...] = (2, 2, 6, 2)
    swin_heads: tuple[PositiveInt, ...] = (3, 6, 12, 24)
    swin_window: PositiveInt = 3
