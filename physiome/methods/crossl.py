"""CroSSL: masked latents of modality encoders, aggregated, under VICReg (Deldari et al. 2024).

Sizes and coefficients are those of the published code, whose dropout is inactive in training and
is left out here. It embeds by the aggregator or, its other downstream mode, by the latents side by
side; both are reported. Ours: batches of 64, because the covariance of 32 features is singular with
the published 8, and a rate that is larger in proportion; the unbiased variance in VICReg; and
torch's starting weights and normalisation constants. Not reproduced: early stopping on the training
loss.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from physiome.config.systems.crossl import CroSSLSpec
from physiome.methods.base import Inputs, Method, Signals
from physiome.nn.crossl import vicreg
from physiome.nn.draws import send
from physiome.nn.leads import over_leads
from physiome.nn.scaling import Scaling


class Layer(nn.Module):
    """Convolution along time, layer norm over the channels, a slope per channel below zero.

    The convolution is (1 x kernel) on a channels-last tensor: faster than Conv1d, and the norm
    needs the channels side by side anyway.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, (1, kernel))
        self.norm = nn.LayerNorm(outputs)
        self.slope = nn.PReLU(outputs)
        self.pads = (kernel - 1) // 2, kernel // 2  # the length stays, for even kernels too

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, 1, L) -> (B, C', 1, L), channels-last."""
        y = self.conv(F.pad(x, self.pads)).permute(0, 2, 3, 1)  # (B, 1, L, C')
        flat = self.norm(y).flatten(0, 2)  # PReLU takes dimension 1 for the channels
        return self.slope(flat).view(y.shape).permute(0, 3, 1, 2)


class Encoder(nn.Module):
    """Raw signal (B, L) -> latent (B, channels[-1]): three layers and the mean over time."""

    compiles = True  # see nn/blocks.py

    def __init__(self, spec: CroSSLSpec):
        super().__init__()
        self.scaling = Scaling()
        inputs = (1, *spec.channels)
        self.layers = nn.Sequential(
            *(Layer(i, o, k) for i, o, k in zip(inputs, spec.channels, spec.kernels, strict=False))
        )
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def forward(self, x: Tensor) -> Tensor:
        """(B, L), or (B, C, L), in the modality's unit -> (B, channels[-1])."""
        return over_leads(self._latent, self.scaling(x))

    def _latent(self, x: Tensor) -> Tensor:
        x = x[:, None, None].contiguous(memory_format=torch.channels_last)
        return self.layers(x).float().mean(dim=(2, 3))

    def kernel_energy(self) -> Tensor:
        """Sum of the squares of all convolution kernels."""
        kernels = [p for n, p in self.layers.named_parameters() if n.endswith("conv.weight")]
        return torch.stack([k.square().sum() for k in kernels]).sum()


class CroSSL(Method):
    """Two random maskings of the modalities' latents, made alike behind one aggregator."""

    def __init__(self, spec: CroSSLSpec, modalities: tuple[str, ...]):
        super().__init__(modalities, {"vicreg": 1.0, "kernels": spec.kernel_decay})
        self.spec = spec
        self.latent = spec.channels[-1]
        self.encoders = nn.ModuleDict({m: Encoder(spec) for m in modalities})
        wide, narrow = spec.hidden
        self.aggregator = nn.Sequential(
            nn.Linear(len(modalities) * self.latent, wide),
            nn.ReLU(),
            nn.Linear(wide, narrow),
            nn.ReLU(),
            nn.Linear(narrow, spec.width),
            nn.LayerNorm(spec.width),
        )

    @classmethod
    def build(cls, spec: CroSSLSpec, inputs: Inputs, parents: Sequence[Any]) -> Self:
        """From the settings' `method` section."""
        return cls(spec, inputs.modalities)

    def set_scaling(self, constants: Mapping[str, tuple[float, float]]) -> None:
        """Scale each raw signal by its constants."""
        for m, encoder in self.encoders.items():
            assert isinstance(encoder, Encoder)
            encoder.scaling.set(*constants[m])

    def loss(self, batch: Signals, rng: torch.Generator) -> dict[str, Tensor]:
        """Terms vicreg, and kernels: squares of the kernels of the encoders that had input."""
        latents = self.joined(self.encode(batch))  # (B, M, D)
        kept = send(self.draw_kept(len(latents), rng), latents.device)  # (2, B, M)
        one, other = self.aggregator((latents * kept[..., None]).flatten(2))  # (B, width) each
        spec = self.spec
        encoders = [e for m, e in self.encoders.items() if m in batch and isinstance(e, Encoder)]
        return {
            "vicreg": vicreg(one, other, spec.invariance, spec.variance, spec.covariance),
            "kernels": torch.stack([e.kernel_energy() for e in encoders]).sum(),
        }

    def draw_kept(self, batch: int, rng: torch.Generator) -> Tensor:
        """1.0 where a latent survives, (2, batch, M): view, row and modality draw independently."""
        shape = (2, batch, len(self.modalities))
        return (torch.rand(shape, generator=rng) < self.spec.keep).float()

    def encode(self, observed: Signals) -> dict[str, Tensor]:
        """Modality -> latent (B, D)."""
        return {m: self.encoders[m](observed[m]) for m in self.modalities if m in observed}

    def joined(self, encoded: Mapping[str, Tensor]) -> Tensor:
        """(B, M, D) in the modalities' order; an absent modality's latent is zero."""
        nothing = torch.zeros_like(next(iter(encoded.values())))
        return torch.stack([encoded.get(m, nothing) for m in self.modalities], dim=1)

    def fuse(self, encoded: Mapping[str, Tensor]) -> Tensor:
        """The aggregated embedding (B, width), or the latents side by side (B, M D)."""
        latents = self.joined(encoded).flatten(1)
        return self.aggregator(latents) if self.spec.embedding == "aggregated" else latents
