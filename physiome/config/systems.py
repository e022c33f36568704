"""Settings of the systems that PhysioME is compared with.

Each also has a `train` part: what differs from the common `train` section.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from physiome.config.base import Spec
from physiome.config.image import Image
from physiome.config.model import Lora, Probability, Ratio, Transformers

Band = tuple[NonNegativeFloat, PositiveFloat]  # from, to in Hz


class SystemSpec(Spec):
    """What all comparison systems have in common."""

    train: dict[str, Any] = Field(default_factory=dict)  # changes to the `train` section


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
    noise: NonNegativeFloat = 0.05  # amplitude, as a share of a channel's range


class SynthSleepNetSpec(Transformers, SystemSpec):
    """SynthSleepNet: PhysioME's ancestor, one model per subset, without restoration."""

    mask_ratio: Ratio = 0.4
    temperature: PositiveFloat = 0.1
    lora: Lora = Lora()
    weights: dict[Literal["intra", "contrast"], NonNegativeFloat] = Field(
        default={"intra": 1.0, "contrast": 1.0}
    )


class MultiMAESpec(SystemSpec):
    """MultiMAE: masked patches of all modalities' images, rebuilt from a small visible set."""

    image: Image = Image()
    patch: PositiveInt = 8
    visible: PositiveInt = 96  # patches of all modalities together
    width: PositiveInt = 384
    depth: PositiveInt = 12
    heads: PositiveInt = 6
    decoder_width: PositiveInt = 256
    decoder_depth: PositiveInt = 2  # self-attention blocks behind the cross-attention
    decoder_heads: PositiveInt = 8

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


class MaskMentorSpec(MultiMAESpec):
    """MaskMentor: the MultiMAE network as its own teacher on complete input."""

    warmup: Probability = 0.2  # share of the epochs with masked-modality image modelling only
    teacher_updates: PositiveInt = 3  # per student update
    mask_modality: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.5
    token_weight: NonNegativeFloat = 1.0


class RobustSsFSpec(SystemSpec):
    """RobustSsF: separate encoders, scenario-specific fusion decoders, coupled regularisation."""

    image: Image = Image()
    widths: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (16, 32, 64, 128)
    slope: NonNegativeFloat = 0.2  # of the leaky ReLU
    coupling: NonNegativeFloat = 0.01  # weight of the coupled regularisation
    separate_until: Probability = 0.067  # of the epochs: separate reconstruction only
    full_until: Probability = 0.2  # of the epochs: no modality is missing
    full_share: Probability = 0.2  # afterwards, of the first steps of an epoch


class CroSSLSpec(SystemSpec):
    """CroSSL: latent masking of modality encoders under VICReg."""

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


class CBraModSpec(SystemSpec):
    """CBraMod: criss-cross transformers over patches, one per modality, fused by concatenation."""

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
    span: Probability = 0.5  # chance that a contiguous span is masked instead of single patches

    @property
    def width(self) -> int:
        """Features of a patch."""
        return self.channels * ((self.patch - 1) // self.stride + 1)

    @model_validator(mode="after")
    def _widths_agree(self) -> Self:
        if self.width != self.patch:
            raise ValueError(f"channels x positions = {self.width}, but a patch has {self.patch}")
        if self.heads % 2 or self.width % self.heads or self.channels % self.groups:
            raise ValueError("heads must be even and divide the width; groups divide channels")
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel {self.kernel} is even: it has no middle")
        return self


class PhysioOmniSpec(SystemSpec):
    """PhysioOmni: private and shared codes per modality, masked code modelling, prototypes."""

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


class RandomSpec(SystemSpec):
    """The untrained control."""

    train: dict[str, Any] = Field(default={"epochs": 0})


SYSTEMS: dict[str, type[SystemSpec]] = {
    "contrawr": ContraWRSpec,
    "synthsleepnet": SynthSleepNetSpec,
    "multimae": MultiMAESpec,
    "maskmentor": MaskMentorSpec,
    "robustssf": RobustSsFSpec,
    "crossl": CroSSLSpec,
    "cbramod": CBraModSpec,
    "physiome": SystemSpec,  # its architecture has a section of its own
    "physioomni_tokenizer": SystemSpec,  # trained with settings of its own; else as physioomni
    "physioomni": PhysioOmniSpec,
    "physioomni_tuned": SystemSpec,
    "random": RandomSpec,
}
