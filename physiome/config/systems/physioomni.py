"""Settings of PhysioOmni."""

from typing import ClassVar, Literal, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from physiome.config.model import Probability, Ratio
from physiome.config.systems.base import SystemSpec


class PhysioOmniSpec(SystemSpec):
    """PhysioOmni: private and shared codes per modality, masked code modelling, prototypes."""

    later: ClassVar = {
        "physioomni": frozenset({"mask_ratio", "mask_ratios", "embedding"}),
        "physioomni_tuned": frozenset(
            {"positions", "smoothing", "aligned_width", "aligned_heads", "aligned_dropout"}
        ),
    }

    patch_s: PositiveFloat = 1.0
    stem: PositiveInt = 8  # channels of the temporal convolutions
    kernel: PositiveInt = 15
    stride: PositiveInt = 8
    width: PositiveInt = 200
    depth: PositiveInt = 12
    heads: PositiveInt = 10
    decoder_depth: PositiveInt = 3
    codes: PositiveInt = 2048
    code_width: PositiveInt = 64
    code_decay: Ratio = 0.99
    commitment: NonNegativeFloat = 1.0
    orthogonality: NonNegativeFloat = 0.1
    spectral: tuple[str, ...] = ()  # modalities rebuilt as spectra; the others as waveforms
    mask_ratio: Ratio = 0.5
    mask_ratios: dict[str, Ratio] = Field(default_factory=dict)  # of single modalities
    positions: PositiveInt = 128  # stage 3: soft token positions
    smoothing: Probability = 0.1  # stage 3: of labels
    aligned_width: PositiveInt = 128  # stage 3: of the aligned features
    aligned_heads: PositiveInt = 8
    embedding: Literal["concatenated", "mean"] = "concatenated"  # of stages 1 and 2
    aligned_dropout: Probability = 0.5  # in front of the assignment to positions

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        for width, heads in (
            (self.width, self.heads),
            (self.aligned_width, self.aligned_heads),
        ):
            if width % heads:
                raise ValueError(f"width {width} cannot be split over {heads} heads")
        return self
