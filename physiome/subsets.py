"""Subsets of modalities: which exist, in which order, and what they are called."""

import random
from collections.abc import Iterable, Sequence
from itertools import combinations
from math import comb

from physiome.errors import PhysioError, nearest

Subset = tuple[str, ...]
AS_RECORDED = "as_recorded"  # every window with whatever modalities it really has


def all_subsets(modalities: Sequence[str]) -> list[Subset]:
    """All 2^M - 1 non-empty subsets in the paper's order: the full set, singles, pairs, ..."""
    sizes = [len(modalities), *range(1, len(modalities))]
    return [subset for size in sizes for subset in combinations(modalities, size)]


def some_subsets(modalities: Sequence[str], per_size: int, seed: int) -> list[Subset]:
    """The full set, each modality alone, each missing, and of every other size `per_size` drawn.

    In the order of `all_subsets`. Time and memory grow with what is returned, not with 2^M.
    """
    names, rng = tuple(modalities), random.Random(seed)
    found: set[Subset] = {names, *((m,) for m in names)}
    found |= {tuple(other for other in names if other != m) for m in names if len(names) > 1}
    for size in range(2, len(names) - 1):
        drawn: set[Subset] = set()
        while len(drawn) < min(per_size, comb(len(names), size)):
            drawn.add(tuple(sorted(rng.sample(names, size), key=names.index)))
        found |= drawn
    return in_order(found, names)


def in_order(subsets: Iterable[Subset], modalities: Sequence[str]) -> list[Subset]:
    """Subsets as `all_subsets` orders them: the full set, then by size and place."""
    place = {m: i for i, m in enumerate(modalities)}
    full = len(place)
    return sorted(subsets, key=lambda s: (len(s) != full, len(s), [place[m] for m in s]))


def named_subsets(names: Sequence[str] | None, modalities: Sequence[str]) -> list[Subset]:
    """The subsets with these names, in the order of all; every one if `names` is None."""
    if names is None:
        return all_subsets(modalities)
    return in_order({parse_subset(name, modalities) for name in names}, modalities)


def subset_name(subset: Iterable[str]) -> str:
    """`eeg_fpz_cz+eog`: the modality names in the order given."""
    return "+".join(subset)


def parse_subset(name: str, modalities: Sequence[str]) -> Subset:
    """The subset called `name`, in the order of `modalities`.

    Raises:
        PhysioError: for an empty subset, an unknown modality or one named twice.
    """
    parts = [part.strip() for part in name.split("+") if part.strip()]
    if not parts:
        raise PhysioError("empty subset", where=name, do=f"name some of {', '.join(modalities)}")
    for part in parts:
        if part not in modalities:
            raise PhysioError(f"unknown modality {part!r}", where=name, do=_meant(part, modalities))
    if len(set(parts)) != len(parts):
        raise PhysioError("a modality is named twice", where=name)
    return tuple(m for m in modalities if m in parts)


def _meant(part: str, modalities: Sequence[str]) -> str:
    """`did you mean`: names that begin with it, else that contain it, else the nearest."""
    asked = part.lower()
    alike = [m for m in modalities if m.lower().startswith(asked)]
    alike = alike or [m for m in modalities if asked in m.lower()]
    if not alike:
        return nearest(part, modalities)
    return f"did you mean {' or '.join(map(repr, alike))}? (known: {', '.join(modalities)})"
