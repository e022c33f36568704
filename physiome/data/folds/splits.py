"""Splits by subject inside the labelled subjects of a fold, for choices that need held-out people.

Leave one subject out where there are few, five groups of subjects where there are many.
"""

import numpy as np
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut, StratifiedGroupKFold

from physiome.errors import DataError

FEW = 8  # subjects up to which each is left out alone
GROUPS = 5  # of subjects, where there are more

Split = tuple[np.ndarray, np.ndarray]  # rows to fit on, rows held out


def subject_splits(subjects: np.ndarray, labels: np.ndarray | None = None) -> list[Split]:
    """Rows to fit on and rows held out, of each split; every row is held out once.

    Nothing is drawn at random, and the order of rows changes only the order of rows in a split.

    Args:
        subjects: (n,) the subject of each row.
        labels: (n,) the class of each row: groups then have similar class shares, so that a class
            of few subjects is not held out as a whole where it can be helped. None (or a target
            that is no class): groups of similar size.

    Raises:
        DataError: fewer than two subjects.
    """
    count = len(np.unique(subjects))
    if count < 2:
        raise DataError(
            "rows of fewer than two subjects cannot be split by subject",
            why=f"subjects: {count} in {len(subjects)} rows",
            do="label more subjects: raise folds.train_share or add recordings",
        )
    rows = np.zeros(len(subjects))
    if count <= FEW:
        splits = LeaveOneGroupOut().split(rows, groups=subjects)
    elif labels is None:
        splits = GroupKFold(GROUPS).split(rows, groups=subjects)
    else:
        splits = StratifiedGroupKFold(GROUPS).split(rows, _common(labels), groups=subjects)
    return [(fitted, held) for fitted, held in splits if len(fitted) and len(held)]


def _common(labels: np.ndarray) -> np.ndarray:
    """Labels with classes of fewer rows than groups, which no division balances, put together."""
    names, place, counts = np.unique(labels, return_inverse=True, return_counts=True)
    most = names[counts.argmax()]
    return np.where(counts[place] < GROUPS, most, labels)
