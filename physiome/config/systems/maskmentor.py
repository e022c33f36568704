"""Settings of MaskMentor."""

from typing import Annotated

from pydantic import Field, NonNegativeFloat, PositiveInt

from physiome.config.model import Probability
from physiome.config.systems.multimae import MultiMAESpec


class MaskMentorSpec(MultiMAESpec):
    """MaskMentor: the MultiMAE network as its own teacher on complete input."""

    warmup: Probability = 0.2  # share of the epochs with masked-modality image modelling only
    teacher_updates: PositiveInt = 3  # per student update
    mask_modality: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.5
    token_weight: NonNegativeFloat = 1.0
