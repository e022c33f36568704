"""Who does what in a fold: pretrain, train and test subjects that never overlap.

Folds are written once; every later step reads the file and checks it again.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from physiome.errors import DataError
from physiome.files import digest, read_json

# Learned from without labels; with labels; tested.
ROLES = ("pretrain", "train", "test")


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
                    where=where,
                    do="delete the folds file and run again",
                )
            tested[subject] = fold["fold"]


def read_fold(path: str | Path, number: int) -> dict[str, list[str]]:
    """The subjects of each role in fold `number`, checked.

    Raises:
        DataError: no folds file, no such fold, or a subject in two subsets or tested twice.
    """
    content = read_json(path)
    folds = _shaped(content, path)
    check_folds(folds, path)
    rest = {key: value for key, value in content.items() if key != "sum"}
    if content.get("sum", digest(rest)) != digest(rest):
        raise DataError(
            "the folds were altered after they were made",
            where=path,
            do=f"add --forcerun {path} to make them again",
        )
    for fold in folds:
        if fold["fold"] == number:
            return {role: fold[role] for role in ROLES}
    raise DataError(f"there is no fold {number}", where=path)


def _shaped(content: Any, path: str | Path) -> list[dict[str, Any]]:
    """The folds, each with a number of its own and, for every role, a list of subjects."""
    folds = content.get("folds")
    if isinstance(folds, list) and all(map(_is_fold, folds)):
        numbers = {fold["fold"] for fold in folds}
        if len(numbers) == len(folds):
            return folds
    raise DataError(
        "not a folds file",
        where=path,
        why=f"each fold needs a number of its own and subjects of {', '.join(ROLES)}",
        do="delete the folds file and run again",
    )


def _is_fold(fold: Any) -> bool:
    return (
        isinstance(fold, dict)
        and isinstance(fold.get("fold"), int)
        and all(isinstance(fold.get(role), list) for role in ROLES)
        and all(isinstance(subject, str) for role in ROLES for subject in fold[role])
    )


def roles_of(windows: pd.DataFrame, fold: dict[str, list[str]]) -> np.ndarray:
    """The role of each window's subject, (windows,) str; "" where the subject is in no subset."""
    role = {subject: name for name in ROLES for subject in fold[name]}
    return np.array([role.get(subject, "") for subject in windows["subject"]])
