"""Losses as pure functions. All compute in float32 or better, whatever autocast is on."""

import torch
from torch import Tensor
from torch.nn import functional as F

from physiome.nn.precision import float32


def full(x: Tensor) -> Tensor:
    """x in float32 at least."""
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
    with float32(a.device):
        vectors = F.normalize(torch.cat([full(a), full(b)]), dim=1)  # (2B, D)
        logits = vectors @ vectors.T / temperature
        logits.fill_diagonal_(float("-inf"))
        n = len(a)
        positives = torch.arange(2 * n, device=a.device).roll(n)
        return F.cross_entropy(logits, positives)


@torch.no_grad()
def contrast_accuracy(a: Tensor, b: Tensor) -> Tensor:
    """Share of the 2B vectors whose nearest other one, by cosine, is their positive.

    1 / (2B - 1) by chance. At a tie the first one counts, so that a collapse is not taken for
    success.

    Args:
        a, b: (B, D), as of `nt_xent`.
    """
    vectors = F.normalize(torch.cat([full(a), full(b)]), dim=1)  # (2B, D)
    with float32(a.device):
        similar = vectors @ vectors.T
    similar.fill_diagonal_(float("-inf"))
    n = len(a)
    positives = torch.arange(2 * n, device=a.device).roll(n)
    return (similar.argmax(dim=1) == positives).float().mean()


def mse(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean squared error over all elements of two tensors of one shape."""
    return (full(prediction) - full(target)).square().mean()


def masked_mse(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean squared error over D, averaged over the masked tokens of the whole batch (eq. 3, 16).

    Args:
        prediction, target: (B, N, D).
        mask: (B, N), 1 where the token was masked and counts.
    """
    error = (full(prediction) - full(target)).square().mean(dim=-1)  # (B, N)
    mask = mask.to(error.dtype)
    return (error * mask).sum() / mask.sum()


def masked_mse_per_sample(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """As `masked_mse`, but averaged over each sample's masked tokens, then over samples.

    As in the published MultiMAE code: a sample counts alike however many tokens it has masked, and
    one without any does not count. 0 if no sample has any.
    """
    error = (full(prediction) - full(target)).square().mean(dim=-1)  # (B, N)
    mask = mask.to(error.dtype)
    masked = mask.sum(dim=1)  # (B,)
    of_samples = (error * mask).sum(dim=1) / masked.clamp_min(1)
    return of_samples.sum() / masked.count_nonzero().clamp_min(1)


def masked_cosine(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """1 - cosine, from 0 to 2, averaged over the masked tokens of the whole batch.

    0 if nothing is masked.

    Args:
        prediction, target: (B, N, D).
        mask: (B, N), 1 where the token was masked and counts.
    """
    distance = 1 - F.cosine_similarity(full(prediction), full(target), dim=-1)  # (B, N)
    mask = mask.to(distance.dtype)
    return (distance * mask).sum() / mask.sum().clamp_min(1)


def world_contrast(a: Tensor, p: Tensor, temperature: float, sigma: float, margin: float) -> Tensor:
    """ContraWR's loss: a vector should be nearer to its positive than to the "world".

    The world is the average of all positives, its own too, in which near ones weigh more.

    Args:
        a, p: (B, D), anchors and their positives, of any length: normalised here.
        temperature, sigma: of the world's softmax weights and of the Gaussian similarity; positive.
        margin: by how much the similarity to the positive should be the larger.

    Returns:
        Mean over anchors of max(0, s(a, world) - s(a, p) + margin), where
        s(u, v) = exp(-|u - v|^2 / (2 sigma^2)).
    """
    with float32(a.device):
        a, p = F.normalize(full(a), dim=1), F.normalize(full(p), dim=1)
        world = (a @ p.T / temperature).softmax(dim=1) @ p  # (B, D)

        def similarity(other: Tensor) -> Tensor:
            return (-(a - other).square().sum(dim=1) / (2 * sigma**2)).exp()

        return F.relu(similarity(world) - similarity(p) + margin).mean()


def cross_entropy(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy of logits (..., C) to class or code numbers (...,): ln C at chance.

    Args:
        smoothing: share of the target that is spread evenly over all C.
    """
    flat = full(logits).flatten(0, -2)
    return F.cross_entropy(flat, labels.flatten(), label_smoothing=smoothing)


def orthogonality(a: Tensor, b: Tensor) -> Tensor:
    """Mean of max(0, cosine) between vectors (..., D): opposite ones cost nothing (PhysioOmni)."""
    return F.cosine_similarity(full(a), full(b), dim=-1).clamp_min(0).mean()
