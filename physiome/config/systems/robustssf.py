"""Settings of RobustSsF."""

from typing import Self

from pydantic import NonNegativeFloat, PositiveInt, model_validator

from physiome.config.image import Image
from physiome.config.model import Probability
from physiome.config.systems.base import SystemSpec


class RobustSsFSpec(SystemSpec):
    """RobustSsF: separate encoders, scenario-specific fusion decoders, coupled regularisation."""

    image: Image = Image()
    widths: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (16, 32, 64, 128)
    slope: NonNegativeFloat = 0.2  # of the leaky ReLU
    coupling: NonNegativeFloat = 0.01  # weight of the coupled regularisation
    separate_until: Probability = 0.067  # of the epochs: separate reconstruction only
    full_until: Probability = 0.2  # of the epochs: no modality is missing
    full_share: Probability = 0.2  # afterwards, of the first steps of an epoch

    @model_validator(mode="after")
    def _coarsest_halves(self) -> Self:
        if self.widths[-1] % 2:  # a gated sum and a shortcut give half of a fusion each
            raise ValueError(f"widths: the last, {self.widths[-1]}, is odd: a fusion halves it")
        return self
