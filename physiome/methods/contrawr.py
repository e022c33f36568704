"""ContraWR: contrast with the "world", the batch's weighted average (Yang et al. 2021).

A small convolutional network sees the spectrogram's real and imaginary parts of all channels; one
model per subset of modalities. Sizes, loss, disturbances, the rectangular window and the order of
the images are those of the published code. Ours: signals are scaled by constants and bounded at 20
units about their centre (published: 250 uV), and the changes said in `nn/contrawr.py`.

Made for EEG, it cannot learn from a pressure: its band-pass takes the mean away, so that views of
one window disagree about it, and the mean outweighs everything else in the image. For modalities
that `slow` names, ours: the band-pass leaves the mean, and images are standardised per frequency.

Not reproduced: the plateau scheduler, which watches the loss
as if more were better.

The momentum copy is published so: parameters average, batch-norm and dropout are in training mode
(its batch-norms use the batch's own statistics, so that their buffers do not matter).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from physiome.config.systems.contrawr import ContraWRSpec
from physiome.config.window import Window
from physiome.errors import ConfigError
from physiome.methods.base import Inputs, Method, Signals
from physiome.methods.dedicated import OnePerSubset
from physiome.nn.contrawr import band_responses, disturb
from physiome.nn.leads import known_means, over_leads, there
from physiome.nn.losses import world_contrast
from physiome.nn.momentum import Momentum
from physiome.nn.precision import float32
from physiome.nn.scaling import Scaling
from physiome.nn.spectrogram import FLOOR, stft

POOLS = (False, True, True)  # whether a block ends with a 2 x 2 max-pool


class ConvBlock(nn.Module):
    """Two 3 x 3 convolutions, the first of stride 2, a strided 3 x 3 shortcut, pool, dropout."""

    compiles = True  # see nn/blocks.py

    def __init__(self, inputs: int, outputs: int, pool: bool, dropout: float):
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride=2, padding=1),
            nn.BatchNorm2d(outputs),
            nn.ELU(),
            nn.Conv2d(outputs, outputs, 3, padding=1),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.BatchNorm2d(outputs)
        )
        self.pool = nn.MaxPool2d(2) if pool else nn.Identity()
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H / 2, W / 2), or a quarter of each with a pool."""
        return self.dropout(self.pool(self.inner(x) + self.shortcut(x)))


class Network(nn.Module):
    """Images (B, 2 x channels, bins, frames) -> projected (B, projection).

    Raises:
        ConfigError: for images too small for the strides and pools.
    """

    def __init__(self, spec: ContraWRSpec, channels: int, samples: int):
        super().__init__()
        widths = spec.channels
        self.encoder = nn.Sequential(
            nn.Conv2d(2 * channels, widths[0], 3, padding=1),
            nn.BatchNorm2d(widths[0]),
            nn.ELU(),
            *(
                ConvBlock(i, o, pool, spec.dropout)
                for i, o, pool in zip(widths, widths[1:], POOLS, strict=False)
            ),
            nn.Flatten(),
        )
        sides = spec.n_fft // 2 + 1, (samples - spec.n_fft) // spec.hop + 1
        self.features = widths[-1] * _left(sides[0]) * _left(sides[1])
        if self.features <= 0:
            raise ConfigError(
                f"an image of {sides[0]} bins and {sides[1]} frames is too small for ContraWR",
                do="lower hop or raise n_fft",
            )
        self.projection = nn.Sequential(
            nn.Linear(self.features, spec.projection),
            nn.ReLU(),
            nn.Linear(spec.projection, spec.projection),
        )

    def forward(self, images: Tensor) -> Tensor:
        """(B, 2 x channels, bins, frames) -> (B, projection), not normalised."""
        return self.projection(self.encoder(images))


class Standard(nn.Module):
    """Images (B, 2, bins, frames) standardised per part and bin; as they are until `set`."""

    mean: Tensor
    sd: Tensor

    def __init__(self, bins: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(2, bins, 1))
        self.register_buffer("sd", torch.ones(2, bins, 1))

    def set(self, images: Tensor) -> None:
        """Take mean and standard deviation over images and time."""
        values = images.permute(1, 2, 0, 3).flatten(2).double()  # (2, bins, B frames)
        self.mean.copy_(values.mean(dim=2, keepdim=True))
        self.sd.copy_(values.std(dim=2, keepdim=True).clamp_min(1e-3))  # the edges' imaginary is 0

    def forward(self, images: Tensor) -> Tensor:
        """(B, 2, bins, frames), of the same size."""
        return (images - self.mean) / self.sd


def _with_leads(x: Tensor) -> Tensor:
    """(B, L) as (B, 1, L); of several leads as it is."""
    return x[:, None] if x.ndim == 2 else x


def _left(side: int) -> int:
    """What the blocks leave of an image's side."""
    for pool in POOLS:
        side = (side + 1) // 2
        side = side // 2 if pool else side
    return max(side, 0)


class ContraWR(Method):
    """The model of one subset of modalities; it embeds this subset only."""

    calibrated = True  # only slow modalities are
    departure = "slow signals: their mean passes the band-pass, their images are standardised"
    responses: Tensor

    def __init__(
        self,
        spec: ContraWRSpec,
        modalities: tuple[str, ...],
        window: Window,
        leads: Mapping[str, int] | None = None,
    ):
        super().__init__(modalities, {"contrast": 1.0})
        self.spec, self.rate_hz = spec, window.rate_hz
        counts = [(leads or {}).get(m, 1) for m in modalities]
        self.scaling = nn.ModuleDict({m: Scaling() for m in modalities})
        self.network = Network(spec, len(modalities), window.samples)
        self.momentum = Momentum(self.network, spec.momentum)
        self.momentum.requires_grad_(False)
        # The library's first update copies: done now, so that the first step already averages.
        self.momentum.update_parameters(self.network)
        self.standards = nn.ModuleDict({m: Standard(spec.n_fft // 2 + 1) for m in modalities})
        bands_hz = [spec.bands_hz.get(m, (spec.low_hz, spec.high_hz)) for m in modalities]
        top_hz = max(band[1] for pair in bands_hz for band in pair)
        if top_hz >= window.rate_hz / 2:
            raise ConfigError(
                f"ContraWR's band-pass ends at {top_hz} Hz, signals at {window.rate_hz / 2} Hz",
                do="set contrawr.high_hz, or bands_hz of the modality",
            )
        slow = [m in spec.slow for m in modalities]
        if not any(slow):
            self.departure = ""
        responses = band_responses(bands_hz, slow, window.rate_hz, window.samples)
        responses = responses.repeat_interleave(torch.tensor(counts), dim=0)
        self.register_buffer("responses", responses, persistent=False)  # (C, 4, F)

    @classmethod
    def build(cls, spec: ContraWRSpec, inputs: Inputs, parents: Sequence[Any]) -> Self:
        """The model of all of the inputs' modalities."""
        return cls(spec, inputs.modalities, inputs.window, inputs.leads)

    def set_scaling(self, constants: Mapping[str, tuple[float, float]]) -> None:
        """Constants of each modality."""
        for m, scaling in self._scalings():
            scaling.set(*constants[m])

    def calibrate(self, sample: Signals) -> None:
        """Mean and spread of every bin of the images of slow modalities; of others nothing."""
        for m in (m for m in self.modalities if m in self.spec.slow):
            self._standard(m).set(self._image(m, sample[m]))

    def loss(self, batch: Signals, rng: torch.Generator) -> dict[str, Tensor]:
        """Terms contrast, and alignment (logged): mean cosine between the two views' vectors.

        The batch must have all modalities of this model.
        """
        leads = [_with_leads(self.scaled(m, batch[m])) for m in self.modalities]
        x, counts = torch.cat(leads, dim=1), [part.shape[1] for part in leads]  # (B, C, L)
        one, other = (
            self.seen(self._of_modalities(self._disturbed(x, rng), counts)) for _ in range(2)
        )
        anchors = self.network(one)
        with torch.no_grad():
            positives = self.momentum(other)
            alignment = F.cosine_similarity(anchors.float(), positives.float()).mean()
        spec = self.spec
        return {
            "contrast": world_contrast(
                anchors, positives, spec.temperature, spec.sigma, spec.margin
            ),
            "alignment": alignment,
        }

    def after_step(self) -> None:
        """Move the momentum copy's parameters towards the trained network's."""
        self.momentum.update_parameters(self.network)

    def _disturbed(self, x: Tensor, rng: torch.Generator) -> Tensor:
        return disturb(x, rng, self.rate_hz, self.responses, self.spec.noise)

    def _of_modalities(self, x: Tensor, counts: Sequence[int]) -> Tensor:
        """(B, C, L) -> an image per modality, the mean of its leads': (B, M, 2, bins, frames)."""
        images = self.image(x)
        if len(counts) == x.shape[1]:
            return images
        seen = there(x).split(counts, dim=1)
        parts = zip(images.split(counts, dim=1), seen, strict=True)
        return torch.stack([known_means(part, leads) for part, leads in parts], dim=1)

    def scaled(self, modality: str, x: Tensor) -> Tensor:
        """(B, L) or (B, C, L) in the modality's unit -> x / scale, within 20 units of its offset.

        The offset stays: the logarithm would lose the sign of a centred mean.
        """
        scaling = self.scaling[modality]
        assert isinstance(scaling, Scaling)
        return scaling(x) + scaling.offset / scaling.scale

    def image(self, x: Tensor) -> Tensor:
        """(B, C, L) -> (B, C, 2, bins, frames): logarithms of real and imaginary magnitude."""
        with float32(x.device):
            spectrum = stft(x.float().flatten(0, 1), self.spec.n_fft, self.spec.hop, hann=False)
            parts = torch.stack([spectrum.real, spectrum.imag], dim=1)  # (B C, 2, bins, frames)
            return (parts.abs() + FLOOR).log().unflatten(0, x.shape[:2])

    def seen(self, images: Tensor) -> Tensor:
        """(B, C, 2, bins, frames) -> what the network sees: (B, 2 C, bins, frames).

        Slow modalities standardised; all real parts, then all imaginary ones.
        """
        parts = [self._standard(m)(images[:, i]) for i, m in enumerate(self.modalities)]
        return torch.stack(parts, dim=2).flatten(1, 2)

    def encode(self, observed: Signals) -> dict[str, Tensor]:
        """Modality -> image (B, 2, bins, frames)."""
        return {m: self._image(m, x) for m, x in observed.items()}

    def _image(self, m: str, x: Tensor) -> Tensor:
        return over_leads(lambda row: self.image(row[:, None])[:, 0], self.scaled(m, x))

    def fuse(self, encoded: Mapping[str, Tensor]) -> Tensor:
        """The flattened convolutional features (B, features) of exactly this model's subset."""
        images = torch.stack([encoded[m] for m in self.modalities], dim=1)  # (B, C, 2, ...)
        return self.network.encoder(self.seen(images))

    def refuses(self, subset: Sequence[str]) -> str:
        """Any subset but its own."""
        return "" if set(subset) == set(self.modalities) else "the model of another subset"

    def _standard(self, m: str) -> "Standard":
        part = self.standards[m]
        assert isinstance(part, Standard)
        return part

    def _scalings(self) -> list[tuple[str, Scaling]]:
        return [(m, s) for m, s in self.scaling.items() if isinstance(s, Scaling)]


class DedicatedContraWR(OnePerSubset):
    """A `ContraWR` for each subset of the modalities."""

    calibrated = ContraWR.calibrated

    @classmethod
    def build(cls, spec: ContraWRSpec, inputs: Inputs, parents: Sequence[Any]) -> Self:
        """One model per subset, all with the same settings."""
        models = {s: ContraWR(spec, s, inputs.window, inputs.leads) for s in inputs.subsets}
        found = cls(inputs.modalities, models)
        found.departure = models[inputs.subsets[0]].departure
        return found
