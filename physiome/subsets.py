"""Subsets of modalities: which exist, in which order, and what they are called."""

from collections.abc import Iterable, Sequence
from itertools import combinations

from physiome.errors import PhysioError, nearest

Subset = tuple[str, ...]
AS_RECORDED = "as_recorded"  # every window with whatever modalities it really has


def all_subsets(modalities: Sequence[str]) -> list[Subset]:
    """All 2^M - 1 non-empty subsets in the paper's order: the full set, singles, pairs, ..."""
    sizes = [len(modalities), *range(1, len(modalities))]
    return [subset for size in sizes for subset in combinations(modalities, size)]


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
            raise PhysioError(
                f"unknown modality {part!r}", where=name, do=nearest(part, modalities)
            )
    if len(set(parts)) != len(parts):
        raise PhysioError("a modality is named twice", where=name)
    return tuple(m for m in modalities if m in parts)
