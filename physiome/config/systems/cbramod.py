"""Settings of CBraMod."""

from typing import ClassVar, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from physiome.config.model import Probability, Ratio
from physiome.config.systems.base import SystemSpec


class CBraModSpec(SystemSpec):
    """CBraMod: criss-cross transformers over patches, one per modality, fused by concatenation."""

    later: ClassVar = {"cbramod_tuned": frozenset({"dropout"})}

    rate_hz: PositiveFloat = 200.0
    patch: PositiveInt = 200  # samples at rate_hz
    channels: PositiveInt = 25  # of the patch's convolutions
    kernel: PositiveInt = 49
    stride: PositiveInt = 25
    groups: PositiveInt = 5
    depth: PositiveInt = 12
    heads: PositiveInt = 8  # half over channels, half over time
    feed_forward: PositiveInt = 800
    dropout: Probability = 0.1
    mask_ratio: Ratio = 0.5
    # Share of the steps that mask whole leads, of a single channel a contiguous span, instead of
    # single patches: 0 masks within leads only, 1 between leads only
    between: Probability = 0.5
    # Modality -> file of weights that CBraMod's authors published, which its training begins with
    published: dict[str, str] = Field(default_factory=dict)
    frozen: tuple[str, ...] = ()  # modalities of `published` whose encoders are not trained further

    @property
    def width(self) -> int:
        """Features of a patch."""
        return self.channels * ((self.patch - 1) // self.stride + 1)

    @model_validator(mode="after")
    def _only_published_weights_are_frozen(self) -> Self:
        foreign = sorted(set(self.frozen) - set(self.published))
        if foreign:
            raise ValueError(f"frozen: {foreign[0]!r} has no published weights")
        return self

    @model_validator(mode="after")
    def _widths_agree(self) -> Self:
        if self.width != self.patch:
            raise ValueError(f"channels x positions = {self.width}, but a patch has {self.patch}")
        if self.heads % 2 or self.width % self.heads or self.channels % self.groups:
            raise ValueError("heads must be even and divide the width; groups divide channels")
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel {self.kernel} is even: it has no middle")
        return self
