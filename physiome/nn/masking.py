"""Random masking of token sequences: which tokens are kept, taking them out, putting them back."""

import torch
from torch import Tensor


def n_kept(n: int, mask_ratio: float) -> int:
    """How many of `n` tokens stay when `mask_ratio` are masked, at least one.

    The small epsilon keeps 20 x (1 - 0.8) at 4: in binary floating point the product is just below.
    """
    return max(1, int(n * (1.0 - mask_ratio) + 1e-6))


def random_kept(batch: int, n: int, kept: int, rng: torch.Generator) -> Tensor:
    """Indices of the kept tokens on the CPU, (batch, kept) int64 in increasing order."""
    noise = torch.rand(batch, n, generator=rng)
    return noise.argsort(dim=1)[:, :kept].sort(dim=1).values


def take_tokens(tokens: Tensor, index: Tensor) -> Tensor:
    """(B, N, D), (B, K) -> (B, K, D)."""
    return tokens.gather(1, index[:, :, None].expand(-1, -1, tokens.shape[-1]))


def put_tokens(tokens: Tensor, index: Tensor, n: int, fill: Tensor) -> Tensor:
    """Place (B, K, D) tokens at `index` in a sequence of `n` copies of `fill` (D,) -> (B, n, D)."""
    batch, _, width = tokens.shape
    sequence = fill.to(tokens.dtype).expand(batch, n, width)
    return sequence.scatter(1, index[:, :, None].expand(-1, -1, width), tokens)


def masked_positions(index: Tensor, n: int) -> Tensor:
    """1.0 where a token is masked, (B, n) float, from kept indices (B, K)."""
    mask = torch.ones(index.shape[0], n, device=index.device)
    return mask.scatter(1, index, 0.0)
