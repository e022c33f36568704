"""CBraMod fusion: one criss-cross transformer per modality, joined by concatenation.

Encoder and masked-patch pretraining follow CBraMod (Wang et al., ICLR 2025, published code). The
fusion follows a later work that joins a CBraMod for EEG with an alike encoder for ECG, of which
only the abstract is known: its "dual masking" within and between leads is ours, and since every
modality here is one lead, "between" becomes a contiguous span. All encoders are trained from
scratch on the pretrain subset: this compares an architecture, not the published foundation model.
The published input unit of 100 uV suits EEG only; a scaling per modality stands in its place. Not
reproduced: the published layers are copies of one, so that their queries, keys and values start
equal; here every layer draws its own.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from physiome.config.systems.cbramod import CBraModSpec
from physiome.errors import ConfigError
from physiome.methods.base import Inputs, Method, Signals
from physiome.nn.cbramod import CrissCross, CrissCrossEncoder
from physiome.nn.losses import masked_mse
from physiome.nn.resample import Upsample
from physiome.nn.scaling import Scaling


class CBraModFusion(Method):
    """One encoder per modality, trained on its own masked patches.

    Raises:
        ConfigError: if the rate is no whole multiple of the window's, or patches do not fill it.
    """

    comparable = False  # the embedding grows with the number of observed modalities

    def __init__(self, spec: CBraModSpec, inputs: Inputs):
        super().__init__(inputs.modalities, {"masked": 1.0})
        factor = spec.rate_hz / inputs.window.rate_hz
        if factor != int(factor):
            raise ConfigError(
                f"cbramod.rate_hz {spec.rate_hz} is no whole multiple of the signals' rate",
                do=f"use a multiple of {inputs.window.rate_hz}",
            )
        if inputs.window.samples * int(factor) % spec.patch:
            raise ConfigError(
                f"cbramod.patch of {spec.patch} samples at {spec.rate_hz} Hz does not divide a "
                f"window of {inputs.window.length_s} s",
                do="choose another patch",
            )
        self.spec = spec
        self.upsample = Upsample(int(factor))
        self.scalings = nn.ModuleDict({m: Scaling() for m in inputs.modalities})
        self.encoders = nn.ModuleDict({m: CrissCrossEncoder(spec) for m in inputs.modalities})
        self.outputs = nn.ModuleDict(
            {m: nn.Linear(spec.width, spec.patch) for m in inputs.modalities}
        )
        _initialise(self)

    @classmethod
    def build(cls, spec: CBraModSpec, inputs: Inputs, parents: Sequence[Any]) -> Self:
        """Freshly initialised, from the section `method`."""
        return cls(spec, inputs)

    def set_scaling(self, constants: Mapping[str, tuple[float, float]]) -> None:
        """Scale the raw signals by these constants before upsampling."""
        for m, (offset, scale) in constants.items():
            scaling = self.scalings[m]
            assert isinstance(scaling, Scaling)
            scaling.set(offset, scale)

    def patches(self, m: str, x: Tensor) -> Tensor:
        """Scaled and upsampled patches of modality m: (B, L) -> (B, T, P)."""
        return self.upsample(self.scalings[m](x)).unflatten(1, (-1, self.spec.patch))

    def loss(self, batch: Signals, rng: torch.Generator) -> dict[str, Tensor]:
        """Term masked: squared error of the masked raw patches, averaged over modalities present.

        One draw per step decides for the whole batch whether single patches or spans are masked.
        """
        spans = torch.rand(1, generator=rng, device=rng.device) < self.spec.span
        errors = []
        for m in (m for m in self.modalities if m in batch):
            patches = self.patches(m, batch[m])
            rows, n, _ = patches.shape
            mask = torch.where(
                spans,
                span_mask(rows, n, self.spec.mask_ratio, rng),
                patch_mask(rows, n, self.spec.mask_ratio, rng),
            )
            visible = patches.masked_fill(mask[:, :, None], 0.0)
            predicted = self.outputs[m](self.encoders[m](visible))
            errors.append(masked_mse(predicted, patches, mask))
        return {"masked": torch.stack(errors).mean()}

    def encode(self, observed: Signals) -> dict[str, Tensor]:
        """Modality -> mean over patches of its features (B, D)."""
        return {m: self.encoders[m](self.patches(m, x)).mean(dim=1) for m, x in observed.items()}

    def fuse(self, encoded: Mapping[str, Tensor]) -> Tensor:
        """Concatenation of the observed ones in the modalities' order: (B, D x their number)."""
        return torch.cat([encoded[m] for m in self.modalities if m in encoded], dim=1)


def patch_mask(batch: int, n: int, ratio: float, rng: torch.Generator) -> Tensor:
    """Each patch masked on its own with probability `ratio`, (batch, n) bool.

    The lowest draw of a row is masked in any case, so that every row has something to predict.
    """
    noise = torch.rand(batch, n, generator=rng, device=rng.device)
    return (noise < ratio) | (noise == noise.amin(dim=1, keepdim=True))


def span_mask(batch: int, n: int, ratio: float, rng: torch.Generator) -> Tensor:
    """One contiguous span of `ratio` of the patches, anywhere in each row, (batch, n) bool."""
    length = max(1, round(n * ratio))
    start = torch.randint(n - length + 1, (batch, 1), generator=rng, device=rng.device)
    place = torch.arange(n, device=rng.device)
    return (place >= start) & (place < start + length)


def _initialise(module: nn.Module) -> None:
    """Linear weights as in the published code: He-normal by fan-out, but for attention's inputs.

    Those are torch's own there, as one Xavier-uniform matrix of queries, keys and values, and
    attention's biases are zero.
    """
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
    for part in module.modules():
        if isinstance(part, CrissCross):
            part.initialise_inputs()
