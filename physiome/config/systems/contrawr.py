"""Settings of ContraWR."""

from typing import Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from physiome.config.model import Probability, Ratio
from physiome.config.systems.base import SystemSpec

Band = tuple[PositiveFloat, PositiveFloat]  # from, to in Hz


class ContraWRSpec(SystemSpec):
    """ContraWR: a convolutional encoder of complex spectrograms, one model per subset."""

    n_fft: PositiveInt = 256
    hop: PositiveInt = 64
    channels: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (6, 8, 16, 32)
    dropout: Probability = 0.5
    projection: PositiveInt = 128
    temperature: PositiveFloat = 0.3
    sigma: PositiveFloat = 2.0
    margin: NonNegativeFloat = 0.2
    momentum: Ratio = 0.9995
    low_hz: Band = (1.0, 5.0)  # of the band-pass augmentation
    high_hz: Band = (30.0, 49.0)
    bands_hz: dict[str, tuple[Band, Band]] = Field(default_factory=dict)  # of single modalities
    # Modalities whose level and slow change count, such as pressures: the band-pass leaves their
    # mean, and their images are standardised per frequency.
    slow: tuple[str, ...] = ()
    noise: NonNegativeFloat = 0.05  # amplitude, as a share of a channel's range

    @model_validator(mode="after")
    def _bands_rise(self) -> Self:
        own = [band for pair in self.bands_hz.values() for band in pair]
        for low, high in (self.low_hz, self.high_hz, *own):
            if low >= high:
                raise ValueError(f"a band from {low} Hz to {high} Hz is empty")
        return self
