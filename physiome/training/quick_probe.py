"""A cheap probe of embeddings: does a class show in them on subjects a head has not seen?

One strength instead of a search, a few hundred windows instead of all: good enough to compare a
training with its own start, not to be quoted. Its pieces are pure functions of arrays.
"""

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from physiome.data.folds.splits import subject_splits

# Of the head: strong, as is right for some hundred rows of some hundred features, and soon fitted.
STRENGTH = 0.01
ITERATIONS = 200
# A feature that varies by less than this share of the embedding's size varies by rounding only.
ROUNDING = 1e-5


def even_shares(counts: Sequence[int], total: int) -> list[int]:
    """How many to take of each of several heaps, `total` in all and as evenly as they allow."""
    shares, left = [0] * len(counts), total
    order = sorted(range(len(counts)), key=lambda i: counts[i])  # what small ones lack, others give
    for done, i in enumerate(order):
        shares[i] = min(counts[i], left // (len(counts) - done))
        left -= shares[i]
    return shares


def spread_sample(subjects: np.ndarray, labels: np.ndarray, total: int) -> np.ndarray:
    """Positions of at most `total` rows: even over subjects, in each over classes, then in time.

    A rare class is so looked at as closely as the others; AUC and balanced accuracy do not depend
    on the shares of classes.

    Args:
        subjects, labels: (n,) of each row.
    """
    chosen: list[np.ndarray] = []
    names = np.unique(subjects)
    of_subject = [np.flatnonzero(subjects == name) for name in names]
    for rows, share in zip(of_subject, even_shares([*map(len, of_subject)], total), strict=True):
        heaps = [rows[labels[rows] == c] for c in np.unique(labels[rows])]
        for heap, n in zip(heaps, even_shares([*map(len, heaps)], share), strict=True):
            chosen.append(heap[np.linspace(0, len(heap) - 1, n).round().astype(int)])
    return np.sort(np.concatenate([*chosen, np.arange(0)]))


def probe_scores(x: np.ndarray, y: np.ndarray, subjects: np.ndarray) -> dict[str, float]:
    """Scores of held-out subjects' windows, pooled over the splits.

    Args:
        x: (n, D) embeddings.
        y: (n,) classes, of at least two kinds.
        subjects: (n,), at least two.

    Returns:
        auc: macro one-vs-rest area under the ROC curve; balanced_acc: mean recall.
    """
    names = np.unique(y)
    p = np.zeros((len(y), len(names)))
    for fitted, held in subject_splits(subjects, y):
        p[held] = _fit_and_predict(x[fitted], y[fitted], x[held], names)
    kinds = range(1, 2) if len(names) == 2 else range(len(names))
    auc = np.mean([roc_auc_score(y == names[c], p[:, c]) for c in kinds])
    accuracy = balanced_accuracy_score(y, names[p.argmax(axis=1)])
    return {"auc": float(auc), "balanced_acc": float(accuracy)}


def _fit_and_predict(
    x: np.ndarray, y: np.ndarray, held: np.ndarray, names: np.ndarray
) -> np.ndarray:
    """Probabilities (m, C) of held-out rows; 0 for a class that the fitted rows lack."""
    p = np.zeros((len(held), len(names)))
    known = np.isin(names, y)
    if known.sum() == 1:
        p[:, known] = 1.0
        return p
    mean, scale = x.mean(axis=0), feature_scale(x)
    head = LogisticRegression(C=STRENGTH, max_iter=ITERATIONS, class_weight="balanced")
    head.fit((x - mean) / scale, y)
    p[:, known] = head.predict_proba((held - mean) / scale)
    return p


def feature_scale(x: np.ndarray) -> np.ndarray:
    """Standard deviation (D,) of each feature; infinite where it varies by rounding only."""
    spread, size = x.std(axis=0), np.sqrt(np.square(x).mean())
    return np.where(spread > ROUNDING * size, spread, np.inf)


def effective_rank(x: np.ndarray) -> float:
    """exp of the entropy of the normalised singular values of the centred rows (Roy & Vetterli).

    1 where all windows lie on a line, D where they fill D directions alike; 0 where they are one
    point within rounding. Centred, because a mean that all share would hide the rest.

    Args:
        x: (n, D), finite.
    """
    if np.isinf(feature_scale(x)).all():
        return 0.0
    values = np.linalg.svd(x - x.mean(axis=0), compute_uv=False)
    p = values[values > 0] / values.sum()
    return float(np.exp(-(p * np.log(p)).sum()))
