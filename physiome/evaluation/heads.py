"""The main head on frozen embeddings: multinomial logistic regression.

Convex, so the result does not depend on a learning rate or a seed. The strength C is chosen by
cross-validation over all labelled subjects: one subject alone, or a few, says little of others. The
head is then fitted again on all labelled rows.
"""

import warnings
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from physiome.config.evaluation import ProbeSpec
from physiome.data.folds.splits import Split, subject_splits
from physiome.errors import DataError

CHUNK = 8192  # rows predicted at a time, so that a memory map stays on disk
FLOOR = 1e-15  # probability of the true class is at least this in the held-out log-loss
TIE = 6  # decimals of the held-out log-loss; where it is equal to so many, the smallest C is taken
PATH_TOLERANCE = 3e-4  # of the gradient: moves a held-out log-loss less than a step of C does
# Embeddings are float32, which tells numbers apart that differ by 6e-8 of their size: a column of
# which the sd is below this share of its mean varies by rounding only, and counts as constant.
ROUNDING = 1e-6
RISES = 2  # in a row, of the held-out log-loss along rising C, after which the path ends


class Labelled(NamedTuple):
    """Embeddings (n, D), their classes (n,) as indices, their subjects (n,), weights of columns.

    A weight (D,) multiplies the standardised column, which divides its penalty by the square; None:
    all are 1.
    """

    x: np.ndarray
    y: np.ndarray
    subjects: np.ndarray
    weights: np.ndarray | None = None


@dataclass(frozen=True)
class LinearHead:
    """softmax(weight @ (x - mean) / scale + bias); a bias of -inf means a class never seen."""

    mean: np.ndarray  # (D,)
    scale: np.ndarray  # (D,)
    weight: np.ndarray  # (C, D)
    bias: np.ndarray  # (C,)

    def probabilities(self, x: np.ndarray) -> np.ndarray:
        """Class probabilities (n, C) float32 of embeddings (n, D)."""
        out = np.empty((len(x), len(self.bias)), dtype=np.float32)
        for start in range(0, len(x), CHUNK):
            rows = (np.asarray(x[start : start + CHUNK], np.float64) - self.mean) / self.scale
            out[start : start + CHUNK] = softmax(rows @ self.weight.T + self.bias)
        return out


def softmax(logits: np.ndarray) -> np.ndarray:
    """Softmax over the last axis; an entry of -inf becomes exactly 0."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def fit_logistic(
    data: Labelled, classes: tuple[str, ...], spec: ProbeSpec, where: str
) -> tuple[LinearHead, dict[str, Any]]:
    """Choose C by the log-loss on held-out subjects, pooled over their windows; fit on all rows.

    Args:
        where: names the fold, method and subset in errors.

    Returns:
        The head, and what was chosen and why: strength, path (strength, cv_log_loss, iterations,
        converged), splits, subjects, stopped_early (the path ended after two rises in a row, before
        the last strength), edge ("lowest" or "highest" where the best strength is the last of the
        grid on that side, else ""), iterations, converged, absent_classes.

    Raises:
        DataError: fewer than two classes to learn from, or strengths to choose from and fewer than
            two subjects to choose with.
    """
    reason = why_unfit(data, classes, spec)
    if reason:
        raise _unfit(reason, where)
    grid = sorted(set(spec.strengths))
    splits = subject_splits(data.subjects, data.y) if len(grid) > 1 else []
    path = _strength_path(data, splits, grid, len(classes), spec) if splits else []
    chosen = min(range(len(path)), key=lambda i: (round(path[i]["cv_log_loss"], TIE), i), default=0)
    scaler, scaled = _standardised(np.asarray(data.x, np.float64), data.weights)
    # float64 here: in float32 the line search stops early at small gradients
    model = LogisticRegression(C=grid[chosen], max_iter=spec.max_iterations)
    converged = _fit(model, scaled, data.y)
    choice = {
        "strength": grid[chosen],
        "path": path,
        "splits": len(splits),
        "subjects": len(np.unique(data.subjects)),
        "stopped_early": 0 < len(path) < len(grid),
        "edge": _edge(path, chosen, len(grid)),
        "iterations": int(model.n_iter_.max()),
        "converged": converged,
        "absent_classes": absent_classes(data.y, classes),
    }
    return _as_head(model, scaler, len(classes)), choice


def why_unfit(data: Labelled, classes: tuple[str, ...], spec: ProbeSpec) -> str:
    """Why no head can be fitted on these rows; "" if one can."""
    if len(spec.strengths) > 1 and len(np.unique(data.subjects)) == 1:
        return "one labelled subject only: there is no other to choose the head's strength on"
    return _one_class(data.y, classes)


def require_two_classes(y: np.ndarray, classes: tuple[str, ...], where: str) -> None:
    """Raise DataError with the class counts unless at least two classes occur in `y`."""
    reason = _one_class(y, classes)
    if reason:
        raise _unfit(reason, where)


def _one_class(y: np.ndarray, classes: tuple[str, ...]) -> str:
    counts = np.bincount(y, minlength=len(classes))
    if np.count_nonzero(counts) > 1:
        return ""
    shown = ", ".join(f"{name} {count}" for name, count in zip(classes, counts, strict=True))
    return f"a head needs at least two classes to learn from; labelled windows: {shown}"


def _unfit(reason: str, where: str) -> DataError:
    return DataError(
        reason,
        where=where,
        do="use more labelled subjects (folds.train_share), fewer folds or more recordings",
    )


def absent_classes(y: np.ndarray, classes: tuple[str, ...]) -> list[str]:
    """Names of the classes that do not occur in `y`."""
    return [name for index, name in enumerate(classes) if not np.any(y == index)]


def _strength_path(
    data: Labelled, splits: list[Split], grid: list[float], n_classes: int, spec: ProbeSpec
) -> list[dict[str, Any]]:
    """Held-out log-loss along rising C, each fit started from the one before.

    Costs grow with C, and the loss has one valley but for noise: two rises in a row end the path.
    Only one split is standardised at a time, so that memory does not grow with their number.
    """
    # float32 halves time and memory; at this tolerance it gives the same losses
    x = np.asarray(data.x, np.float32)
    models = [
        LogisticRegression(max_iter=spec.max_iterations, tol=PATH_TOLERANCE, warm_start=True)
        for _ in splits
    ]
    path: list[dict[str, Any]] = []
    for strength in grid:
        true = np.empty(len(data.y))  # probability of the true class, of each row when held out
        converged, iterations = True, 0
        for model, (fitted, held) in zip(models, splits, strict=True):
            y = data.y[fitted]
            if np.all(y == y[0]):  # one class to learn from: it is certain
                true[held] = data.y[held] == y[0]
                continue
            scaler, scaled = _standardised(x[fitted], data.weights)
            converged &= _fit(model.set_params(C=strength), scaled, y)
            iterations = max(iterations, int(model.n_iter_.max()))
            p = _as_head(model, scaler, n_classes).probabilities(x[held])
            true[held] = p[np.arange(len(held)), data.y[held]]
        loss = float(-np.log(np.maximum(true, FLOOR)).mean())
        step = {"strength": strength, "cv_log_loss": loss}
        path.append({**step, "iterations": iterations, "converged": converged})
        last = [round(step["cv_log_loss"], TIE) for step in path[-1 - RISES :]]
        if len(last) > RISES and all(a < b for a, b in pairwise(last)):
            break
    return path


def _edge(path: list[dict[str, Any]], chosen: int, grid: int) -> str:
    """Which end of the grid the choice lies at; "" inside it, or where C makes no difference."""
    losses = [round(step["cv_log_loss"], TIE) for step in path]
    if len(set(losses)) < 2:
        return ""
    return {0: "lowest", grid - 1: "highest"}.get(chosen, "")


def column_scale(mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """What columns (D,) are divided by: their sd, or what leaves a constant one next to nothing."""
    return np.where(sd > ROUNDING * np.abs(mean), sd, np.maximum(1.0, np.abs(mean)))


def _standardised(x: np.ndarray, weights: np.ndarray | None) -> tuple[StandardScaler, np.ndarray]:
    scaler = StandardScaler().fit(x)
    scaler.scale_ = column_scale(np.asarray(scaler.mean_), np.sqrt(scaler.var_))
    if weights is not None:
        scaler.scale_ = scaler.scale_ / weights
    return scaler, np.asarray(scaler.transform(x))


def _fit(model: LogisticRegression, x: np.ndarray, y: np.ndarray) -> bool:
    """Fit in place; False if the optimiser gave up. Other warnings are passed on."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(x, y)
    converged = True
    for entry in caught:
        if issubclass(entry.category, ConvergenceWarning):
            converged = False  # recorded with the choice and noted by the probe
        else:
            warnings.warn_explicit(entry.message, entry.category, entry.filename, entry.lineno)
    return converged


def _as_head(model: LogisticRegression, scaler: StandardScaler, n_classes: int) -> LinearHead:
    weight = np.zeros((n_classes, model.coef_.shape[1]))
    bias = np.full(n_classes, -np.inf)
    seen = model.classes_
    if len(seen) == 2:  # one row of coefficients: the logit of the second class
        weight[seen[1]] = model.coef_[0]
        bias[seen] = 0.0, model.intercept_[0]
    else:
        weight[seen], bias[seen] = model.coef_, model.intercept_
    return LinearHead(np.asarray(scaler.mean_), np.asarray(scaler.scale_), weight, bias)
