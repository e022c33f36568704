"""Settings of MultiMAE."""

from typing import ClassVar, Literal, Self

from pydantic import PositiveInt, model_validator

from physiome.config.image import Image
from physiome.config.systems.base import SystemSpec


class MultiMAESpec(SystemSpec):
    """MultiMAE: masked patches of all modalities' images, rebuilt from a small visible set."""

    read_out: ClassVar[frozenset[str]] = frozenset({"embedding"})

    image: Image = Image()
    patch: PositiveInt = 8
    visible: PositiveInt = 96  # patches of all modalities together
    width: PositiveInt = 384
    depth: PositiveInt = 12
    heads: PositiveInt = 6
    decoder_width: PositiveInt = 256
    decoder_depth: PositiveInt = 2  # self-attention blocks behind the cross-attention
    decoder_heads: PositiveInt = 8
    embedding: Literal["rows", "mean"] = "rows"  # mean over time alone, or over all patches

    @model_validator(mode="after")
    def _patches_tile(self) -> Self:
        for side in (self.image.bins, self.image.frames):
            if side % self.patch:
                raise ValueError(f"patch {self.patch} does not divide the image side {side}")
        if self.width % self.heads or self.decoder_width % self.decoder_heads:
            raise ValueError("a width cannot be split evenly over its heads")
        if self.width % 4 or self.decoder_width % 4:
            raise ValueError("two-dimensional positions need widths that are multiples of 4")
        return self
