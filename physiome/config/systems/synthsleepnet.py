"""Settings of SynthSleepNet."""

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

from physiome.config.model import Lora, Ratio, Transformers
from physiome.config.systems.base import SystemSpec


class SynthSleepNetSpec(Transformers, SystemSpec):
    """SynthSleepNet: PhysioME's ancestor, one model per subset, without restoration."""

    mask_ratio: Ratio = 0.4
    temperature: PositiveFloat = 0.1
    normalise_pooled: bool = False  # its own code does not
    lora: Lora = Lora()
    weights: dict[Literal["intra", "contrast"], NonNegativeFloat] = Field(
        default={"intra": 1.0, "contrast": 1.0}
    )
