"""Under which subsets of its modalities a data set is scored."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt

from physiome.config.base import Spec
from physiome.errors import PhysioError
from physiome.subsets import named_subsets, some_subsets, subset_name

ALL_UP_TO = 4  # modalities: 15 subsets; nine would make 511
ALL_AT_MOST = 10  # modalities, when asked for


class SomeSubsets(Spec):
    """The full set, each modality alone, each missing, and `per_size` of every other size."""

    per_size: NonNegativeInt = 3
    seed: NonNegativeInt = 0


Named = Annotated[tuple[str, ...], Field(min_length=1)]
Choice = Literal["all"] | SomeSubsets | Named | None


def scored_subsets(choice: Choice, modalities: Sequence[str]) -> tuple[str, ...] | None:
    """Names of the subsets that are scored, in order; None: all there are.

    Raises:
        ValueError: a subset that cannot be, one named twice, or no full set.
    """
    if choice is None:
        choice = "all" if len(modalities) <= ALL_UP_TO else SomeSubsets()
    if isinstance(choice, SomeSubsets):
        found = some_subsets(modalities, choice.per_size, choice.seed)
    elif choice == "all":
        if len(modalities) > ALL_AT_MOST:
            raise ValueError(
                f"subsets: 'all' of {len(modalities)} modalities are {2 ** len(modalities) - 1} - "
                "give {per_size: 3}, or names"
            )
        return None
    else:
        found = _named(choice, modalities)
    names = tuple(map(subset_name, found))
    return None if len(names) == 2 ** len(modalities) - 1 else names


def _named(names: Sequence[str], modalities: Sequence[str]) -> list[tuple[str, ...]]:
    try:
        found = named_subsets(names, modalities)
    except PhysioError as error:
        raise ValueError(f"subsets: {error}") from None
    if len(found) < len(names):
        raise ValueError("subsets: one is named twice")
    full = subset_name(modalities)
    if len(found[0]) < len(modalities):
        raise ValueError(f"subsets: the full set {full!r} is not named; drops are told against it")
    return found
