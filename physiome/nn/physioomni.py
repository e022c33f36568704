"""Parts of PhysioOmni: patch encoder, transformer without biases, and code decoders.

Sizes are those of the published code (arXiv 2504.19596). Channel embeddings are left out: every
encoder sees one lead, for which they would be one more constant.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from physiome.config.systems.physioomni import PhysioOmniSpec
from physiome.config.window import Window
from physiome.errors import ConfigError
from physiome.nn.scaling import Scaling
from physiome.nn.transformer import NORM_EPS, Attention, initialise


class BareAttention(Attention):
    """Multi-head self-attention without biases."""

    def __init__(self, width: int, heads: int):
        super().__init__(width, heads)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.proj = nn.Linear(width, width, bias=False)


class SwiGLU(nn.Module):
    """Gated MLP without biases, four times as wide inside."""

    def __init__(self, width: int):
        super().__init__()
        self.enter = nn.Linear(width, 8 * width, bias=False)  # gate and value
        self.leave = nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) -> (..., D)."""
        gate, value = self.enter(x).chunk(2, dim=-1)
        return self.leave(F.silu(gate) * value)


class BareBlock(nn.Module):
    """Attention and SwiGLU, each behind an RMSNorm and a residual sum."""

    compiles = True  # see nn/blocks.py

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1 = nn.RMSNorm(width, eps=NORM_EPS)
        self.attn = BareAttention(width, heads)
        self.norm2 = nn.RMSNorm(width, eps=NORM_EPS)
        self.mlp = SwiGLU(width)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) -> (B, N, D)."""
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class BareTransformer(nn.Module):
    """Learned time positions, a class token that the others can attend to, blocks, RMSNorm."""

    def __init__(self, n: int, width: int, depth: int, heads: int):
        super().__init__()
        self.positions = nn.Parameter(0.02 * torch.randn(n, width))
        self.class_token = nn.Parameter(0.02 * torch.randn(width))
        self.blocks = nn.Sequential(*(BareBlock(width, heads) for _ in range(depth)))
        self.norm = nn.RMSNorm(width, eps=NORM_EPS)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) -> (B, N, D), the class token taken off again."""
        first = self.class_token.to(x.dtype).expand(len(x), 1, -1)
        return self.norm(self.blocks(torch.cat([first, x + self.positions], dim=1))[:, 1:])


class Stem(nn.Module):
    """Patches (B, N, P) -> tokens (B, N, D): three convolutions within each patch, and a Linear."""

    def __init__(self, spec: PhysioOmniSpec, patch: int):
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 1
        for kernel, stride in ((spec.kernel, spec.stride), (3, 1), (3, 1)):
            layers += [
                nn.Conv1d(inputs, spec.stem, kernel, stride, kernel // 2),
                nn.GELU(),
                nn.GroupNorm(math.gcd(4, spec.stem), spec.stem),
            ]
            inputs = spec.stem
        steps = (patch + 2 * (spec.kernel // 2) - spec.kernel) // spec.stride + 1
        self.convolutions = nn.Sequential(*layers)
        self.leave = nn.Linear(spec.stem * steps, spec.width)

    def forward(self, patches: Tensor) -> Tensor:
        """(B, N, P) -> (B, N, D)."""
        y = self.convolutions(patches.flatten(0, 1)[:, None])  # (B N, channels, steps)
        return self.leave(y.flatten(1)).unflatten(0, patches.shape[:2])


class PatchEncoder(nn.Module):
    """One modality's signal (B, L), in its unit -> tokens (B, N, D).

    Raises:
        ConfigError: if patches do not divide the window.
    """

    compiles = True  # see nn/blocks.py

    def __init__(self, spec: PhysioOmniSpec, window: Window):
        super().__init__()
        self.patch = round(spec.patch_s * window.rate_hz)
        if self.patch < 2 or window.samples % self.patch:
            raise ConfigError(
                f"physioomni.patch_s {spec.patch_s} does not divide a window of "
                f"{window.length_s} s",
                do="choose another patch_s",
            )
        self.n = window.samples // self.patch
        self.scaling = Scaling()
        self.stem = Stem(spec, self.patch)
        self.transformer = BareTransformer(self.n, spec.width, spec.depth, spec.heads)

    def patches(self, x: Tensor) -> Tensor:
        """(B, L) -> scaled patches (B, N, P)."""
        return self.scaling(x).unflatten(1, (self.n, self.patch))

    def forward(self, x: Tensor, mask: Tensor | None = None, fill: Tensor | None = None) -> Tensor:
        """(B, L) -> (B, N, D); tokens where `mask` (B, N) is true are replaced by `fill` (D,)."""
        tokens = self.stem(self.patches(x))
        if mask is not None and fill is not None:
            tokens = torch.where(mask[:, :, None], fill.to(tokens.dtype), tokens)
        return self.transformer(tokens)


def tanh_head(inputs: int, outputs: int) -> nn.Sequential:
    """Linear, tanh, Linear: (..., inputs) -> (..., outputs)."""
    return nn.Sequential(nn.Linear(inputs, inputs), nn.Tanh(), nn.Linear(inputs, outputs))


class CodeDecoder(nn.Module):
    """Private and shared codes (B, N, 2C) -> what a patch is rebuilt as, (B, N, outputs)."""

    compiles = True  # see nn/blocks.py

    def __init__(self, spec: PhysioOmniSpec, n: int, outputs: int):
        super().__init__()
        self.enter = nn.Linear(2 * spec.code_width, spec.width)
        self.transformer = BareTransformer(n, spec.width, spec.decoder_depth, spec.heads)
        self.leave = tanh_head(spec.width, outputs)

    def forward(self, codes: Tensor) -> Tensor:
        """(B, N, 2C) -> (B, N, outputs)."""
        return self.leave(self.transformer(self.enter(codes)))


def spectrum(patches: Tensor) -> Tensor:
    """Amplitudes (B, N, P / 2 + 1) of patches (B, N, P), standardised over each window.

    The published target keeps both mirrored halves of the spectrum; this is one of them.
    """
    amplitudes = torch.fft.rfft(patches.float()).abs()
    mean = amplitudes.mean(dim=(1, 2), keepdim=True)
    return (amplitudes - mean) / amplitudes.std(dim=(1, 2), keepdim=True).clamp_min(1e-6)
