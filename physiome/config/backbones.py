"""Settings of the image backbones of Table 3, in the terms of `transformers`."""

from pydantic import PositiveFloat, PositiveInt

from physiome.config.image import Image
from physiome.config.model import CommonEncoderSpec


class BackboneSpec(CommonEncoderSpec):
    """What all of them have: the image they see."""

    image: Image = Image()


class ResNetSpec(BackboneSpec):
    """ResNet with basic blocks."""

    stem: PositiveInt = 64
    widths: tuple[PositiveInt, ...] = (64, 128, 256, 512)
    depths: tuple[PositiveInt, ...] = (2, 2, 2, 2)


class EfficientNetSpec(BackboneSpec):
    """EfficientNet, as a multiple of B0."""

    width_factor: PositiveFloat = 1.0
    depth_factor: PositiveFloat = 1.0


class ViTSpec(BackboneSpec):
    """Vision transformer."""

    patch: PositiveInt = 16
    hidden: PositiveInt = 384
    layers: PositiveInt = 12
    attention_heads: PositiveInt = 6


class SwinSpec(BackboneSpec):
    """Swin transformer."""

    patch: PositiveInt = 4
    hidden: PositiveInt = 96  # of the first stage
    depths: tuple[PositiveInt, ...] = (2, 2, 6, 2)
    attention_heads: tuple[PositiveInt, ...] = (3, 6, 12, 24)
    window: PositiveInt = 3
