"""Scores of predicted windows. A class that does not occur has no score (NaN), never a zero.

AUC is one-vs-rest and averaged over the classes that occur; with two classes it is that of the
second class's probability. Averages over classes are taken over those that occur in the labels.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

NAN = float("nan")


def window_metrics(y: np.ndarray, p: np.ndarray, classes: Sequence[str]) -> dict[str, float]:
    """acc, auc, f1, kappa and per class f1_<class>, auc_<class>, recall_<class>, as fractions.

    Args:
        y: (n,) class indices.
        p: (n, C) probabilities.
    """
    confusion = confusion_counts(y, p.argmax(axis=1), len(classes))
    total, right = confusion.sum(), np.trace(confusion)
    scores = {"acc": _ratio(right, total), "auc": NAN, "f1": NAN, "kappa": _kappa(confusion)}
    for c, name in enumerate(classes):
        true, said, both = confusion[c].sum(), confusion[:, c].sum(), confusion[c, c]
        scores[f"f1_{name}"] = _ratio(2 * both, true + said) if true else NAN
        scores[f"recall_{name}"] = _ratio(both, true)
        scores[f"auc_{name}"] = binary_auc(y == c, p[:, c])
    scores["f1"] = _mean([scores[f"f1_{name}"] for name in classes])
    if len(classes) == 2:
        scores["auc"] = binary_auc(y == 1, p[:, 1])
    else:
        scores["auc"] = _mean([scores[f"auc_{name}"] for name in classes])
    return scores


def binary_auc(positive: np.ndarray, score: np.ndarray) -> float:
    """Area under the ROC curve; NaN unless both kinds of window occur."""
    if positive.all() or not positive.any():
        return NAN
    return float(roc_auc_score(positive, score))


def onset_auc(y: np.ndarray, p: np.ndarray, event: np.ndarray) -> float:
    """AUC of a two-class task on the windows that are not already in the predicted state."""
    return binary_auc(y[~event] == 1, p[~event, 1])


def subject_accuracy(subjects: pd.Series, y: np.ndarray, p: np.ndarray) -> pd.DataFrame:
    """windows and acc per subject, sorted by subject."""
    right = pd.Series(p.argmax(axis=1) == y, index=subjects.index)
    grouped = right.groupby(subjects)
    return pd.DataFrame({"windows": grouped.size(), "acc": grouped.mean()}).rename_axis("subject")


def confusion_counts(y: np.ndarray, said: np.ndarray, n_classes: int) -> np.ndarray:
    """(C, C) counts: rows are true classes, columns predicted ones."""
    flat = np.bincount(y * n_classes + said, minlength=n_classes * n_classes)
    return flat.reshape(n_classes, n_classes)


def _kappa(confusion: np.ndarray) -> float:
    """Cohen's kappa; NaN if agreement by chance is certain."""
    total = confusion.sum()
    if total == 0:
        return NAN
    observed = np.trace(confusion) / total
    chance = confusion.sum(axis=0) @ confusion.sum(axis=1) / total**2
    return _ratio(observed - chance, 1 - chance)


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else NAN


def _mean(values: list[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else NAN
