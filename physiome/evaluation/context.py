"""What the heads `centred` and `context` are given of the embeddings of a whole recording.

States last longer than a window: of sleep, minutes. So a window's neighbours tell of it, too,
before and after; where something is to be foretold, that would be looking ahead.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from physiome.evaluation.centred import less_own_mean
from physiome.evaluation.heads_file import CENTRED, CONTEXT

Whole = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (n, D), onsets (n,) -> (n, D or 2 D)


def with_neighbours(
    x: np.ndarray, records: np.ndarray, onset_s: np.ndarray, reach_s: float
) -> np.ndarray:
    """Embeddings (n, D), beside each the mean of its neighbours.

    Args:
        records: (n,) names of the recordings.
        onset_s: (n,) where each window begins.
        reach_s: neighbours begin at most so long before or after; the window itself is none.

    Returns:
        (n, 2 D) float32; a window that has no neighbour stands beside itself.
    """
    order, width = np.lexsort((onset_s, records)), x.shape[1]
    names, at = np.asarray(records)[order], np.asarray(onset_s, float)[order]
    edges = [0, *np.flatnonzero(names[1:] != names[:-1]) + 1, len(names)]
    found = np.empty((len(x), 2 * width), np.float32)
    for start, stop in pairwise(edges):
        rows, mine = order[start:stop], at[start:stop]
        own = x[rows].astype(np.float64)
        sums = np.concatenate([np.zeros((1, width)), own.cumsum(axis=0)])
        first = np.searchsorted(mine, mine - reach_s - 1e-6)
        last = np.searchsorted(mine, mine + reach_s + 1e-6, side="right")
        others = (last - first - 1)[:, None]
        mean = (sums[last] - sums[first] - own) / np.maximum(others, 1)
        found[rows, :width], found[rows, width:] = own, np.where(others > 0, mean, own)
    return found


def of_recording(head: str, reach_s: float | None) -> Whole | None:
    """What such a head is given of the embeddings of one recording; None: each as it is.

    Args:
        head: its kind.
        reach_s: of the head `context`.
    """
    if head not in (CENTRED, CONTEXT):
        return None

    def seen(x: np.ndarray, onset_s: np.ndarray) -> np.ndarray:
        one = np.zeros(len(x), int)
        less = less_own_mean(x, one)
        return less if head == CENTRED else with_neighbours(less, one, onset_s, reach_s or 0.0)

    return seen
