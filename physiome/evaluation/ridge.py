"""A second, linear reading of the embeddings: ridge regression on a dense target.

Rare events cannot rank systems: of forty subjects with a few hypotensive ones, AUC hangs on those
few. The mean pressure to come has a value in every window.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut
from threadpoolctl import threadpool_limits

from physiome.errors import DataError
from physiome.evaluation.embeddings import ROLES, Embeddings, read_targets
from physiome.evaluation.heads import column_scale
from physiome.subsets import Subset, subset_name

STRENGTHS = tuple(10.0**k for k in range(-2, 7))  # of a penalty beside a sum over windows
# How many times their usual weight level columns may have: a target that is nearly a level itself
# is spoilt by all columns beside it, which a penalty that is the same for both cannot shut out.
TIMES = (1.0, 4.0, 16.0)
LABELLED = [role for role in ROLES if role != "test"]
LEAVE_ONE_OUT = 8  # subjects up to which each is left out alone; else five groups


@dataclass(frozen=True)
class RidgeHead:
    """Standardised embedding (D,) -> target, linear."""

    mean: np.ndarray
    scale: np.ndarray
    model: Ridge
    strength: float

    def predict(self, x: np.ndarray) -> np.ndarray:
        """(n, D) -> (n,) in the target's unit."""
        return self.model.predict((x.astype(np.float64) - self.mean) / self.scale)


def fit_ridge(
    x: np.ndarray,
    y: np.ndarray,
    subjects: np.ndarray,
    where: str,
    weights: Sequence[np.ndarray | float] = (1.0,),
) -> RidgeHead:
    """Strength, and which of the weights, by grouped cross-validation over subjects; then on all.

    Of the smallest squared error; among equal ones the first weights.

    Args:
        x: (n, D) embeddings of labelled windows.
        y: (n,) target.
        subjects: (n,) whose window it is.
        weights: to choose from, each (D,) by which standardised columns are multiplied.

    Raises:
        DataError: with fewer than two subjects, of which none can be left out.
    """
    if reason := why_no_ridge(subjects):
        raise DataError(reason, where=where, do="raise folds.train_share")
    few = len(np.unique(subjects)) <= LEAVE_ONE_OUT
    split = LeaveOneGroupOut() if few else GroupKFold(5)
    grid = list(product(weights, STRENGTHS))
    errors = np.zeros(len(grid))
    with threadpool_limits(1):
        for fitted, left in split.split(x, y, subjects):
            for i, (weight, strength) in enumerate(grid):
                head = _fit(x[fitted], y[fitted], strength, weight)
                errors[i] += np.square(y[left] - head.predict(x[left])).sum()
        weight, strength = grid[int(errors.argmin())]
        return _fit(x, y, strength, weight)


def why_no_ridge(subjects: np.ndarray) -> str:
    """Why no ridge can be fitted on windows of these subjects; "" if one can."""
    count = len(np.unique(subjects))
    return "" if count > 1 else f"a ridge needs at least two labelled subjects: {count} found"


def _fit(x: np.ndarray, y: np.ndarray, strength: float, weights: np.ndarray | float) -> RidgeHead:
    x = x.astype(np.float64)
    mean = x.mean(axis=0)
    scale = column_scale(mean, x.std(axis=0)) / weights
    model = Ridge(alpha=strength).fit((x - mean) / scale, y)
    return RidgeHead(mean, scale, model, strength)


def with_dense(embeddings: Embeddings, predicted: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The per-window table with columns target and predicted; as it is where nothing is dense.

    Each subset has a ridge of its own, fitted on the labelled subjects' windows that carry it.
    Where those teach none, `predicted` is NaN.

    Returns:
        The table, and why a subset has no ridge.
    """
    labelled = read_targets(embeddings, LABELLED)
    if labelled is None:
        return predicted, []
    heads, lacking = {}, []
    for subset in embeddings.subsets:
        windows = pd.concat([embeddings.carrying(subset, role) for role in LABELLED])
        if reason := why_no_ridge(windows["subject"].to_numpy(str)):
            lacking.append(f"{subset_name(subset)}: {reason}")
        else:
            heads[subset] = _fitted(embeddings, subset, windows, labelled)
    tested = read_targets(embeddings, ["test"])  # nothing above has seen these
    assert tested is not None
    said = []
    for subset in embeddings.subsets:
        test = embeddings.carrying(subset, "test")
        found = test[["record", "number"]].assign(subset=subset_name(subset), predicted=np.nan)
        if subset in heads and len(test):
            found["predicted"] = heads[subset].predict(embeddings.values(subset, test))
        said.append(found.assign(target=_of(tested, test)))
    keys = ["record", "number", "subset"]
    return predicted.merge(pd.concat(said), on=keys, how="left", validate="many_to_one"), lacking


def _fitted(
    embeddings: Embeddings, subset: Subset, windows: pd.DataFrame, targets: pd.Series
) -> RidgeHead:
    who, where = windows["subject"].to_numpy(str), f"{embeddings.title} {subset_name(subset)}"
    times = TIMES if embeddings.facts.level_columns else TIMES[:1]
    weights = [embeddings.weights(subset, n) for n in times]
    x = embeddings.values(subset, windows)
    return fit_ridge(x, _of(targets, windows), who, where, weights)


def _of(targets: pd.Series, windows: pd.DataFrame) -> np.ndarray:
    keys = pd.MultiIndex.from_frame(windows[["record", "number"]])
    return targets.reindex(keys).to_numpy(np.float64)
