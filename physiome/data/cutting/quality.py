"""Which windows carry a modality, and why the others do not.

A window counts under the first reason that applies:

- gap: samples are missing (NaN) that were not interpolated;
- flat: constant for too long, or hardly any variance: a detached sensor;
- scale: the whole channel is plausible only after a factor of 1000 or a million: a wrong unit;
- clipped: too many samples held at the window's own extreme: a saturated amplifier;
- jump: a step between neighbouring samples that the body does not make: a moved electrode;
- outside: too many samples outside the plausible range.
"""

from dataclasses import dataclass

import numpy as np

from physiome.config.data import Quality
from physiome.config.modality import Modality
from physiome.data.cutting.marks import Marks

REASONS = ("gap", "flat", "scale", "clipped", "jump", "outside")
UNIT_FACTORS = (1e3, 1e6, 1e-3, 1e-6)  # milli, micro
MIN_LEVELS = 32  # a signal in a wrong unit has many values; a dead channel's noise has a few


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
    marks: Marks,
    onsets_s: np.ndarray,
    length_s: float,
    modality: Modality,
    quality: Quality,
) -> Judgement:
    """Judge all windows of one modality.

    Args:
        windows: (W, T) samples in the modality's unit; finite also where missing.
        missing: (W, T) True where no sample was recorded.
        marks: what the unfiltered channel showed.
        onsets_s: (W,) on the recording's clock.
    """
    gap = missing.any(axis=1) if len(windows) else np.zeros(0, dtype=bool)
    mean, variance = _moments(windows)
    still = variance < modality.min_sd**2
    stuck = _overlaps(marks.flat, onsets_s, length_s, quality.max_flat_s)
    outside = _share_outside(windows, modality) > quality.max_outside
    recorded = ~gap & ~stuck
    factor = None
    if marks.levels >= MIN_LEVELS and (still | outside)[recorded].sum() > 0.5 * recorded.sum():
        implausible = (still | outside)[recorded]
        factor = _likely_factor(
            windows[recorded], variance[recorded], implausible, modality, quality
        )
    tests = {
        "gap": gap,
        "flat": stuck | (still & (factor is None)),
        "scale": np.full(len(windows), factor is not None),
        "clipped": marks.clipped > quality.max_clipped,
        "jump": _jumps(windows, modality.max_jump),
        "outside": outside,
    }
    verdict = np.select([tests[reason] for reason in REASONS], range(len(REASONS)), default=-1)
    good = verdict == -1
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


def _jumps(windows: np.ndarray, max_jump: float | None) -> np.ndarray:
    """Windows (W,) with a larger step between neighbouring samples; None: none is too large."""
    if max_jump is None or windows.size == 0:
        return np.zeros(len(windows), dtype=bool)
    steps = np.diff(windows, axis=1)
    return np.maximum(steps.max(axis=1), -steps.min(axis=1)) > max_jump


def _overlaps(flat: np.ndarray, onsets_s: np.ndarray, length_s: float, max_s: float) -> np.ndarray:
    """Windows (W,) that hold more than `max_s` of one flat stretch, or lie wholly in one."""
    stuck = np.zeros(len(onsets_s), dtype=bool)
    need_s = min(max_s, length_s)
    for start_s, stop_s in flat:
        shared = np.minimum(onsets_s + length_s, stop_s) - np.maximum(onsets_s, start_s)
        stuck |= (shared > need_s) | (shared >= length_s - 1e-9)
    return stuck


def _likely_factor(
    windows: np.ndarray,
    variance: np.ndarray,
    implausible: np.ndarray,
    modality: Modality,
    quality: Quality,
) -> float | None:
    """The power of 1000 that would make most of these windows plausible, if there is one.

    Most of those that pass already (large waves of a signal in a wrong unit) must pass with the
    factor, too: else the channel is a good one that was detached for a while.
    """
    if modality.low is None and modality.high is None:
        return None  # arbitrary units have no scale
    for factor in UNIT_FACTORS:
        lively = variance * factor**2 >= modality.min_sd**2
        inside = _share_outside(windows, modality, factor) <= quality.max_outside
        better = lively & inside
        passing = better[~implausible]
        if better.mean() > 0.5 and (passing.size == 0 or passing.mean() > 0.5):
            return factor
    return None
