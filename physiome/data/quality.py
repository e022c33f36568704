"""Which windows carry a modality, and why the others do not."""

from dataclasses import dataclass

import numpy as np

from physiome.config.data import Modality, Quality

REASONS = ("gap", "flat", "outside")  # a window counts under the first that applies
UNIT_FACTORS = (1e3, 1e6, 1e-3, 1e-6)  # milli, micro


@dataclass(frozen=True)
class Judgement:
    """The verdict on one modality's windows.

    Attributes:
        good: (W,) bool.
        counts: reason -> number of windows.
        mean, variance: (W,) float64, NaN where not good.
        unit_factor: what the values were probably divided by; None if they are plausible.
        reason: (W,) text, why the window does not carry the modality; "" where good.
    """

    good: np.ndarray
    counts: dict[str, int]
    mean: np.ndarray
    variance: np.ndarray
    unit_factor: float | None
    reason: np.ndarray


def judge(
    windows: np.ndarray,
    missing: np.ndarray,
    flat: np.ndarray,
    onsets_s: np.ndarray,
    length_s: float,
    modality: Modality,
    quality: Quality,
) -> Judgement:
    """Judge all windows of one modality.

    Args:
        windows: (W, T) samples; finite also where missing.
        missing: (W, T) True where no sample was recorded.
        flat: (k, 2) stretches of constant signal, in seconds on the clock of `onsets_s` (W,).
    """
    gap = missing.any(axis=1) if len(windows) else np.zeros(0, dtype=bool)
    mean, variance = _moments(windows)
    still = variance < modality.min_sd**2
    stuck = _overlaps(flat, onsets_s, length_s, quality.max_flat_s)
    outside = _share_outside(windows, modality) > quality.max_outside
    verdict = np.select([gap, still | stuck, outside], [0, 1, 2], default=-1)
    good = verdict == -1
    recorded = ~gap & ~stuck
    factor = None
    if recorded.any() and (still | outside)[recorded].mean() > 0.9:
        factor = _likely_factor(windows[recorded], variance[recorded], modality, quality)
    return Judgement(
        good=good,
        counts={reason: int((verdict == i).sum()) for i, reason in enumerate(REASONS)},
        mean=np.where(good, mean, np.nan),
        variance=np.where(good, variance, np.nan),
        unit_factor=factor,
        reason=np.array([*REASONS, ""])[verdict],  # -1 is the last
    )


def _moments(windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of each window, summed in float64 without a copy of all windows."""
    mean = windows.mean(axis=1, dtype=np.float64)
    square = np.einsum("wt,wt->w", windows, windows, dtype=np.float64) / max(windows.shape[1], 1)
    return mean, np.maximum(square - mean**2, 0.0)


def _share_outside(windows: np.ndarray, modality: Modality, factor: float = 1.0) -> np.ndarray:
    """Share (W,) of samples that, multiplied by `factor`, lie outside [low, high]."""
    low = -np.inf if modality.low is None else modality.low / factor
    high = np.inf if modality.high is None else modality.high / factor
    inside = (windows >= low) & (windows <= high)  # NaN is not inside
    return 1.0 - inside.mean(axis=1)


def _overlaps(flat: np.ndarray, onsets_s: np.ndarray, length_s: float, max_s: float) -> np.ndarray:
    """Windows (W,) that hold more than `max_s` of one flat stretch, or lie wholly in one."""
    stuck = np.zeros(len(onsets_s), dtype=bool)
    need_s = min(max_s, length_s)
    for start_s, stop_s in flat:
        shared = np.minimum(onsets_s + length_s, stop_s) - np.maximum(onsets_s, start_s)
        stuck |= (shared > need_s) | (shared >= length_s - 1e-9)
    return stuck


def _likely_factor(
    windows: np.ndarray, variance: np.ndarray, modality: Modality, quality: Quality
) -> float | None:
    """The power of 1000 that would make most of these implausible windows plausible."""
    for factor in UNIT_FACTORS:
        lively = variance * factor**2 >= modality.min_sd**2
        inside = _share_outside(windows, modality, factor) <= quality.max_outside
        if (lively & inside).mean() > 0.5:
            return factor
    return None
