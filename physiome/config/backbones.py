"""Settings of the image backbones of Table 3, in the terms of `transformers`."""

from typing import Annotated, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from physiome.config.image import Image
from physiome.config.model import CommonEncoderSpec

Stages = Annotated[tuple[PositiveInt, ...], Field(min_length=1)]  # a number for each


class BackboneSpec(CommonEncoderSpec):
    """What all of them have: the image they see."""

    image: Image = Image()


class ResNetSpec(BackboneSpec):
    """ResNet with basic blocks."""

    stem: PositiveInt = 64
    widths: Stages = (64, 128, 256, 512)
    depths: Stages = (2, 2, 2, 2)

    @model_validator(mode="after")
    def _as_many_stages(self) -> Self:
        _require_as_many("widths", self.widths, self.depths)
        return self


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

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        _require_heads(self.hidden, self.attention_heads)
        return self


class SwinSpec(BackboneSpec):
    """Swin transformer."""

    patch: PositiveInt = 4
    hidden: PositiveInt = 96  # of the first stage
    depths: Stages = (2, 2, 6, 2)
    attention_heads: Stages = (3, 6, 12, 24)
    window: PositiveInt = 3

    @model_validator(mode="after")
    def _stages_fit(self) -> Self:
        _require_as_many("attention_heads", self.attention_heads, self.depths)
        for stage, heads in enumerate(self.attention_heads):
            _require_heads(self.hidden * 2**stage, heads)
        return self


def _require_as_many(name: str, found: tuple[int, ...], depths: tuple[int, ...]) -> None:
    if len(found) != len(depths):
        raise ValueError(f"{name} are of {len(found)} stages, depths of {len(depths)}")


def _require_heads(width: int, heads: int) -> None:
    if width % heads:
        raise ValueError(f"width {width} cannot be split evenly over {heads} attention_heads")
