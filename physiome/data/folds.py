"""Making folds by subject: balanced, seeded, and independent of the order of files."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from physiome.config.folds import FoldSpec
from physiome.data.roles import ROLES, check_folds
from physiome.errors import DataError

DRAWS = 50  # random subsets among which the best balanced is taken


def make_folds(windows: pd.DataFrame, spec: FoldSpec, classes: list[str]) -> list[dict[str, Any]]:
    """Divide the subjects of a windows table (columns subject, label) into folds.

    Subjects are sorted and stratified by their windows' labels; the order of files on disk changes
    nothing.

    Returns:
        One entry per fold: its number and the sorted subjects of each role.

    Raises:
        DataError: if there are too few subjects, or a class is absent where it is needed.
    """
    counts = _label_counts(windows)
    labelled = int((counts.drop(columns=-1, errors="ignore").sum(axis=1) > 0).sum())
    if labelled < spec.count + 2:
        raise _too_few(labelled, spec.count)
    parts = _split(counts, spec.count, spec.seed)
    if labelled - max(len(part) for part in parts) < 3:
        raise _too_few(labelled, spec.count)
    folds = []
    for number, test in enumerate(parts, start=1):
        rest = counts.drop(index=test)
        train = _take(rest, spec.train_share, spec.seed + number, at_least=2)
        valid = _take(counts.loc[train], spec.valid_share, spec.seed + number, at_least=1)
        roles = {
            "pretrain": [s for s in rest.index if s not in train],
            "train": [s for s in train if s not in valid],
            "valid": valid,
            "test": test,
        }
        folds.append({"fold": number, **{role: sorted(roles[role]) for role in ROLES}})
    check_folds(folds, "folds")
    _check_classes(folds, counts, classes)
    return folds


def _too_few(subjects: int, folds: int) -> DataError:
    return DataError(
        f"{subjects} subjects with labels are too few for {folds} folds",
        why="each fold needs test subjects, and train, valid and pretrain subjects besides",
        do="add recordings or change folds.count",
    )


def _label_counts(windows: pd.DataFrame) -> pd.DataFrame:
    """Windows per subject (sorted rows) and label (columns, -1: none)."""
    return pd.crosstab(windows["subject"], windows["label"]).sort_index()


def _split(counts: pd.DataFrame, parts: int, seed: int) -> list[list[str]]:
    """Divide the subjects of a counts table into `parts`, with similar class shares."""
    # Windows in units of a hundredth of the mean subject: large data sets stay cheap to split.
    unit = max(1.0, counts.to_numpy().sum() / len(counts) / 100)
    weights = np.ceil(counts.to_numpy() / unit).astype(int)  # (subjects, labels)
    row, column = (np.repeat(axis.ravel(), weights.ravel()) for axis in np.indices(weights.shape))
    splitter = StratifiedGroupKFold(n_splits=parts, shuffle=True, random_state=seed)
    splits = splitter.split(np.zeros(len(row)), column, groups=row)
    names = counts.index.to_numpy()
    return [sorted(names[np.unique(row[chosen])].tolist()) for _, chosen in splits]


def _take(counts: pd.DataFrame, share: float, seed: int, at_least: int) -> list[str]:
    """`share` of the subjects, at least `at_least`: of many random draws the one most like all.

    StratifiedGroupKFold would take nearly the same subjects in every fold: it orders them by their
    labels, and its seed only breaks ties.
    """
    size = min(max(at_least, round(share * len(counts))), len(counts) - 1)
    rng = np.random.default_rng(seed)
    draws = [rng.choice(len(counts), size, replace=False) for _ in range(DRAWS)]
    whole = counts.sum() / counts.to_numpy().sum()
    shares = [counts.iloc[draw].sum() / counts.iloc[draw].to_numpy().sum() for draw in draws]
    best = min(range(DRAWS), key=lambda i: (shares[i] - whole).abs().sum())
    return sorted(counts.index[draws[best]])


def _check_classes(folds: list[dict[str, Any]], counts: pd.DataFrame, classes: list[str]) -> None:
    """Every class must occur among the labelled (train + valid) subjects of every fold."""
    for fold in folds:
        labelled = counts.loc[fold["train"] + fold["valid"]].sum()
        for code, name in enumerate(classes):
            if labelled.get(code, 0) == 0:
                shares = {c: int(labelled.get(i, 0)) for i, c in enumerate(classes)}
                raise DataError(
                    f"class {name!r} is absent from the labelled train subjects",
                    where=f"fold {fold['fold']}", why=f"windows per class: {shares}",
                    do="raise folds.train_share, change folds.seed, or add recordings",
                )  # fmt: skip
