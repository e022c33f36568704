"""Signal processing of one channel: gaps, low-pass, resampling, units. Pure numpy and scipy."""

from fractions import Fraction

import numpy as np
from scipy.signal import firwin, oaconvolve, resample_poly

VOLTS = {"v": 1.0, "mv": 1e-3, "uv": 1e-6, "nv": 1e-9}
PASCALS = {
    "pa": 1.0, "hpa": 100.0, "kpa": 1e3, "mmhg": 133.322387, "torr": 133.322387, "cmh2o": 98.0665,
}  # fmt: skip
BLOCK = 1 << 20  # samples filtered at once
HELD = 3  # equal samples in a row at an extreme that count as saturation
MU = str.maketrans({"\N{MICRO SIGN}": "u", "\N{GREEK SMALL LETTER MU}": "u"})


def unit_factor(found: str, wanted: str) -> float | None:
    """What values in unit `found` are multiplied by to be in `wanted`.

    1 for equal or unstated units, the ratio between two voltages or two pressures, None where
    no conversion is known.
    """
    a, b = _plain_unit(found), _plain_unit(wanted)
    if not a or not b or a == b:
        return 1.0
    for sizes in (VOLTS, PASCALS):
        if a in sizes and b in sizes:
            return sizes[a] / sizes[b]
    return None


def units_conflict(found: str, wanted: str) -> bool:
    """Whether one of the units is a voltage and the other a pressure."""
    a, b = _plain_unit(found), _plain_unit(wanted)
    return (a in VOLTS and b in PASCALS) or (a in PASCALS and b in VOLTS)


def _plain_unit(unit: str) -> str:
    return unit.translate(MU).replace(" ", "").lower()


def unit_behind(stated: str, factor: float) -> str:
    """The voltage unit of values that must be multiplied by `factor` to be in `stated`, or ""."""
    size = VOLTS.get(_plain_unit(stated), 0.0) * factor
    names = {"v": "V", "mv": "mV", "uv": "uV", "nv": "nV"}
    return next((names[k] for k, v in VOLTS.items() if abs(v - size) < 1e-3 * v), "")


def runs(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Starts and ends (exclusive) of the stretches of True in `mask` (n,)."""
    edges = np.flatnonzero(np.diff(mask.astype(np.int8), prepend=0, append=0))
    return edges[::2], edges[1::2]


def stretches(starts: np.ndarray, stops: np.ndarray, n: int) -> np.ndarray:
    """Mask (n,) that is True inside the given runs."""
    steps = np.zeros(n + 1, dtype=np.int32)
    np.add.at(steps, starts, 1)
    np.add.at(steps, stops, -1)
    return np.cumsum(steps[:-1]) > 0


def fill_gaps(x: np.ndarray, rate_hz: float, max_gap_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Interpolate gaps linearly; say which samples must not be believed.

    All NaN are replaced so that filters can run (edges hold the nearest value), but only inner
    gaps of up to `max_gap_s` count as repaired.

    Args:
        x: (n,) samples, NaN where there are none.

    Returns:
        filled (n,), and missing (n,): True in gaps that are longer, or at either end.
    """
    empty = ~np.isfinite(x)
    if not empty.any():
        return x, empty
    if empty.all():
        return np.zeros_like(x), empty
    at = np.arange(len(x))
    filled = x.copy()
    filled[empty] = np.interp(at[empty], at[~empty], x[~empty])
    starts, stops = runs(empty)
    long = (stops - starts > max_gap_s * rate_hz) | (starts == 0) | (stops == len(x))
    return filled, stretches(starts[long], stops[long], len(x))


def flat_runs(x: np.ndarray, rate_hz: float, max_flat_s: float) -> np.ndarray:
    """Stretches (k, 2) in seconds in which `x` (n,) does not change for longer than `max_flat_s`.

    To be asked before filtering, which hides a constant.
    """
    starts, stops = runs(x[1:] == x[:-1])  # NaN differs from everything
    long = stops - starts + 1 > max_flat_s * rate_hz
    return np.stack([starts[long], stops[long] + 1], axis=1) / rate_hz


def clipped_share(x: np.ndarray, starts: np.ndarray, samples: int) -> np.ndarray:
    """Share (W,) of each window's samples that are held at its largest or smallest value.

    Held: at least `HELD` equal samples in a row, which the turn of a wave hardly ever has.

    Args:
        x: (n,) samples as recorded; filtering would round the corners off.
        starts: (W,) first sample of each window of `samples` samples, ascending.
    """
    stops = np.minimum(starts + samples, len(x))
    known = stops > starts
    share = np.zeros(len(starts))
    if not known.any():
        return share
    begin, end = starts[known].clip(0), stops[known]
    same = x[1:] == x[:-1]
    edges = np.concatenate([begin, end])
    same[edges[(edges > 0) & (edges < len(x))] - 1] = False  # no run crosses windows' edges
    first, last = runs(same)
    held = last - first + 1 >= HELD
    first, last = first[held], last[held] + 1
    place = np.searchsorted(begin, first, side="right") - 1
    within = (place >= 0) & (first < end[place])
    first, last, place = first[within], last[within], place[within]
    # Every second stretch of reduceat is a window; the others lie between windows.
    bounds = np.stack([begin, end], axis=1).ravel()
    if bounds[-1] == len(x):
        bounds = bounds[:-1]
    high, low = (f.reduceat(x, bounds)[::2] for f in (np.fmax, np.fmin))
    extreme = (x[first] == high[place]) | (x[first] == low[place])
    count = np.bincount(place[extreme], (last - first)[extreme], minlength=len(begin))
    share[known] = count / samples
    return share


def lowpass_taps(cutoff_hz: float, rate_hz: float) -> np.ndarray | None:
    """A Hamming-windowed linear-phase FIR low-pass with pass-band edge `cutoff_hz`.

    The transition is a quarter of the cut-off (at least 2 Hz) above it and the length 3.3 over the
    transition, as in MNE's default design. None if the rate holds nothing above the cut-off.
    """
    transition_hz = min(max(0.25 * cutoff_hz, 2.0), rate_hz / 2 - cutoff_hz)
    if transition_hz <= 0:
        return None
    length = round(3.3 / transition_hz * rate_hz) // 2 * 2 + 1
    # `scale` sets the gain at DC to exactly 1.
    return np.asarray(firwin(length, cutoff_hz + transition_hz / 2, window="hamming", fs=rate_hz))


def lowpass(x: np.ndarray, rate_hz: float, cutoff_hz: float | None) -> np.ndarray:
    """`x` (n,) without what lies above `cutoff_hz`; delay-free. None: `x` itself."""
    taps = None if cutoff_hz is None else lowpass_taps(cutoff_hz, rate_hz)
    if taps is None or len(x) == 0:
        return x
    if len(x) == 1:
        return x
    reach = len(taps) // 2
    # Mirrored about the end points, so that offset and slope carry on past both ends.
    padded = np.pad(x, reach, mode="reflect", reflect_type="odd")
    filtered = np.empty(len(x))
    for first in range(0, len(x), BLOCK):  # all at once would take several times the memory
        part = padded[first : first + BLOCK + 2 * reach]
        filtered[first : first + BLOCK] = oaconvolve(part, taps, mode="valid")
    return filtered


def ratio(rate_hz: float, target_hz: float) -> Fraction:
    """`target_hz / rate_hz` as a fraction with a denominator small enough to filter by."""
    return Fraction(target_hz / rate_hz).limit_denominator(100_000)


def resample(x: np.ndarray, rate_hz: float, target_hz: float) -> np.ndarray:
    """`x` (n,) at `target_hz`, by a polyphase filter that also removes what would alias."""
    step = ratio(rate_hz, target_hz)
    if step == 1 or len(x) == 0:
        return x
    return resample_poly(x, step.numerator, step.denominator, padtype="line")


def resample_mask(mask: np.ndarray, rate_hz: float, target_hz: float, n: int) -> np.ndarray:
    """Mask (n,) at `target_hz`: True wherever the sample lies in a True stretch of `mask`."""
    starts, stops = runs(mask)
    step = target_hz / rate_hz
    first = np.clip(np.floor(starts * step).astype(int), 0, n)
    last = np.clip(np.ceil(stops * step).astype(int), 0, n)
    return stretches(first, last, n)


def reach_s(rate_hz: float, target_hz: float, cutoff_hz: float | None) -> float:
    """How far around a window signals must be known for its samples not to depend on the cut."""
    taps = None if cutoff_hz is None else lowpass_taps(cutoff_hz, rate_hz)
    filtered = 0.0 if taps is None else len(taps) / 2 / rate_hz
    return filtered + 10.0 / min(rate_hz, target_hz)  # resample_poly's filter: 10 slower samples
