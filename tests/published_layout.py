"""The layout of CBraMod's published weights: torch's own layers under the published names."""

import torch
from torch import nn
from torch.nn import functional as F

from physiome.config.systems.cbramod import CBraModSpec


class Embedding(nn.Module):
    def __init__(self, spec: CBraModSpec):
        super().__init__()
        width, channels, groups = spec.width, spec.channels, spec.groups
        self.positional_encoding = nn.Sequential(
            nn.Conv2d(width, width, (19, 7), padding=(9, 3), groups=width)
        )
        self.mask_encoding = nn.Parameter(torch.zeros(spec.patch), requires_grad=False)
        layers = []
        for i, (kernel, stride) in enumerate([(spec.kernel, spec.stride), (3, 1), (3, 1)]):
            inputs = channels if i else 1
            layers.append(nn.Conv2d(inputs, channels, (1, kernel), (1, stride), (0, kernel // 2)))
            layers += [nn.GroupNorm(groups, channels), nn.GELU()]
        self.proj_in = nn.Sequential(*layers)
        self.spectral_proj = nn.Sequential(nn.Linear(spec.patch // 2 + 1, width), nn.Dropout(0.1))

    def forward(self, x):
        """(B, C, T, P) -> (B, C, T, D)."""
        b, c, t, p = x.shape
        rows = x.reshape(b, 1, c * t, p)
        y = self.proj_in(rows).permute(0, 2, 1, 3).reshape(b, c, t, -1)
        y = y + self.spectral_proj(torch.fft.rfft(x, norm="forward").abs())
        return y + self.positional_encoding(y.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class Layer(nn.Module):
    def __init__(self, spec: CBraModSpec):
        super().__init__()
        width, half, heads = spec.width, spec.width // 2, spec.heads // 2
        self.self_attn_s = nn.MultiheadAttention(half, heads, batch_first=True)
        self.self_attn_t = nn.MultiheadAttention(half, heads, batch_first=True)
        self.linear1 = nn.Linear(width, spec.feed_forward)
        self.linear2 = nn.Linear(spec.feed_forward, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x):
        """(B, C, T, D) -> (B, C, T, D)."""
        b, c, t, _ = x.shape
        leads, time = self.norm1(x).chunk(2, dim=-1)
        s = leads.transpose(1, 2).flatten(0, 1)
        s = self.self_attn_s(s, s, s)[0].unflatten(0, (b, t)).transpose(1, 2)
        a = time.flatten(0, 1)
        a = self.self_attn_t(a, a, a)[0].unflatten(0, (b, c))
        x = x + torch.cat([s, a], dim=-1)
        return x + self.linear2(F.gelu(self.linear1(self.norm2(x))))


class Published(nn.Module):
    """Patches (B, C, T, P) -> predicted patches."""

    def __init__(self, spec: CBraModSpec):
        super().__init__()
        self.patch_embedding = Embedding(spec)
        self.encoder = nn.Module()
        self.encoder.layers = nn.ModuleList(Layer(spec) for _ in range(spec.depth))
        self.proj_out = nn.Sequential(nn.Linear(spec.width, spec.patch))

    def features(self, x):
        """After the embedding and after every layer."""
        found = [self.patch_embedding(x)]
        for layer in self.encoder.layers:
            found.append(layer(found[-1]))
        return found
