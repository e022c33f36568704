"""Contrasts beside what they are worth: the level of chance, and how often the positive is found.

A method names those of its loss terms that are NT-Xent contrasts (`Method.contrasts`). A training
logs `<term>_chance` beside each; a method may log `<term>_accuracy`, and a chance of its own where
not all rows of a batch take part.
"""

import math
from collections.abc import Mapping, Sequence

CHANCE, ACCURACY = "_chance", "_accuracy"


def chance_level(pairs: int) -> float:
    """The contrast of B pairs whose vectors are all alike: ln(2B - 1)."""
    return math.log(2 * pairs - 1)


def chance_terms(
    contrasts: Sequence[str], terms: Mapping[str, object], rows: int
) -> dict[str, float]:
    """`<term>_chance` of every contrast among the terms that has none yet.

    Args:
        contrasts: names of terms; `<subset>/<name>` counts as well.
        rows: B, pairs in the batch.
    """
    found = [name for name in terms if name.rpartition("/")[2] in contrasts]
    return {n + CHANCE: chance_level(rows) for n in found if n + CHANCE not in terms}


def contrast_terms(terms: Mapping[str, float]) -> dict[str, float]:
    """Every contrast among logged terms, with its chance and its accuracy."""
    names = contrast_names(terms)
    wanted = [n + suffix for n in names for suffix in ("", CHANCE, ACCURACY)]
    return {name: terms[name] for name in wanted if name in terms}


def contrast_names(terms: Mapping[str, object]) -> list[str]:
    """Those of the logged terms that have a level of chance beside them."""
    return [name for name in terms if name + CHANCE in terms]


def summary_line(terms: Mapping[str, float]) -> str:
    """`contrast=3.91 chance=4.84`, each the mean over all contrasts; empty if there is none."""
    names = contrast_names(terms)
    if not names:
        return ""
    level = sum(terms[n] for n in names) / len(names)
    chance = sum(terms[n + CHANCE] for n in names) / len(names)
    return f"contrast={level:.4f} chance={chance:.4f}"
