"""Losses as pure functions. All compute in float32 or better, whatever autocast is on."""

import torch
from torch import Tensor
from torch.nn import functional as F


def _full(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()


def nt_xent(a: Tensor, b: Tensor, temperature: float) -> Tensor:
    """Normalised temperature-scaled cross-entropy between two sets of vectors (eq. 1-2, 5-6).

    Args:
        a, b: (B, D); row i of `a` and row i of `b` are a positive pair.
        temperature: positive.

    Returns:
        The mean over all 2B vectors of -log softmax at the positive, self excluded.
    """
    if temperature <= 0:
        raise ValueError(f"temperature must be positive, not {temperature}")
    with torch.autocast(a.device.type, enabled=False):
        vectors = F.normalize(torch.cat([_full(a), _full(b)]), dim=1)  # (2B, D)
        logits = vectors @ vectors.T / temperature
        logits.fill_diagonal_(float("-inf"))
        n = len(a)
        positives = torch.arange(2 * n, device=a.device).roll(n)
        return F.cross_entropy(logits, positives)


def masked_mse(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean squared error over D, averaged over the masked tokens of the whole batch (eq. 3, 16).

    Args:
        prediction, target: (B, N, D).
        mask: (B, N), 1 where the token was masked and counts.
    """
    error = (_full(prediction) - _full(target)).square().mean(dim=-1)  # (B, N)
    mask = mask.to(error.dtype)
    return (error * mask).sum() / mask.sum()
