"""CBraMod over (lead, patch), as published (Wang et al., ICLR 2025), for several leads.

Half of the features attends over leads, half over time, and the positional convolution spans 19
leads and 7 patches; so the order of the leads is that of the configuration. Ours: a lead that is
not there is in no sum and no attention, and group norms take their statistics over those that are.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from physiome.config.systems.cbramod import CBraModSpec
from physiome.nn.cbramod import POSITIONS, CrissCrossBlock, TimeAttention, waveform_layers

SPAN = 19  # leads that the positional convolution spans


class LeadPatchEmbedding(nn.Module):
    """Patches (B, C, T, P) -> (B, C, T, D), 0 for absent leads. D equals P."""

    def __init__(self, spec: CBraModSpec):
        super().__init__()
        self.waveform = nn.ModuleList(waveform_layers(spec))
        self.spectrum = nn.Sequential(
            nn.Linear(spec.patch // 2 + 1, spec.width), nn.Dropout(spec.dropout)
        )
        self.positions = nn.Conv2d(
            spec.width,
            spec.width,
            (SPAN, POSITIONS),
            padding=(SPAN // 2, POSITIONS // 2),
            groups=spec.width,
        )

    def forward(self, patches: Tensor, seen: Tensor) -> Tensor:
        """Absent leads, False in `seen` (B, C), hold any finite number."""
        waves = patches.flatten(1, 2)[:, None]  # (B, 1, C T, P)
        for layer in self.waveform:
            grouped = isinstance(layer, nn.GroupNorm)
            waves = known_group_norm(layer, waves, seen) if grouped else layer(waves)
        waves = waves.transpose(1, 2).flatten(2).unflatten(1, patches.shape[1:3])
        amplitudes = torch.fft.rfft(patches.float(), norm="forward").abs()
        y = (waves + self.spectrum(amplitudes)) * seen[:, :, None, None]
        y = y + self.positions(y.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return y * seen[:, :, None, None]


def known_group_norm(norm: nn.GroupNorm, x: Tensor, seen: Tensor) -> Tensor:
    """`norm` of (B, channels, C T, S), with statistics over the leads that are there."""
    groups = x.unflatten(1, (norm.num_groups, -1)).unflatten(3, (seen.shape[1], -1)).float()
    weight = seen[:, None, None, :, None, None].to(groups.dtype)  # (B, 1, 1, C, 1, 1)
    rest = (2, 3, 4, 5)
    count = weight.sum(dim=rest, keepdim=True) * groups[0, 0, :, 0].numel()
    mean = (groups * weight).sum(dim=rest, keepdim=True) / count
    centred = groups - mean
    variance = (centred.square() * weight).sum(dim=rest, keepdim=True) / count
    y = (centred * (variance + norm.eps).rsqrt()).reshape(x.shape).to(x.dtype)
    return y * norm.weight[:, None, None] + norm.bias[:, None, None]


class LeadAttention(nn.Module):
    """Multi-head self-attention over the leads that are there, at each time."""

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        """(B, C, T, D), (B, C) -> (B, C, T, D)."""
        qkv = self.qkv(x).unflatten(3, (3, self.heads, -1))  # (B, C, T, 3, heads, D / heads)
        q, k, v = qkv.permute(3, 0, 2, 4, 1, 5)  # each (B, T, heads, C, D / heads)
        dropout = self.dropout if self.training else 0.0
        known = seen[:, None, None, None]  # (B, 1, 1, 1, C): keys
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=known, dropout_p=dropout)
        return self.proj(y.permute(0, 3, 1, 2, 4).flatten(3))


class LeadCrissCross(nn.Module):
    """Half of the features attends over leads, the other half over time."""

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        half = width // 2
        self.over_leads = LeadAttention(half, heads // 2, dropout)
        self.over_time = TimeAttention(half, heads // 2, dropout)

    def initialise_inputs(self) -> None:
        """What torch's attention starts with: Xavier-uniform as one matrix, zero biases."""
        for part in (self.over_leads, self.over_time):
            nn.init.xavier_uniform_(part.qkv.weight)
            nn.init.zeros_(part.qkv.bias)
            nn.init.zeros_(part.proj.bias)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        """(B, C, T, D), (B, C) -> (B, C, T, D)."""
        leads, time = x.chunk(2, dim=-1)
        along = self.over_time(time.flatten(0, 1)).unflatten(0, time.shape[:2])
        return torch.cat([self.over_leads(leads, seen), along], dim=-1)


class LeadEncoder(nn.Module):
    """Patches (B, C, T, P) of several leads -> features (B, C, T, D)."""

    def __init__(self, spec: CBraModSpec):
        super().__init__()
        self.embedding = LeadPatchEmbedding(spec)
        self.blocks = nn.ModuleList(
            CrissCrossBlock(spec, LeadCrissCross(spec.width, spec.heads, spec.dropout))
            for _ in range(spec.depth)
        )

    def forward(self, patches: Tensor, seen: Tensor) -> Tensor:
        """Features of absent leads, False in `seen` (B, C), mean nothing; they touch no other."""
        x = self.embedding(patches.masked_fill(~seen[:, :, None, None], 0.0), seen)
        for block in self.blocks:
            x = block(x, seen)
        return x
