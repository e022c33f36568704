"""Parts of a batch, each of which drops modalities of its own."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Fate = Literal["kept", "dropped"]


class Part(NamedTuple):
    """Rows of a batch that lose the same modalities."""

    rows: slice
    kept: tuple[str, ...]
    dropped: tuple[str, ...]


def draw_parts(present: Sequence[str], batch: int, count: int, rng: torch.Generator) -> list[Part]:
    """Divide a batch into `count` parts of like size, fewer if a part would have a single row.

    Each drops k of the present modalities, k uniform on 0 .. len(present) - 1.
    """
    count = max(1, min(count, batch // 2))
    parts = []
    for start, stop in pairwise(batch * i // count for i in range(count + 1)):
        k = int(torch.randint(0, len(present), (1,), generator=rng))
        order = torch.randperm(len(present), generator=rng).tolist()
        dropped = {present[i] for i in order[:k]}
        kept = tuple(m for m in present if m not in dropped)
        parts.append(Part(slice(start, stop), kept, tuple(m for m in present if m in dropped)))
    return parts


def rows_of(x: Tensor, parts: Sequence[Part], m: str, fate: Fate) -> Tensor:
    """The rows of x (B, ...) in all parts in which modality m has this fate."""
    return torch.cat([x[part.rows] for part in parts if m in getattr(part, fate)])


def join(
    of_parts: Sequence[Mapping[str, Tensor]], parts: Sequence[Part], fate: Fate
) -> dict[str, Tensor]:
    """What parts say of modalities with this fate: modality -> rows as in `rows_of`.

    Modalities without such a part are left out.
    """
    found: dict[str, list[Tensor]] = {}
    for values, part in zip(of_parts, parts, strict=True):
        for m in getattr(part, fate):
            found.setdefault(m, []).append(values[m])
    return {m: torch.cat(pieces) for m, pieces in found.items()}
