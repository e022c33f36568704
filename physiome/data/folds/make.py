"""Making folds by subject: balanced, seeded, and independent of the order of files."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from physiome.config.folds import FoldSpec
from physiome.data.folds.coverage import WISHED, held_classes, lack, require_classes, shortfalls
from physiome.data.folds.roles import ROLES, check_folds
from physiome.errors import DataError

DRAWS = 50  # random subsets among which the best balanced is taken
DIVISIONS = 20  # tried where the first leaves a test subset without a class
LEAST = 2  # labelled subjects: with one, no strength of the head could be chosen


def make_folds(windows: pd.DataFrame, spec: FoldSpec, classes: list[str]) -> list[dict[str, Any]]:
    """Divide the subjects of a windows table (columns subject, label) into folds.

    Subjects are sorted and stratified by their windows' labels; the order of files on disk changes
    nothing. Where the data allow it, every class has two subjects among each fold's labelled and
    test subjects.

    Returns:
        One entry per fold: its number and the sorted subjects of each role.

    Raises:
        DataError: if there are too few subjects; or, unless spec.allow_missing_classes, a class has
            no subject among a fold's labelled or test subjects.
    """
    counts = label_counts(windows)
    held = held_classes(counts, classes)
    labelled = set(counts.index[held.any(axis=1)])
    if len(labelled) < spec.count + 2:
        raise _too_few(len(labelled), spec.count)
    parts = _division(counts, held, spec.count, spec.seed)
    for part in parts:
        if len(labelled.difference(part)) < LEAST or len(counts) - len(part) < LEAST + 1:
            raise _too_few(len(labelled), spec.count)
    folds = []
    for number, test in enumerate(parts, start=1):
        rest = counts.drop(index=test)
        train = _take(rest, held.loc[rest.index], spec.train_share, spec.seed + number)
        roles = {
            "pretrain": [s for s in rest.index if s not in train],
            "train": train,
            "test": test,
        }
        folds.append({"fold": number, **{role: sorted(roles[role]) for role in ROLES}})
    check_folds(folds, "folds")
    if not spec.allow_missing_classes:
        require_classes(shortfalls(folds, held))
    return folds


def _too_few(subjects: int, folds: int) -> DataError:
    return DataError(
        f"{subjects} subjects with labels are too few for {folds} folds",
        why="each fold needs test subjects, two labelled ones and one to pretrain on",
        do="add recordings or change folds.count",
    )


def label_counts(windows: pd.DataFrame) -> pd.DataFrame:
    """Windows per subject (sorted rows) and label (columns, -1: none)."""
    return pd.crosstab(windows["subject"], windows["label"]).sort_index()


def _division(counts: pd.DataFrame, held: pd.DataFrame, parts: int, seed: int) -> list[list[str]]:
    """Test subjects of each fold: balanced by windows, if every part then holds every class.

    Otherwise, of this division and several that balance the number of subjects with each class, the
    one that lacks least; of equals the one with the most even class shares.
    """
    by_windows = _split(counts, parts, seed)
    if not any(map(any, _lacks(by_windows, held))):
        return by_windows
    # One row a part: a class needs as many. Whoever has no class counts as a subject all the same.
    has = parts * held.astype(int).assign(all=1)
    divisions = [by_windows, *(_split(has, parts, seed + i) for i in range(DIVISIONS))]

    places = [[counts.index.get_indexer(part) for part in division] for division in divisions]

    def order(i: int) -> tuple[int, int, float]:
        absent, lacking = np.sum(_lacks(divisions[i], held), axis=0)
        return absent, lacking, sum(_unlikeness(counts.to_numpy(), part) for part in places[i])

    return divisions[min(range(len(divisions)), key=order)]


def _lacks(parts: list[list[str]], held: pd.DataFrame) -> list[tuple[int, int]]:
    return [lack(held.loc[part].to_numpy()) for part in parts]


def _unlikeness(counts: np.ndarray, places: np.ndarray) -> float:
    """Difference of class shares between windows of some subjects and of all, summed."""
    mine = counts[places].sum(axis=0)  # (labels,)
    return float(np.abs(mine / max(1, mine.sum()) - counts.sum(axis=0) / counts.sum()).sum())


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


def _take(counts: pd.DataFrame, held: pd.DataFrame, share: float, seed: int) -> list[str]:
    """`share` of the subjects, at least `LEAST`: of many random draws the one most like all.

    Draws with two subjects of every class come first; where no draw has, subjects are chosen for
    the classes they have. StratifiedGroupKFold would take nearly the same subjects in every fold:
    it orders them by their labels, and its seed only breaks ties.
    """
    size = min(max(LEAST, round(share * len(counts))), len(counts) - 1)
    windows, has = counts.to_numpy(), held.to_numpy()
    rng = np.random.default_rng(seed)
    draws = [rng.choice(len(counts), size, replace=False) for _ in range(DRAWS)]
    if all(any(lack(has[draw])) for draw in draws):
        draws += [_covering(has, size, rng) for _ in range(DRAWS)]
    best = min(draws, key=lambda draw: (*lack(has[draw]), _unlikeness(windows, draw)))
    return sorted(counts.index[best])


def _covering(held: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Positions of `size` subjects, each the one that has most of the classes still lacking.

    Classes that few subjects have weigh more, and chance decides between equals.
    """
    having = held.sum(axis=0)  # (classes,)
    weight = 1.0 / np.maximum(having, 1)
    left = list(rng.permutation(len(held)))
    taken: list[int] = []
    while len(taken) < size:
        wanting = held[taken].sum(axis=0) < np.minimum(WISHED, having)
        gain = held[left] @ (weight * wanting)
        taken.append(left.pop(int(gain.argmax())))
    return np.array(taken)
