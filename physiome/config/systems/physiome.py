"""Settings of PhysioME."""

from typing import Literal, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from physiome.config.model import Lora, Ratio, Transformers, require_heads_divide
from physiome.config.systems.base import SystemSpec


class PhysioMESpec(Transformers, SystemSpec):
    """PhysioME: multimodal encoder, modality decoders and restoration decoders."""

    restore_width: PositiveInt = 512
    restore_depth: PositiveInt = 8
    restore_heads: PositiveInt = 8
    mask_ratio: Ratio = 0.4
    temperature: PositiveFloat = 0.1
    normalise_pooled: bool = True  # pooled tokens have length 1 in front of the projection heads
    drop_groups: PositiveInt = 3  # parts of a batch, each of which drops modalities of its own
    lora: Lora = Lora()
    embedding: Literal["mean", "per_modality"] = "mean"  # per_modality: side by side
    # Beside it, the level and spread of each observed signal: a contrast between windows has no use
    # for an absolute pressure, and encoders lose it as they learn.
    levels: bool = False
    restoration: Literal["decoder", "masked", "memory"] = "decoder"
    restoration_gradient: bool = False
    # What restoration decoders learn from: the pass that serves all losses, of sampled tokens, or
    # one of their own of complete tokens, as at inference.
    restore_from: Literal["sampled", "complete"] = "sampled"
    # The windows they learn from: all that lack what is dropped, or those alone that really carry
    # every modality.
    restore_windows: Literal["all", "complete"] = "all"
    # Tell every token whether its modality is observed, dropped in training or truly absent.
    presence: bool = False
    # Faults of the public code, for the row "as published": fresh weights for the pretrained
    # encoders; no gradient through encoder outputs, embedding MLPs and decoders.
    defects: tuple[Literal["reinitialise", "detach"], ...] = ()
    weights: dict[Literal["intra", "missing", "contrast"], NonNegativeFloat] = Field(
        default={"intra": 1.0, "missing": 1.0, "contrast": 1.0}
    )

    @model_validator(mode="after")
    def _restorers_heads_divide(self) -> Self:
        require_heads_divide(self.restore_width, self.restore_heads, "restoration decoder")
        return self
