"""The leads of a modality, put together: windows with an axis of leads, and one verdict."""

from collections.abc import Sequence

import numpy as np

from physiome.config.modality import Modality
from physiome.data.cutting.quality import Judgement

TOO_FEW = "leads"  # why a window does not carry a modality of several leads


def join_leads(
    parts: Sequence[tuple[np.ndarray, Judgement]], modality: Modality
) -> tuple[np.ndarray, Judgement, np.ndarray]:
    """Windows and verdict of a modality, from those of each of its leads, in order.

    A window carries the modality if at least `min_leads` leads are there.

    Args:
        parts: (W, T) with NaN where the lead is not there, and its verdict.

    Returns:
        rows (W, C, T): all NaN where the modality is not carried; re-referenced if it asks so.
        verdict: mean and variance over all samples of all leads that are there.
        there: (W,) number of leads.
    """
    rows = np.stack([part for part, _ in parts], axis=1)
    good = np.stack([verdict.good for _, verdict in parts], axis=1)  # (W, C)
    there = good.sum(axis=1)
    carried = there >= modality.min_leads
    rows[~carried] = np.nan
    if modality.reference == "average":
        _subtract_average(rows, good & carried[:, None])
    means, variances = _moments(rows, parts, modality)
    mean = _mean_over(means, good)
    spread = _mean_over(np.square(means - mean[:, None]), good)
    return (
        rows,
        Judgement(
            good=carried,
            counts={TOO_FEW: int((~carried).sum())},
            mean=np.where(carried, mean, np.nan),
            variance=np.where(carried, _mean_over(variances, good) + spread, np.nan),
            unit_factor=None,
            reason=_reasons([verdict.reason for _, verdict in parts], there, carried),
        ),
        np.where(carried, there, 0),
    )


def _subtract_average(rows: np.ndarray, good: np.ndarray) -> None:
    """Common average reference, in place: of the leads (W, C) that are there, sample by sample."""
    total = np.where(good[:, :, None], rows, 0.0).sum(axis=1, dtype=np.float64)  # (W, T)
    count = np.maximum(good.sum(axis=1), 1)[:, None]
    rows -= (total / count).astype(np.float32)[:, None]


def _moments(
    rows: np.ndarray, parts: Sequence[tuple[np.ndarray, Judgement]], modality: Modality
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance (W, C) of each lead; those of the verdicts unless they were changed."""
    if modality.reference is not None:
        return rows.mean(axis=2, dtype=np.float64), rows.var(axis=2, dtype=np.float64)
    means = np.stack([verdict.mean for _, verdict in parts], axis=1)
    return means, np.stack([verdict.variance for _, verdict in parts], axis=1)


def _mean_over(values: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Mean (W,) of the values (W, C) where `good`; 0 where nothing is."""
    total = np.where(good, values, 0.0).sum(axis=1)
    return total / np.maximum(good.sum(axis=1), 1)


def _reasons(reasons: Sequence[np.ndarray], there: np.ndarray, carried: np.ndarray) -> np.ndarray:
    """Per window "" if carried; else how many leads there are and what the others lack."""
    texts = np.full(len(there), "", dtype=object)
    of_lead = np.stack(reasons, axis=1)  # (W, C)
    for w in np.flatnonzero(~carried):
        lacking = ", ".join(dict.fromkeys(reason for reason in of_lead[w] if reason))
        texts[w] = f"{there[w]} of {of_lead.shape[1]} leads ({lacking})"
    return texts.astype(str)
