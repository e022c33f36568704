"""Images as sequences of square patches, and the random choice of the patches that are shown."""

import torch
from torch import Tensor

from physiome.nn.draws import send, uniform
from physiome.nn.transformer import sincos_positions


def patchify(image: Tensor, side: int) -> Tensor:
    """(B, H, W) -> (B, H W / side^2, side^2): patches row by row, and so the pixels within one."""
    rows = image.unflatten(2, (-1, side)).unflatten(1, (-1, side))  # (B, H / s, s, W / s, s)
    return rows.transpose(2, 3).flatten(3).flatten(1, 2)


def unpatchify(patches: Tensor, rows: int) -> Tensor:
    """What `patchify` undoes: (B, N, side^2) with `rows` rows of patches -> (B, H, W)."""
    side = round(patches.shape[-1] ** 0.5)
    grid = patches.unflatten(1, (rows, -1)).unflatten(3, (side, side))  # (B, H / s, W / s, s, s)
    return grid.transpose(2, 3).flatten(3).flatten(1, 2)


def grid_positions(rows: int, columns: int, width: int) -> Tensor:
    """Fixed two-dimensional sine-cosine table (rows columns, width), in the order of `patchify`.

    The first half of the width tells the row, the second the column; `width` is a multiple of 4.
    """
    row = sincos_positions(rows, width // 2).repeat_interleave(columns, dim=0)
    column = sincos_positions(columns, width // 2).repeat(rows, 1)
    return torch.cat([row, column], dim=1)


def visible_patches(allowed: Tensor, n: int, visible: int, rng: torch.Generator) -> Tensor:
    """Which patches every sample shows: a Dirichlet(1, ..., 1) share of them per modality.

    As in the published MultiMAE code: rounded counts, random patches within a modality, then
    random ones are taken away or added until the total is exact. What a modality's share has above
    its `n` patches goes to others.

    Args:
        allowed: (B, M) bool, the modalities that a sample may show, at least one each.
        n: patches of a modality.
        visible: patches to show of all modalities together; no more than the allowed ones have.

    Returns:
        (B, visible) increasing indices into the sequence of all M n patches, modality by modality.

    Raises:
        ValueError: if more patches are asked for than M modalities have.
    """
    batch, modalities = allowed.shape
    if visible > modalities * n:
        raise ValueError(f"{visible} visible patches of {modalities} x {n}")
    # Exponential variables divided by their sum are Dirichlet(1, ..., 1).
    drawn = torch.empty(batch, modalities).exponential_(generator=rng)
    drawn = send(drawn, allowed.device) * allowed
    counts = (visible * drawn / drawn.sum(dim=1, keepdim=True)).round()  # (B, M)
    noise, ties = uniform((2, batch, modalities, n), rng, allowed.device)
    beyond = noise.argsort(dim=2) >= counts[:, :, None]  # a random order of each one's patches
    order = (ties + beyond).masked_fill(~allowed[:, :, None], float("inf"))  # the lowest are shown
    return order.flatten(1).argsort(dim=1)[:, :visible].sort(dim=1).values
