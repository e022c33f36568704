"""The windows of one fold: those of all shards, and whose subjects have which role."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from physiome.data.folds.roles import read_fold, roles_of
from physiome.data.store.windows import WindowStore
from physiome.errors import DataError


def open_fold(
    shards: Sequence[Path], modalities: Sequence[str], folds: Path, fold: int
) -> tuple[WindowStore, np.ndarray]:
    """The windows of all shards, and each window's role in the fold.

    Raises:
        DataError: if a subject of the fold has no window, so that folds and shards do not match.
    """
    store = WindowStore(shards, modalities)
    subjects = read_fold(folds, fold)
    known = set(store.table["subject"])
    for role, names in subjects.items():
        for subject in names:
            if subject not in known:
                raise DataError(
                    f"subject {subject} ({role}) has no windows in the shards",
                    where=folds,
                    do="delete the folds file and run again",
                )
    return store, roles_of(store.table, subjects)
