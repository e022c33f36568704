"""Scores of predicted windows. A class that does not occur has no score (NaN), never a zero.

AUC and AUPRC are one-vs-rest and averaged over the classes that occur; with two classes they are
those of the second class's probability. Averages over classes are taken over those that occur in
the labels. Classes go by name.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from sklearn.metrics import (
    average_precision_score,
    cohen_kappa_score,
    precision_recall_fscore_support,
    roc_auc_score,
)

NAN = float("nan")
BINS = 15  # of the calibration error, as Guo et al. (ICML 2017)


def window_metrics(y: np.ndarray, p: np.ndarray, classes: Sequence[str]) -> dict[str, float]:
    """Scores as fractions: acc, auc, balanced_acc, f1, kappa, auprc, ece and those of each class.

    f1 is the macro-F1, balanced_acc the mean recall, auprc the average precision (its average over
    classes, as of auc), ece the expected calibration error of the most probable class: less is
    better. Per class: recall_<class>, f1_<class>, auc_<class>, auprc_<class>.

    Args:
        y: (n,) class indices.
        p: (n, C) probabilities.
    """
    scores = _of_decisions(y, p.argmax(axis=1), classes)
    for c, name in enumerate(classes):
        scores[f"auc_{name}"] = binary_auc(y == c, p[:, c])
        scores[f"auprc_{name}"] = binary_auprc(y == c, p[:, c])
    averaged = classes[1:] if len(classes) == 2 else classes
    for metric in ("auc", "auprc"):
        scores[metric] = _mean([scores[f"{metric}_{name}"] for name in averaged])
    scores["ece"] = calibration_error(y, p)
    return scores


def _of_decisions(y: np.ndarray, said: np.ndarray, classes: Sequence[str]) -> dict[str, float]:
    """acc, balanced_acc, f1, kappa and recall_<class>, f1_<class>, of indices (n,)."""
    counts = confusion_counts(y, said, len(classes))
    if not counts.any():
        each = [f"{metric}_{name}" for metric in ("recall", "f1") for name in classes]
        return dict.fromkeys(["acc", "balanced_acc", "f1", "kappa", *each], NAN)
    # A cell of the confusion matrix stands for all its windows: the library then sees C * C rows.
    true, told = (axis.ravel() for axis in np.indices(counts.shape))
    weight = counts.ravel()
    _, recall, f1, windows = precision_recall_fscore_support(
        true, told, sample_weight=weight, zero_division=np.nan
    )
    recall, f1 = (np.where(windows > 0, values, NAN) for values in (recall, f1))
    certain = counts.diagonal().max() == counts.sum()  # agreement by chance: there is one class
    return {
        "acc": float(np.trace(counts) / counts.sum()),
        "balanced_acc": _mean(recall),
        "f1": _mean(f1),
        "kappa": NAN if certain else float(cohen_kappa_score(true, told, sample_weight=weight)),
        **{f"recall_{name}": float(recall[c]) for c, name in enumerate(classes)},
        **{f"f1_{name}": float(f1[c]) for c, name in enumerate(classes)},
    }


def binary_auc(positive: np.ndarray, score: np.ndarray) -> float:
    """Area under the ROC curve; NaN unless both kinds of window occur."""
    if positive.all() or not positive.any():
        return NAN
    return float(roc_auc_score(positive, score))


def binary_auprc(positive: np.ndarray, score: np.ndarray) -> float:
    """Average precision; NaN unless both kinds of window occur."""
    if positive.all() or not positive.any():
        return NAN
    return float(average_precision_score(positive, score))


def calibration_error(y: np.ndarray, p: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error (Guo et al., ICML 2017, eq. 3); NaN without windows.

    Windows are sorted into equal, right-closed bins of their largest probability; the error is the
    mean over windows of |share right - mean probability| of the window's bin.

    Args:
        y: (n,) class indices.
        p: (n, C) probabilities.
    """
    if len(y) == 0:
        return NAN
    top = p.max(axis=1).astype(np.float64)
    place = np.clip(np.ceil(top * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(place, weights=(p.argmax(axis=1) == y) - top)  # times windows in the bin
    return float(np.abs(gaps).sum() / len(y))


def class_counts(
    subjects: pd.Series, y: np.ndarray, classes: Sequence[str], prefix: str = ""
) -> dict[str, float]:
    """windows_<class> and subjects_<class>: windows of a class, and subjects who have one.

    Args:
        subjects: (n,) of the windows.
        y: (n,) class indices.
        prefix: set before each name.
    """
    found = {}
    for c, name in enumerate(classes):
        mine = subjects[y == c]
        found[f"{prefix}windows_{name}"] = float(len(mine))
        found[f"{prefix}subjects_{name}"] = float(mine.nunique())
    return found


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


def _mean(values: Iterable[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else NAN
