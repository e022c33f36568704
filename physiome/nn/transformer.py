"""Pre-norm transformer blocks and fixed positions.

The block is our own, small one because LoRA needs an output projection that attention really calls:
torch's TransformerEncoderLayer bypasses the wrapped layer. Tested against that layer with copied
weights.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NORM_EPS = 1e-6
JOINED = {"qkv": 3, "kv": 2}  # layers that make several at once


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Scaled dot-product attention, (B, heads, N, D / heads) each.

    Written out in bfloat16 on a CPU, where the gradient of torch's own takes up to eight times as
    long at a few dozen tokens.
    """
    if q.is_cpu and q.dtype == torch.bfloat16:
        return (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(dim=-1) @ v
    return F.scaled_dot_product_attention(q, k, v)


class Attention(nn.Module):
    """Multi-head self-attention with separate input (`qkv`) and output (`proj`) layers."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) -> (B, N, D)."""
        batch, n, width = x.shape
        qkv = self.qkv(x).reshape(batch, n, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (B, heads, N, D / heads)
        return self.proj(attend(q, k, v).transpose(1, 2).reshape(batch, n, width))


class Block(nn.Module):
    """Attention and a GELU MLP (four times as wide), each behind a LayerNorm and a residual sum."""

    compiles = True  # see nn/blocks.py

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=NORM_EPS)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=NORM_EPS)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) -> (B, N, D)."""
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Transformer(nn.Module):
    """A stack of blocks and a final LayerNorm."""

    def __init__(self, width: int, depth: int, heads: int):
        super().__init__()
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=NORM_EPS)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) -> (B, N, D)."""
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


def sincos_positions(n: int, width: int) -> Tensor:
    """Fixed one-dimensional sine-cosine table (n, width): sines in the first half, cosines after.

    The published code builds a two-dimensional table on an n x 1 grid, in which half of the columns
    are constant over time; this one uses every column.
    """
    rates = 10000.0 ** (-torch.arange(width // 2, dtype=torch.float64) / (width / 2))
    angles = torch.arange(n, dtype=torch.float64)[:, None] * rates  # (n, width / 2)
    return torch.cat([angles.sin(), angles.cos()], dim=1).float()


def initialise(module: nn.Module, apart: bool = False) -> None:
    """Xavier-uniform linear weights, zero biases, unit layer norms: for freshly built transformers.

    Call it on modules built here; over pretrained parts only to forget what they learned.

    Args:
        apart: whether queries, keys and values that one layer makes are drawn as three layers are,
            so that their range is that of a square matrix (published code of MAE and MultiMAE).
    """
    for name, part in module.named_modules():
        if isinstance(part, nn.Linear):
            joined = JOINED.get(name.rpartition(".")[2], 1) if apart else 1
            for weight in part.weight.detach().chunk(joined):
                nn.init.xavier_uniform_(weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.LayerNorm):
            part.reset_parameters()  # of a fresh one nothing changes
