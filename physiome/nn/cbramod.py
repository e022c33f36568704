"""Parts of CBraMod for one lead: patch embedding, positions by convolution, criss-cross blocks.

Sizes are those of the published code (Wang et al., ICLR 2025). With a single lead the attention
over leads has one key: its weights are 1, so what is left of it are its value and output
projections, and of the 19 x 7 positional kernel the row over this lead. The rest could never get a
gradient and is left out.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from physiome.config.systems.cbramod import CBraModSpec

POSITIONS = 7  # patches that the positional convolution spans


def waveform_layers(spec: CBraModSpec) -> list[nn.Module]:
    """Three convolutions within patches, each with a group norm and a GELU."""
    layers: list[nn.Module] = []
    inputs = 1
    for kernel, stride in ((spec.kernel, spec.stride), (3, 1), (3, 1)):
        layers += [
            nn.Conv2d(inputs, spec.channels, (1, kernel), (1, stride), (0, kernel // 2)),
            nn.GroupNorm(spec.groups, spec.channels),
            nn.GELU(),
        ]
        inputs = spec.channels
    return layers


class PatchEmbedding(nn.Module):
    """Patches (B, T, P) -> (B, T, D): convolutions of the waveform plus its amplitude spectrum.

    As published, group norms take their statistics over all patches of a window. D equals P.
    """

    compiles = True  # see nn/blocks.py

    def __init__(self, spec: CBraModSpec):
        super().__init__()
        self.waveform = nn.Sequential(*waveform_layers(spec))
        self.spectrum = nn.Sequential(
            nn.Linear(spec.patch // 2 + 1, spec.width), nn.Dropout(spec.dropout)
        )
        self.positions = nn.Conv1d(
            spec.width, spec.width, POSITIONS, padding=POSITIONS // 2, groups=spec.width
        )

    def forward(self, patches: Tensor) -> Tensor:
        """(B, T, P) -> (B, T, D)."""
        waves = self.waveform(patches[:, None])  # (B, channels, T, positions in a patch)
        amplitudes = torch.fft.rfft(patches.float(), norm="forward").abs()
        y = waves.transpose(1, 2).flatten(2) + self.spectrum(amplitudes)
        return y + self.positions(y.transpose(1, 2)).transpose(1, 2)


class TimeAttention(nn.Module):
    """Multi-head self-attention over patches, with dropout of its weights."""

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        qkv = self.qkv(x).unflatten(2, (3, self.heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (B, heads, T, D / heads)
        dropout = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout)
        return self.proj(y.transpose(1, 2).flatten(2))


class CrissCross(nn.Module):
    """Half of the features attends over leads (here: one), the other half over time."""

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        half = width // 2
        self.value, self.proj = nn.Linear(half, half), nn.Linear(half, half)
        self.over_time = TimeAttention(half, heads // 2, dropout)

    def initialise_inputs(self) -> None:
        """What torch's attention starts with: Xavier-uniform as one matrix, zero biases.

        The value of the single lead has the range that it has as a third of such a matrix.
        """
        time = self.over_time
        nn.init.xavier_uniform_(time.qkv.weight)
        span = math.sqrt(6 / sum(time.qkv.weight.shape))
        nn.init.uniform_(self.value.weight, -span, span)
        for layer in (time.qkv, time.proj, self.value, self.proj):
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        leads, time = x.chunk(2, dim=-1)
        return torch.cat([self.proj(self.value(leads)), self.over_time(time)], dim=-1)


class CrissCrossBlock(nn.Module):
    """Criss-cross attention and a GELU MLP, each behind a LayerNorm and a residual sum."""

    compiles = True  # see nn/blocks.py

    def __init__(self, spec: CBraModSpec, attention: nn.Module):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(spec.width), nn.LayerNorm(spec.width)
        self.attention = attention
        self.mlp = nn.Sequential(
            nn.Linear(spec.width, spec.feed_forward),
            nn.GELU(),
            nn.Dropout(spec.dropout),
            nn.Linear(spec.feed_forward, spec.width),
        )
        self.dropout = nn.Dropout(spec.dropout)

    def forward(self, x: Tensor, *seen: Tensor) -> Tensor:
        """(B, ..., D) -> the same shape; `seen` is handed to the attention."""
        x = x + self.dropout(self.attention(self.norm1(x), *seen))
        return x + self.dropout(self.mlp(self.norm2(x)))


class CrissCrossEncoder(nn.Sequential):
    """Patches (B, T, P) -> features (B, T, D); as published, without a norm at the end."""

    def __init__(self, spec: CBraModSpec):
        super().__init__(
            PatchEmbedding(spec),
            *(
                CrissCrossBlock(spec, CrissCross(spec.width, spec.heads, spec.dropout))
                for _ in range(spec.depth)
            ),
        )
