"""Settings of CroSSL."""

from typing import ClassVar, Literal

from pydantic import NonNegativeFloat, PositiveInt

from physiome.config.model import Ratio
from physiome.config.systems.base import SystemSpec


class CroSSLSpec(SystemSpec):
    """CroSSL: latent masking of modality encoders under VICReg."""

    read_out: ClassVar[frozenset[str]] = frozenset({"embedding"})

    channels: tuple[PositiveInt, PositiveInt, PositiveInt] = (24, 48, 96)
    kernels: tuple[PositiveInt, PositiveInt, PositiveInt] = (24, 16, 8)
    keep: Ratio = 0.9  # probability that a modality's latent survives in a view
    hidden: tuple[PositiveInt, PositiveInt] = (64, 32)
    width: PositiveInt = 32
    invariance: NonNegativeFloat = 10.0
    variance: NonNegativeFloat = 10.0
    covariance: NonNegativeFloat = 100.0
    kernel_decay: NonNegativeFloat = 1.0e-4  # L2 on convolution kernels
    embedding: Literal["aggregated", "latents"] = "aggregated"
