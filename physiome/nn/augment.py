"""DP-NeuroNet's two views: a stretched crop, and permuted segments. One draw serves a batch."""

import torch
from torch import Tensor
from torch.nn import functional as F


def _integer(low: int, high: int, rng: torch.Generator) -> int:
    """A number in [low, high)."""
    return int(torch.randint(low, high, (1,), generator=rng))


def _happens(probability: float, rng: torch.Generator) -> bool:
    return bool(torch.rand(1, generator=rng) < probability)


def crop_view(x: Tensor, rng: torch.Generator, how: str = "stretch") -> Tensor:
    """A crop of a fifth to a third of (B, L), brought back to length L.

    `stretch` interpolates linearly, as published, which moves every rhythm down three- to
    five-fold; `tile` repeats the crop and keeps the rhythms.
    """
    length = x.shape[-1]
    size = _integer(length // 5, max(length // 3, length // 5 + 1), rng)
    start = _integer(0, length - size + 1, rng)
    crop = x[:, start : start + size]
    if how == "tile":
        return crop.repeat(1, -(-length // size))[:, :length]
    return F.interpolate(crop[:, None], size=length, mode="linear", align_corners=False)[:, 0]


def permute_view(x: Tensor, rng: torch.Generator, segments: int = 5) -> Tensor:
    """(B, L) cut at random points into `segments` pieces, put together in random order."""
    length = x.shape[-1]
    cuts = torch.randperm(length - 1, generator=rng)[: segments - 1] + 1
    edges = [0, *sorted(cuts.tolist()), length]
    order = torch.randperm(segments, generator=rng).tolist()
    return torch.cat([x[:, edges[i] : edges[i + 1]] for i in order], dim=1)


def two_views(
    x: Tensor, rng: torch.Generator, probability: float, crop: str, segments: int
) -> tuple[Tensor, Tensor]:
    """The two views of (B, L), each left unchanged with probability 1 - `probability`.

    Of (B, C, L) all leads are cut alike; one that is not there stays so.
    """
    rows = x.reshape(-1, x.shape[-1])
    first = crop_view(rows, rng, crop) if _happens(probability, rng) else rows
    second = permute_view(rows, rng, segments) if _happens(probability, rng) else rows
    return first.reshape(x.shape), second.reshape(x.shape)
