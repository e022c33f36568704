"""Parts that turn tokens into tokens: per-token MLP, decoders, projection heads."""

import torch
from torch import Tensor, nn

from physiome.nn.masking import put_tokens
from physiome.nn.transformer import Transformer, initialise, sincos_positions


class TokenMLP(nn.Module):
    """Linear, batch-norm over all tokens, ELU, Linear: a modality's way into the fused space."""

    compiles = True  # see nn/blocks.py

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.inner = nn.Linear(inputs, outputs)
        self.norm = nn.BatchNorm1d(outputs)
        self.outer = nn.Linear(outputs, outputs)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) -> (B, N, D')."""
        y = self.norm(self.inner(x).flatten(0, 1)).unflatten(0, x.shape[:2])
        return self.outer(nn.functional.elu(y))


class Projection(nn.Sequential):
    """Linear, batch-norm, ELU, Linear: (B, D) -> (B, D'), in front of a contrast."""

    def __init__(self, inputs: int, hidden: int, outputs: int):
        super().__init__(
            nn.Linear(inputs, hidden),
            nn.BatchNorm1d(hidden),
            nn.ELU(),
            nn.Linear(hidden, outputs),
        )
        initialise(self)


class TokenDecoder(nn.Module):
    """Linear in, mask tokens filled in, positions, transformer, Linear out.

    Args:
        inputs, outputs: token widths outside; `width` inside.
        n: length of the full sequence.
        fills: whether it gets partial sequences and needs a mask token.
    """

    positions: Tensor

    def __init__(
        self, inputs: int, outputs: int, n: int, width: int, depth: int, heads: int, fills: bool
    ):
        super().__init__()
        self.n = n
        self.enter = nn.Linear(inputs, width)
        self.mask_token = nn.Parameter(torch.randn(width) * 0.02) if fills else None
        self.register_buffer("positions", sincos_positions(n, width), persistent=False)
        self.transformer = Transformer(width, depth, heads)
        self.leave = nn.Linear(width, outputs)
        initialise(self)

    def forward(self, tokens: Tensor, kept: Tensor | None = None) -> Tensor:
        """(B, K, D) at the `kept` (B, K) of n positions, or all n of them -> (B, n, outputs)."""
        y = self.enter(tokens)
        if kept is not None:
            assert self.mask_token is not None, "a decoder without mask token needs all tokens"
            y = put_tokens(y, kept, self.n, self.mask_token)
        return self.leave(self.transformer(y + self.positions))
