"""How far a score would move with other test subjects: a bootstrap over subjects (ours).

Windows of one subject resemble each other, so whole subjects are drawn, with replacement, within
each fold. Predictions are first counted by subject: a resample is then a small matrix product.
The intervals speak of the models as trained; they hold no spread over trainings or folds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BINS = 512  # of the ranks of a score; within one, ties count half


@dataclass(frozen=True)
class Counts:
    """One fold's predicted test windows, by subject. S subjects, C classes, K of them ranked.

    Attributes:
        subjects: (S,) names, sorted.
        right: (S,) windows predicted right.
        windows: (S,) windows.
        positive: (K, S, B) windows of a class by rank of that class's score.
        every: (K, S, B) windows of all classes by the same rank.
    """

    subjects: np.ndarray
    right: np.ndarray
    windows: np.ndarray
    positive: np.ndarray
    every: np.ndarray


def count(subjects: Sequence[str], y: np.ndarray, p: np.ndarray, bins: int = BINS) -> Counts:
    """Count predictions by subject. Of two classes only the second is ranked, as in its AUC.

    Args:
        subjects: (n,) whose window it is.
        y: (n,) class indices.
        p: (n, C) probabilities.
        bins: ranks told apart; scores of at most so many values keep every one of them.
    """
    names, who = np.unique(np.asarray(subjects, dtype=str), return_inverse=True)
    classes = p.shape[1]
    ranked = [1] if classes == 2 else range(classes)
    positive = np.zeros((len(ranked), len(names), bins))
    every = np.zeros_like(positive)
    for k, c in enumerate(ranked):
        rank = _ranks(p[:, c], bins)
        np.add.at(every[k], (who, rank), 1)
        np.add.at(positive[k], (who[y == c], rank[y == c]), 1)
    right = np.bincount(who, weights=p.argmax(axis=1) == y, minlength=len(names))
    return Counts(names, right, np.bincount(who, minlength=len(names)), positive, every)


def draw(subjects: int, resamples: int, seed: Sequence[int]) -> np.ndarray:
    """(R, S) how often each subject is drawn; the same for every method with the same seed."""
    rng = np.random.default_rng(list(seed))
    return rng.multinomial(subjects, np.full(subjects, 1 / subjects), size=resamples).astype(float)


def resampled_acc(counts: Counts, drawn: np.ndarray) -> np.ndarray:
    """(R,) accuracy of each resample."""
    return (drawn @ counts.right) / (drawn @ counts.windows)


def resampled_auc(counts: Counts, drawn: np.ndarray) -> np.ndarray:
    """(R,) AUC of each resample; one-vs-rest and averaged over classes if there are over two.

    A class that a resample lacks is left out of its average; NaN if no class is left.
    """
    pairs = zip(counts.positive, counts.every, strict=True)
    return known_mean(np.stack([_auc(drawn @ mine, drawn @ all_) for mine, all_ in pairs]))


def known_mean(values: np.ndarray) -> np.ndarray:
    """Mean over the first axis of what is not NaN; NaN where nothing is."""
    known = ~np.isnan(values)
    return _ratio(np.where(known, values, 0).sum(axis=0), known.sum(axis=0))


def percentile_interval(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """The middle `level` of the defined values; NaN, NaN if there are none."""
    defined = values[~np.isnan(values)]
    if len(defined) == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _ranks(score: np.ndarray, bins: int) -> np.ndarray:
    """(n,) bin of each score: bins of equal counts, in the order of the scores."""
    values = np.unique(score)
    if len(values) <= bins:
        return np.searchsorted(values, score)
    edges = np.quantile(score, np.arange(1, bins) / bins)
    return np.searchsorted(np.unique(edges), score, side="right")


def _auc(positive: np.ndarray, every: np.ndarray) -> np.ndarray:
    """(R,) share of pairs in the right order, from (R, B) counts by rank."""
    negative = every - positive
    below = np.cumsum(negative, axis=1) - negative / 2
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    return _ratio((positive * below).sum(axis=1), pairs)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole > 0)
