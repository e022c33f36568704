"""Modalities of several leads: signals (B, C, L) in which a lead that is not there is a row of NaN.

NaN and never zeros: what would read an absent lead by mistake ends in a loss that is no number,
and not in a plausible one. Signals (B, L) of a single channel pass all of these as they are.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from physiome.nn.draws import uniform


def there(x: Tensor) -> Tensor:
    """Which leads of (B, C, L) are there, (B, C) bool."""
    return ~x[..., 0].isnan()


def over_leads(network: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """What a network of one channel makes of the leads, averaged over those that are there.

    Args:
        network: (P, L) -> (P, ...); sees the leads that are there as rows of one batch.
        x: (B, L) or (B, C, L), of every window at least one lead.

    Returns:
        (B, ...).
    """
    if x.ndim == 2:
        return network(x)
    seen = there(x)
    return lead_means(network(x[seen]), seen)


def lead_means(rows: Tensor, seen: Tensor) -> Tensor:
    """Mean over the leads of each window: (P, ...) in the order of `seen` (B, C) -> (B, ...)."""
    total = rows.new_zeros(len(seen), *rows.shape[1:])
    total = total.index_add(0, seen.nonzero()[:, 0], rows)
    return total / seen.sum(dim=1).view(-1, *[1] * (rows.ndim - 1))


def known_means(x: Tensor, seen: Tensor) -> Tensor:
    """Mean over the leads that are there of (B, C, ...), of which the others may be NaN."""
    wide = seen.view(*seen.shape, *[1] * (x.ndim - 2))
    return x.masked_fill(~wide, 0.0).sum(dim=1) / wide.sum(dim=1)


def drop_leads(x: Tensor, most: int, rng: torch.Generator) -> Tensor:
    """(B, C, L) with at most `most` of the leads of each window left, drawn among those there."""
    noise = uniform((x.shape[0], x.shape[1]), rng, x.device).masked_fill(~there(x), 2.0)
    rank = noise.argsort(dim=1).argsort(dim=1)
    return x.masked_fill((rank >= most)[..., None], torch.nan)


def one_lead(x: Tensor, rng: torch.Generator) -> Tensor:
    """One lead of each window, drawn among those there: (B, C, L) -> (B, L)."""
    if x.ndim == 2:
        return x
    left = drop_leads(x, 1, rng)
    return left[there(left)]
