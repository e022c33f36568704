"""Who does what in a fold: pretrain, train, valid and test subjects that never overlap.

Folds are written once; every later step reads the file and checks it again.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from physiome.errors import DataError
from physiome.files import read_json

ROLES = ("pretrain", "train", "valid", "test")


def check_folds(folds: list[dict[str, Any]], where: object) -> None:
    """Refuse folds in which a subject has two roles, or is tested twice.

    Raises:
        DataError: naming the subject and the subsets or folds.
    """
    tested: dict[str, int] = {}
    for fold in folds:
        seen: dict[str, str] = {}
        for role in ROLES:
            for subject in fold[role]:
                if subject in seen:
                    raise DataError(
                        f"subject {subject} is in both {seen[subject]} and {role}",
                        where=f"{where}, fold {fold['fold']}",
                        do="delete the folds file and run again",
                    )
                seen[subject] = role
        for subject in fold["test"]:
            if subject in tested:
                raise DataError(
                    f"subject {subject} is tested in folds {tested[subject]} and {fold['fold']}",
                    where=where, do="delete the folds file and run again",
                )  # fmt: skip
            tested[subject] = fold["fold"]


def read_fold(path: str | Path, number: int) -> dict[str, list[str]]:
    """The subjects of each role in fold `number`, checked."""
    content = read_json(path)
    check_folds(content["folds"], path)
    for fold in content["folds"]:
        if fold["fold"] == number:
            return {role: fold[role] for role in ROLES}
    raise DataError(f"there is no fold {number}", where=path)


def roles_of(windows: pd.DataFrame, fold: dict[str, list[str]]) -> np.ndarray:
    """The role of each window's subject, (windows,) str; "" where the subject is in no subset."""
    role = {subject: name for name in ROLES for subject in fold[name]}
    return np.array([role.get(subject, "") for subject in windows["subject"]])
