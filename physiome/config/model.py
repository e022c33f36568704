"""Architectures: modality encoders, and what encoders and fusions have alike."""

from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from physiome.config.base import Spec

Ratio = Annotated[float, Field(gt=0.0, lt=1.0)]
Probability = Annotated[float, Field(ge=0.0, le=1.0)]


def require_heads_divide(width: int, heads: int, name: str) -> None:
    """Refuse a width that its heads, or sines and cosines of positions, cannot share."""
    if width % heads:
        raise ValueError(f"{name}: width {width} cannot be split evenly over {heads} heads")
    if width % 2:
        raise ValueError(f"{name}: width {width} is odd; positions need sines and cosines")


class Augment(Spec):
    """The two views of DP-NeuroNet; each view is changed with this probability, once per batch."""

    probability: Probability = 0.9
    crop: Literal["stretch", "tile"] = "stretch"  # a crop is stretched to full length, or repeated
    segments: PositiveInt = 5  # pieces that the second view permutes


class Transformers(Spec):
    """What encoder and fusion have alike: a wide encoder, narrower decoders, projection heads."""

    width: PositiveInt = 512
    depth: PositiveInt = 6
    heads: PositiveInt = 8
    decoder_width: PositiveInt = 256
    decoder_depth: PositiveInt = 4
    decoder_heads: PositiveInt = 8
    projection: tuple[PositiveInt, PositiveInt] = (1024, 512)

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        require_heads_divide(self.width, self.heads, "encoder")
        require_heads_divide(self.decoder_width, self.decoder_heads, "decoder")
        return self


class CommonEncoderSpec(Spec):
    """What every modality encoder has: its tokens' width, and a contrast between two views."""

    name: str = "dp_neuronet"  # of the registry
    width: PositiveInt = 512
    projection: tuple[PositiveInt, PositiveInt] = (1024, 512)
    temperature: PositiveFloat = 0.1
    augment: Augment = Augment()
    weights: dict[Literal["masked", "within", "across"], NonNegativeFloat] = Field(
        default={"masked": 1.0, "within": 1.0, "across": 1.0}
    )


class EncoderSpec(Transformers, CommonEncoderSpec):
    """NeuroNet and DP-NeuroNet: frame network, masked autoencoder and projection head."""

    frame_s: PositiveFloat
    step_s: PositiveFloat
    channels: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (48, 48, 64, 64)
    mask_ratio: Ratio = 0.8
    detach_target: bool = False
    # Frames of a modality's several leads: all alike, or weighed by what they hold
    leads: Literal["mean", "attention"] = "mean"

    @model_validator(mode="after")
    def _frames_overlap(self) -> Self:
        if self.step_s > self.frame_s:
            raise ValueError(f"step_s {self.step_s} is longer than frame_s {self.frame_s}")
        return self

    def in_samples(self, rate_hz: float) -> tuple[int, int]:
        """Frame and step, to the next sample."""
        return round(self.frame_s * rate_hz), max(1, round(self.step_s * rate_hz))

    def frames(self, samples: int, rate_hz: float) -> int:
        """Number of whole frames in a window of so many samples."""
        frame, step = self.in_samples(rate_hz)
        return (samples - frame) // step + 1


class Lora(Spec):
    """Low-rank adaptation of the attention outputs, rank-stabilised: factor alpha / sqrt(rank)."""

    rank: PositiveInt = 4
    alpha: PositiveInt = 16
    dropout: Probability = 0.05
