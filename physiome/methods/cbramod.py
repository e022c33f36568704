"""CBraMod fusion: one criss-cross transformer per modality, joined by concatenation.

Encoder and masked-patch pretraining follow CBraMod (Wang et al., ICLR 2025, published code). The
fusion follows a later work that joins a CBraMod for EEG with an alike encoder for ECG, of which
only the abstract is known: its "dual masking" within and between leads is ours. A modality of
several leads has the published network over (lead, patch), and a share of the steps masks whole
leads; in one of a single channel "between" becomes a contiguous span. Encoders are trained
from scratch on the pretrain subset, which compares an architecture and not the published foundation
model, unless `published` names the file of its weights.
The published input unit of 100 uV suits EEG only; a scaling per modality stands in its place. Not
reproduced: the published layers are copies of one, so that their queries, keys and values start
equal; here every layer draws its own.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from physiome.config.systems.cbramod import CBraModSpec
from physiome.errors import ConfigError, PhysioError
from physiome.methods.base import Inputs, Method, Signals
from physiome.nn.cbramod import CrissCross, CrissCrossEncoder
from physiome.nn.cbramod_leads import LeadCrissCross, LeadEncoder
from physiome.nn.cbramod_published import SCALE_UV, read_published, take_published
from physiome.nn.draws import send, uniform
from physiome.nn.leads import known_means, there
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
        self.encoders = nn.ModuleDict(
            {
                m: LeadEncoder(spec) if m in inputs.leads else CrissCrossEncoder(spec)
                for m in inputs.modalities
            }
        )
        self.outputs = nn.ModuleDict(
            {m: nn.Linear(spec.width, spec.patch) for m in inputs.modalities}
        )
        _initialise(self)
        for m in spec.frozen:
            self.encoders[m].requires_grad_(False)
            self.outputs[m].requires_grad_(False)

    @classmethod
    def build(cls, spec: CBraModSpec, inputs: Inputs, parents: Sequence[Any]) -> Self:
        """Freshly initialised, from the section `method`."""
        return cls(spec, inputs)

    def set_scaling(self, constants: Mapping[str, tuple[float, float]]) -> None:
        """Scale the raw signals by these constants before upsampling."""
        for m, (offset, scale) in constants.items():
            scaling = self.scalings[m]
            assert isinstance(scaling, Scaling)
            if m in self.spec.published:  # what those weights were trained on
                scaling.set(0.0, SCALE_UV)
            else:
                scaling.set(offset, scale)

    def begin(self) -> None:
        """Take the published weights that the settings name."""
        for m, path in self.spec.published.items():
            encoder, output = self.encoders[m], self.outputs[m]
            assert isinstance(encoder, LeadEncoder | CrissCrossEncoder)
            assert isinstance(output, nn.Linear)
            take_published(read_published(path, self.spec), encoder, output)

    def learns_from(self, modalities: Sequence[str]) -> bool:
        """Not from windows of which every modality has a frozen encoder."""
        return not set(modalities) <= set(self.spec.frozen)

    def patches(self, m: str, x: Tensor) -> Tensor:
        """Scaled and upsampled patches of modality m: (B, L) -> (B, T, P), or (B, C, T, P)."""
        rows = self.upsample(self.scalings[m](x).flatten(0, -2))
        return rows.unflatten(1, (-1, self.spec.patch)).unflatten(0, x.shape[:-1])

    def loss(self, batch: Signals, rng: torch.Generator) -> dict[str, Tensor]:
        """Term masked: squared error of the masked raw patches, averaged over modalities present.

        One draw per step decides for the whole batch whether single patches are masked, or whole
        leads (of a single channel: spans). 0 where only frozen encoders have something to see.

        Raises:
            PhysioError: every encoder is frozen.
        """
        between = bool(torch.rand(1, generator=rng) < self.spec.between)
        errors = []
        if not self.learns_from(self.modalities):
            raise PhysioError(
                "nothing to train: every encoder is frozen",
                do="leave one out of cbramod.frozen, or set its train.epochs to 0",
            )
        if not self.learns_from(list(batch)):
            return {"masked": torch.zeros((), device=self.device)}
        for m in (m for m in self.modalities if m in batch and m not in self.spec.frozen):
            patches = self.patches(m, batch[m])
            of_leads = patches.ndim == 4
            error = self._error_of_leads if of_leads else self._error
            errors.append(error(m, patches, between, rng))
        return {"masked": torch.stack(errors).mean()}

    def _error(self, m: str, patches: Tensor, between: bool, rng: torch.Generator) -> Tensor:
        """Of a single channel, (B, T, P)."""
        rows, n, _ = patches.shape
        # Both are drawn, so that what comes next does not depend on which is taken.
        span = span_mask(rows, n, self.spec.mask_ratio, rng)
        single = patch_mask(rows, n, self.spec.mask_ratio, rng)
        mask = send(span if between else single, patches.device)
        visible = patches.masked_fill(mask[:, :, None], 0.0)
        return masked_mse(self.outputs[m](self.encoders[m](visible)), patches, mask)

    def _error_of_leads(
        self, m: str, patches: Tensor, between: bool, rng: torch.Generator
    ) -> Tensor:
        """Of several leads, (B, C, T, P), over those that are there."""
        seen, (rows, leads, n) = there(patches.flatten(2)), patches.shape[:3]
        patches = patches.masked_fill(~seen[:, :, None, None], 0.0)
        single = patch_mask(rows * leads, n, self.spec.mask_ratio, rng).view(rows, leads, n)
        whole = lead_mask(seen, n, self.spec.mask_ratio, rng)
        mask = (whole if between else send(single, seen.device)) & seen[:, :, None]
        visible = patches.masked_fill(mask[..., None], 0.0)
        predicted = self.outputs[m](self.encoders[m](visible, seen))
        return masked_mse(predicted.flatten(1, 2), patches.flatten(1, 2), mask.flatten(1))

    def encode(self, observed: Signals) -> dict[str, Tensor]:
        """Modality -> mean over patches, and the leads there are, of its features (B, D)."""
        return {m: self._mean(m, self.patches(m, x)) for m, x in observed.items()}

    def _mean(self, m: str, patches: Tensor) -> Tensor:
        if patches.ndim == 3:
            return self.encoders[m](patches).mean(dim=1)
        seen = there(patches.flatten(2))
        return known_means(self.encoders[m](patches, seen), seen).mean(dim=1)

    def fuse(self, encoded: Mapping[str, Tensor]) -> Tensor:
        """Concatenation of the observed ones in the modalities' order: (B, D x their number)."""
        return torch.cat([encoded[m] for m in self.modalities if m in encoded], dim=1)


def patch_mask(batch: int, n: int, ratio: float, rng: torch.Generator) -> Tensor:
    """Each patch masked on its own with probability `ratio`, (batch, n) bool.

    The lowest draw of a row is masked in any case, so that every row has something to predict.
    """
    noise = torch.rand(batch, n, generator=rng)
    return (noise < ratio) | (noise == noise.amin(dim=1, keepdim=True))


def span_mask(batch: int, n: int, ratio: float, rng: torch.Generator) -> Tensor:
    """One contiguous span of `ratio` of the patches, anywhere in each row, (batch, n) bool."""
    length = max(1, round(n * ratio))
    start = torch.randint(n - length + 1, (batch, 1), generator=rng)
    place = torch.arange(n)
    return (place >= start) & (place < start + length)


def lead_mask(seen: Tensor, n: int, ratio: float, rng: torch.Generator) -> Tensor:
    """Whole leads, `ratio` of those that are there in each row: (B, C, n) bool.

    At least one is masked and one is left; of a row's only lead a span is masked instead.

    Args:
        seen: (B, C), the leads that are there.
    """
    noise = uniform((seen.shape[0], seen.shape[1]), rng, seen.device).masked_fill(~seen, 2.0)
    count = seen.sum(dim=1, keepdim=True)
    masked = (count * ratio).round().clamp(min=1).minimum(count - 1)
    chosen = noise.argsort(dim=1).argsort(dim=1) < masked  # (B, C); none of a single lead
    span = span_mask(len(seen), n, ratio, rng)
    span = send(span, seen.device)[:, None] & (count == 1)[..., None]
    return (chosen[..., None] | span) & seen[..., None]


def _initialise(module: nn.Module) -> None:
    """Linear weights as in the published code: He-normal by fan-out, but for attention's inputs.

    Those are torch's own there, as one Xavier-uniform matrix of queries, keys and values, and
    attention's biases are zero.
    """
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
    for part in module.modules():
        if isinstance(part, CrissCross | LeadCrissCross):
            part.initialise_inputs()
