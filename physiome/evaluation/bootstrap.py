"""How far a score would move with other test subjects: a bootstrap over subjects (ours).

Windows of one subject resemble each other, so whole subjects are drawn, with replacement, within
each fold. Predictions are first counted by subject: a resample is then a small matrix product.
The intervals speak of the models as trained; they hold no spread over trainings or folds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BINS = 1024  # of the ranks of a score; windows in the same one count as ties, by half


@dataclass(frozen=True)
class Counts:
    """One fold's predicted test windows, by subject. S subjects, C classes, K of them ranked.

    Attributes:
        subjects: (S,) names, sorted.
        right: (S,) windows predicted right.
        windows: (S,) windows.
        positive: (K, S) windows of a ranked class.
        wins: (K, S, S) pairs of a window of the class (of the first subject) and one of another
            class (of the second) where the former has the higher score of the class; ties half.
    """

    subjects: np.ndarray
    right: np.ndarray
    windows: np.ndarray
    positive: np.ndarray
    wins: np.ndarray


def count(subjects: Sequence[str], y: np.ndarray, p: np.ndarray, bins: int = BINS) -> Counts:
    """Count predictions by subject. Of two classes only the second is ranked, as in its AUC.

    Args:
        subjects: (n,) whose window it is.
        y: (n,) class indices.
        p: (n, C) probabilities.
        bins: ranks told apart; scores of at most so many values keep every one of them.
    """
    names, who = np.unique(np.asarray(subjects, dtype=str), return_inverse=True)
    ranked = [1] if p.shape[1] == 2 else range(p.shape[1])
    positive = np.stack([np.bincount(who[y == c], minlength=len(names)) for c in ranked])
    wins = np.stack([_wins(who, y == c, _ranks(p[:, c], bins), bins) for c in ranked])
    right = np.bincount(who, weights=p.argmax(axis=1) == y, minlength=len(names))
    return Counts(names, right, np.bincount(who, minlength=len(names)), positive, wins)


def _wins(who: np.ndarray, positive: np.ndarray, rank: np.ndarray, bins: int) -> np.ndarray:
    """(S, S) pairs won by the positive windows of one subject against the others of another."""
    shape = (who.max() + 1, bins)
    flat = np.ravel_multi_index((who, rank), shape)
    mine = np.bincount(flat[positive], minlength=shape[0] * bins).reshape(shape).astype(float)
    others = np.bincount(flat[~positive], minlength=shape[0] * bins).reshape(shape)
    return mine @ (np.cumsum(others, axis=1) - others / 2).T


def draw(subjects: int, resamples: int, seed: Sequence[int]) -> np.ndarray:
    """(R, S) how often each subject is drawn; the same for every method with the same seed."""
    rng = np.random.default_rng(list(seed))
    return rng.multinomial(subjects, np.full(subjects, 1 / subjects), size=resamples).astype(float)


def resampled_acc(counts: Counts, drawn: np.ndarray) -> np.ndarray:
    """(R,) accuracy of each resample; NaN of one without a window."""
    return _ratio(drawn @ counts.right, drawn @ counts.windows)


def resampled_auc(counts: Counts, drawn: np.ndarray) -> np.ndarray:
    """(R,) AUC of each resample; one-vs-rest and averaged over classes if there are over two.

    A class that a resample lacks is left out of its average; NaN if no class is left.
    """
    found = []
    for positive, wins in zip(counts.positive, counts.wins, strict=True):
        mine, others = drawn @ positive, drawn @ (counts.windows - positive)
        found.append(_ratio(np.einsum("rs,rs->r", drawn @ wins, drawn), mine * others))
    return known_mean(np.stack(found))


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


def subjects_interval(values: np.ndarray, subjects: int, folds: int) -> tuple[float, float]:
    """`percentile_interval` of resamples; NaN, NaN where no fold has two subjects.

    A fold's only subject is always drawn, so that nothing would vary.

    Args:
        subjects: of all these folds.
    """
    return percentile_interval(values if subjects > folds else values[:0])


def _ranks(score: np.ndarray, bins: int) -> np.ndarray:
    """(n,) bin of each score: bins of equal counts, in the order of the scores."""
    values = np.unique(score)
    if len(values) <= bins:
        return np.searchsorted(values, score)
    edges = np.quantile(score, np.arange(1, bins) / bins)
    return np.searchsorted(np.unique(edges), score, side="right")


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole > 0)
