"""Embeddings seen against the rest of their own recording: what is always so of a person is gone.

People differ more than the states of one person do: of that difference a linear head of few
labelled subjects learns nothing that holds for others. Subtracting the mean over a whole recording
takes it away without a label; the score of a window then depends on the recording's other windows.
For scores only labelled windows are embedded, so the mean is theirs.
"""

from itertools import pairwise

import numpy as np

from physiome.evaluation.heads import ROUNDING


def less_own_mean(x: np.ndarray, whose: np.ndarray) -> np.ndarray:
    """Embeddings (n, D), each less the mean of all that are of the same record or subject.

    Args:
        whose: (n,) names of the records, or of the subjects.

    Returns:
        (n, D) float32; of what has one window alone, and in columns that vary by rounding alone,
        zeros: without its mean nothing would tell such a column from others.
    """
    names, which = np.unique(np.asarray(whose, str), return_inverse=True)
    order = np.argsort(which, kind="stable")
    edges = np.searchsorted(which[order], np.arange(len(names) + 1))
    found = np.empty(x.shape, np.float32)
    for start, stop in pairwise(edges):
        mine = order[start:stop]
        mean = x[mine].mean(axis=0, dtype=np.float64)
        less = x[mine] - mean
        found[mine] = np.where(less.std(axis=0) <= ROUNDING * np.abs(mean), 0.0, less)
    return found
