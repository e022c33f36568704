"""Test windows scored again with some of a modality's leads taken away, by the heads of all leads.

Nothing is fitted anew: this is what happens to a trained model when electrodes fall off.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from physiome.data.store.windows import WindowStore
from physiome.evaluation.embed import embed_subsets
from physiome.evaluation.heads import LinearHead
from physiome.evaluation.metrics import window_metrics
from physiome.methods.base import Method
from physiome.subsets import Subset, subset_name

KEYS = ["dataset", "method", "modality", "subset", "left"]
COLUMNS = [*KEYS, "metric", "mean", "sd", "folds", "windows", "subjects"]
METRICS = ("acc", "auc", "balanced_acc")
SEED = 0  # of the order in which each window loses its leads


def numbers_left(leads: int) -> list[int]:
    """All leads, half of them, a quarter, ... down to one.

    Example:
        >>> numbers_left(12)
        [12, 6, 3, 1]
    """
    found = [leads]
    while found[-1] > 1:
        found.append(found[-1] // 2)
    return found


def score_lost_leads(
    method: Method,
    store: WindowStore,
    index: np.ndarray,
    modality: str,
    subsets: Sequence[Subset],
    heads: Mapping[str, LinearHead],
    classes: int,
    batch: int,
) -> pd.DataFrame:
    """Probabilities of the windows at `index` with fewer and fewer leads of one modality.

    The leads that a window keeps are drawn; those of a smaller number are among those of a larger.

    Args:
        method: in evaluation mode.
        index: windows that have all modalities of the subsets, and all leads of `modality`.
        subsets: those to score, each with the modality; one without a head is left out.
        heads: by subset name, fitted on windows with the leads they have.
        classes: their number.

    Returns:
        record, subject, number, label, modality, left (leads), subset, p0, p1, ...; no row where
        there is no such window, or no head.
    """
    known = [s for s in subsets if subset_name(s) in heads and not method.refuses(s)]
    parts = [
        part
        for left in numbers_left(store.shapes[modality][0])
        for part in _with(method, store, index, modality, left, known, heads, batch)
    ]
    none = np.empty((0, classes), np.float32)
    parts = parts or [_rows(store, index[:0], modality, 0, (), none)]
    return pd.concat(parts, ignore_index=True)


def _rows(
    store: WindowStore,
    index: np.ndarray,
    modality: str,
    left: int,
    subset: Subset,
    p: np.ndarray,
) -> pd.DataFrame:
    windows = store.table.iloc[index][["record", "subject", "number", "label"]]
    table = windows.assign(modality=modality, left=left, subset=subset_name(subset))
    return table.assign(**{f"p{c}": p[:, c] for c in range(p.shape[1])})


@torch.no_grad()
def _with(
    method: Method,
    store: WindowStore,
    index: np.ndarray,
    modality: str,
    left: int,
    subsets: list[Subset],
    heads: Mapping[str, LinearHead],
    batch: int,
) -> Iterator[pd.DataFrame]:
    rng = torch.Generator().manual_seed(SEED)
    needed = [m for m in method.modalities if any(m in s for s in subsets)]
    for start in range(0, len(index) if subsets else 0, batch):
        rows = index[start : start + batch]
        signals = {m: torch.from_numpy(x) for m, x in store.read(rows, needed).items()}
        signals |= method.thinned({modality: signals[modality]}, left, rng)
        signals = {m: x.to(method.device) for m, x in signals.items()}
        for subset, embedding in embed_subsets(method, signals, subsets).items():
            p = heads[subset_name(subset)].probabilities(embedding.float().cpu().numpy())
            yield _rows(store, rows, modality, left, subset, p)


def by_leads(windows: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Mean and sd over folds of each score, in percent.

    Args:
        windows: of the step `lost_leads`, all folds and methods.
        classes: by index.

    Returns:
        `COLUMNS`: windows and subjects are those of all folds together.
    """
    p = [f"p{c}" for c in range(len(classes))]
    rows = []
    for key, part in windows.groupby(KEYS, sort=False):
        folds = [
            window_metrics(fold["label"].to_numpy(int), fold[p].to_numpy(), classes)
            for _, fold in part.groupby("fold")
        ]
        for metric in METRICS:
            values = 100 * pd.Series([scores[metric] for scores in folds]).dropna()
            seen = len(part), part["subject"].nunique()
            rows.append((*key, metric, values.mean(), values.std(), len(values), *seen))
    return pd.DataFrame(rows, columns=COLUMNS)
