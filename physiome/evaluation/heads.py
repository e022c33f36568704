"""The main head on frozen embeddings: multinomial logistic regression.

Convex, so the result does not depend on a learning rate or a seed. The strength C is chosen on
validation subjects; the chosen head is then fitted again on training and validation rows together.
"""

import warnings
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from physiome.config.evaluation import ProbeSpec
from physiome.errors import DataError

CHUNK = 8192  # rows predicted at a time, so that a memory map stays on disk
FLOOR = 1e-15  # probability of the true class is at least this in the validation log-loss


class Labelled(NamedTuple):
    """Embeddings (n, D) and their classes (n,) as indices."""

    x: np.ndarray
    y: np.ndarray


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
    train: Labelled, valid: Labelled, classes: tuple[str, ...], spec: ProbeSpec, where: str
) -> tuple[LinearHead, dict[str, Any]]:
    """Choose C on `valid` by log-loss, then fit on both.

    Args:
        where: names the fold, method and subset in errors.

    Returns:
        The head, and what was chosen and why (strength, path, iterations, converged, absent).

    Raises:
        DataError: fewer than two classes to learn from, or no validation rows to choose with.
    """
    require_two_classes(train.y, classes, where)
    path: list[dict[str, Any]] = []
    strength = spec.strengths[0]
    if len(spec.strengths) > 1:
        if len(valid.y) == 0:
            raise DataError(
                "no validation windows to choose the strength with", where=where,
                do="more subjects, another validation share, or a single entry in strengths",
            )  # fmt: skip
        path = _strength_path(train, valid, len(classes), spec)
        strength = min(path, key=lambda step: (step["valid_log_loss"], step["strength"]))[
            "strength"
        ]
    both = Labelled(np.concatenate([train.x, valid.x]), np.concatenate([train.y, valid.y]))
    scaler, scaled = _standardised(both.x)
    model = LogisticRegression(C=strength, max_iter=spec.max_iterations)
    converged = _fit(model, scaled, both.y)
    choice = {
        "strength": strength,
        "path": path,
        "iterations": int(model.n_iter_.max()),
        "converged": converged,
        "absent_classes": absent_classes(both.y, classes),
    }
    return _as_head(model, scaler, len(classes)), choice


def require_two_classes(y: np.ndarray, classes: tuple[str, ...], where: str) -> None:
    """Raise DataError with the class counts unless at least two classes occur in `y`."""
    counts = np.bincount(y, minlength=len(classes))
    if np.count_nonzero(counts) < 2:
        shown = ", ".join(f"{name} {count}" for name, count in zip(classes, counts, strict=True))
        raise DataError(
            "a head needs at least two classes to learn from", where=where,
            why=f"training windows: {shown}",
            do="use more subjects or fewer folds, so that every fold's train subset has classes",
        )  # fmt: skip


def absent_classes(y: np.ndarray, classes: tuple[str, ...]) -> list[str]:
    """Names of the classes that do not occur in `y`."""
    return [name for index, name in enumerate(classes) if not np.any(y == index)]


def _strength_path(
    train: Labelled, valid: Labelled, n_classes: int, spec: ProbeSpec
) -> list[dict[str, Any]]:
    """Validation log-loss along rising C, each fit started from the one before."""
    scaler, scaled = _standardised(train.x)
    model = LogisticRegression(max_iter=spec.max_iterations, warm_start=True)
    path = []
    for strength in sorted(spec.strengths):
        converged = _fit(model.set_params(C=strength), scaled, train.y)
        p = _as_head(model, scaler, n_classes).probabilities(valid.x)
        true = p[np.arange(len(valid.y)), valid.y].astype(np.float64)
        path.append(
            {
                "strength": strength,
                "valid_log_loss": float(-np.log(np.maximum(true, FLOOR)).mean()),
                "iterations": int(model.n_iter_.max()),
                "converged": converged,
            }
        )
    return path


def _standardised(x: np.ndarray) -> tuple[StandardScaler, np.ndarray]:
    # float64: in float32 the optimiser's line search stops early at small gradients
    scaler = StandardScaler()
    return scaler, np.asarray(scaler.fit_transform(np.asarray(x, np.float64)))


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
