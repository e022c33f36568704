"""Which classes the labelled and the test subjects of each fold hold, and in how many subjects."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from physiome.errors import DataError

WISHED = 2  # subjects of a class: one alone tells its class from itself
SCORED = ("train", "test")  # roles whose labels are used
TITLES = {"train": "labelled", "test": "test"}


@dataclass(frozen=True)
class Shortfall:
    """A class that fewer subjects than wished have, in a role of a fold."""

    fold: int
    role: str
    name: str  # of the class
    subjects: int  # of the role, with the class
    of_all: int  # of the data set, with the class

    def __str__(self) -> str:
        held = "no subjects" if self.subjects == 0 else "1 subject"
        return (
            f"fold {self.fold}, {TITLES[self.role]}: {held} with class {self.name!r}"
            f" ({self.of_all} in all)"
        )


def held_classes(counts: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """(subjects, classes) bool: who has windows of which class, from windows per label."""
    return counts.reindex(columns=range(len(classes)), fill_value=0).set_axis(classes, axis=1) > 0


def lack(held: np.ndarray) -> tuple[int, int]:
    """Of (subjects, classes) bool: classes nobody has, and subjects lacking to `WISHED` of each."""
    having = held.sum(axis=0)  # (classes,)
    return int((having == 0).sum()), int((WISHED - having).clip(min=0).sum())


def shortfalls(folds: Sequence[dict[str, Any]], held: pd.DataFrame) -> list[Shortfall]:
    """Every class with fewer than `WISHED` subjects among a fold's labelled or test subjects."""
    of_all = held.sum()
    return [
        Shortfall(fold["fold"], role, str(name), int(having), int(of_all[name]))
        for fold in folds
        for role in SCORED
        for name, having in held.loc[fold[role]].sum().items()
        if having < WISHED
    ]


def require_classes(found: Sequence[Shortfall]) -> None:
    """Refuse folds in which a class cannot be learned or scored at all.

    Raises:
        DataError: naming every fold, role and class without a subject, and how many have it.
    """
    absent = [str(shortfall) for shortfall in found if shortfall.subjects == 0]
    if absent:
        raise DataError(
            "some folds cannot be scored: a class is absent",
            where="folds",
            why="; ".join(absent),
            do="use fewer folds (folds.count), a larger folds.train_share or more recordings; or"
            " set folds.allow_missing_classes: true, which leaves the cells concerned empty",
        )
