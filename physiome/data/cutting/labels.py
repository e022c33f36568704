"""Labels of windows, from annotations or from pressure that is still to come."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from physiome.config.data import AnnotationLabels, HypotensionLabels
from physiome.data.recording import Annotation
from physiome.errors import DataError

UNLABELLED = -1
SLACK_S = 0.01  # rounding of times in files: FIF keeps 24 bits, 4 ms at the end of a day


@dataclass(frozen=True)
class Scoring:
    """The annotations of one recording, as classes over time.

    Attributes:
        classes, starts_s, stops_s: (K,) class index and extent of scored stretches, by start;
            touching stretches of one class are joined.
        anchor_s: a time at which a window begins.
        span_s: first and last moment worth reading.
        overhang_s: by how much the scored stretches outlast the signals.
    """

    classes: np.ndarray
    starts_s: np.ndarray
    stops_s: np.ndarray
    anchor_s: float
    span_s: tuple[float, float]
    overhang_s: float


def read_scoring(
    annotations: Sequence[Annotation],
    rule: AnnotationLabels,
    classes: Sequence[str],
    duration_s: float,
    where: object,
) -> Scoring:
    """Translate annotations into classes and find the span to read.

    Raises:
        DataError: an unknown text, overlapping classes, nothing scored, or annotations and signals
            of which one outlasts the other by more than the rule allows.
    """
    for a in annotations:
        if a.text not in rule.texts and a.text not in rule.unscored:
            raise DataError(
                f"unknown annotation {a.text!r}",
                where=where,
                why=f"at {a.onset_s:g} s",
                do="list it in labels.texts or labels.unscored",
            )
    annotations = _lasting(annotations, rule)
    named = sorted((a for a in annotations if a.text in rule.texts), key=lambda a: a.onset_s)
    scored = [a for a in named if a.duration_s > 0]
    if not scored:
        why, do = "", "check labels.texts against the file's texts"
        if named:
            why = f"of {len(named)} with a class's text none has a duration"
            do = "say in labels.lasts how long each lasts: a number of seconds, or next"
        if named and rule.lasts == "next":
            why += " or is followed by another"
            do = "say in labels.lasts how many seconds each lasts"
        raise DataError("no annotation carries a class", where=where, why=why, do=do)
    joined = _join(scored, rule, classes, where)
    overhang_s = max(0.0, joined[-1][2] - duration_s)
    shortfall_s = max(0.0, duration_s - max(a.onset_s + a.duration_s for a in annotations))
    _check_end("annotations outlast the signals", overhang_s, rule.max_overhang_s, where)
    _check_end("signals outlast the annotations", shortfall_s, rule.max_shortfall_s, where)
    index, starts, stops = (np.array(column) for column in zip(*joined, strict=True))
    span = _span(index, starts, stops, rule, classes, duration_s)
    return Scoring(index, starts, stops, scored[0].onset_s, span, overhang_s)


def _lasting(annotations: Sequence[Annotation], rule: AnnotationLabels) -> list[Annotation]:
    """The annotations; those of a class that have no duration with the rule's.

    The next one is of a class, or has no duration either: what lasts within a stage does not end
    it. The last has no next one, and stays without.
    """
    ends = sorted(a.onset_s for a in annotations if a.duration_s == 0 or a.text in rule.texts)

    def length_s(a: Annotation) -> float:
        if a.duration_s > 0 or a.text not in rule.texts or rule.lasts is None:
            return a.duration_s
        if rule.lasts != "next":
            return rule.lasts
        later = bisect_right(ends, a.onset_s + SLACK_S)
        return ends[later] - a.onset_s if later < len(ends) else 0.0

    return [replace(a, duration_s=length_s(a)) for a in annotations]


def _check_end(what: str, by_s: float, allowed_s: float | None, where: object) -> None:
    if allowed_s is not None and by_s > allowed_s:
        raise DataError(
            what,
            where=where,
            why=f"by {by_s:g} s, allowed are {allowed_s:g} s",
            do="check that signals and annotations belong together",
        )


def _join(
    scored: list[Annotation], rule: AnnotationLabels, classes: Sequence[str], where: object
) -> list[tuple[int, float, float]]:
    joined: list[tuple[int, float, float]] = []
    for a in scored:
        index, stop_s = classes.index(rule.texts[a.text]), a.onset_s + a.duration_s
        if joined and a.onset_s <= joined[-1][2] + SLACK_S:
            before = joined[-1]
            if before[0] == index:
                joined[-1] = (index, before[1], max(before[2], stop_s))
                continue
            if a.onset_s < before[2] - SLACK_S:
                shorter = "; or make labels.lasts shorter, or next"
                raise DataError(
                    "annotations of two classes overlap",
                    where=where,
                    why=f"{classes[before[0]]} to {before[2]:g} s, {a.text!r} from {a.onset_s:g} s",
                    do="list the text of an event in labels.unscored, or correct the annotations"
                    + (shorter if isinstance(rule.lasts, int | float) else ""),
                )
        joined.append((index, a.onset_s, stop_s))
    return joined


def _span(
    index: np.ndarray,
    starts: np.ndarray,
    stops: np.ndarray,
    rule: AnnotationLabels,
    classes: Sequence[str],
    duration_s: float,
) -> tuple[float, float]:
    """The margin class is read only near other classes; without such a class, everything is."""
    if rule.margin_class is None:
        return 0.0, duration_s
    other = (index != classes.index(rule.margin_class)) & (starts < duration_s)
    if not other.any():
        return 0.0, duration_s
    first, last = starts[other].min() - rule.margin_s, stops[other].max() + rule.margin_s
    return max(0.0, float(first)), min(duration_s, float(last))


def annotation_labels(scoring: Scoring, onsets_s: np.ndarray, length_s: float) -> np.ndarray:
    """Label (W,) int8 of each window: the class that covers it wholly, else -1."""
    place = np.searchsorted(scoring.starts_s, onsets_s + SLACK_S, side="right") - 1
    held = np.maximum(place, 0)
    covered = (place >= 0) & (scoring.stops_s[held] >= onsets_s + length_s - SLACK_S)
    return np.where(covered, scoring.classes[held], UNLABELLED).astype(np.int8)


def hypotension_labels(
    pressure: np.ndarray,
    invalid: np.ndarray,
    outside: np.ndarray,
    starts: np.ndarray,
    samples: int,
    rate_hz: float,
    rule: HypotensionLabels,
    max_outside: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Labels from the pressure that follows each window.

    1 if, inside the label span, there is a stretch of `sustained_s` in which every moving average
    over `mean_s` (lying wholly in the stretch) is below the threshold; 0 if not; -1 if the span is
    not wholly recorded, holds an invalid sample, or too large a share outside the plausible range.

    Args:
        pressure: (n,) mmHg over the whole recording.
        invalid: (n,) True where pressure was not recorded.
        outside: (n,) True where it is implausible.
        starts: (W,) first sample of each window of `samples` samples.

    Returns:
        label (W,) int8, and event (W,) bool: the window itself ends in low pressure, that is every
        average over its last `sustained_s` (or all of it, if shorter) is below the threshold.
    """
    n, mean = len(pressure), max(1, round(rule.mean_s * rate_hz))
    sustained, span = round(rule.sustained_s * rate_hz), round(rule.span_s * rate_hz)
    invalid = invalid | ~np.isfinite(pressure)
    # Sums of the distance to the threshold: below it on average if the sum is negative.
    distance = np.where(invalid, 0.0, pressure - rule.threshold_mmhg)
    sums, holes = _sums(distance), _sums(invalid)
    low = np.zeros(n, dtype=bool)  # low[i]: the average over samples i .. i + mean - 1
    if n >= mean:
        low[: n - mean + 1] = (sums[mean:] - sums[:-mean] < 0) & (holes[mean:] == holes[:-mean])
    lows = _sums(low)

    def all_low(first: np.ndarray, length: int) -> np.ndarray:
        count = max(length - mean, 0) + 1  # averages that lie wholly in the stretch
        inside = (first >= 0) & (first + count <= n)
        begin = np.clip(first, 0, n)
        return inside & (lows[np.clip(first + count, 0, n)] - lows[begin] == count)

    every = _sums(all_low(np.arange(n), sustained))
    begin = starts + samples + round(rule.gap_s * rate_hz)
    end = begin + span
    recorded = end <= n
    begin, end = np.minimum(begin, n), np.minimum(end, n)
    last = np.clip(end - sustained + 1, begin, n)  # one past the last stretch inside the span
    label = (every[last] > every[begin]).astype(np.int8)
    far = _sums(outside)
    valid = (holes[end] == holes[begin]) & (far[end] - far[begin] <= max_outside * span)
    label[~(recorded & valid)] = UNLABELLED
    tail = max(min(sustained, samples), mean)
    return label, all_low(starts + samples - tail, tail)


def mean_pressure(
    pressure: np.ndarray,
    starts: np.ndarray,
    samples: int,
    rate_hz: float,
    rule: HypotensionLabels,
    label: np.ndarray,
) -> np.ndarray:
    """Target (W,) float64: the mean over each window's label span, in mmHg; NaN without a label.

    Args:
        pressure, starts, samples: as of `hypotension_labels`, which gave `label`.
    """
    begin = starts + samples + round(rule.gap_s * rate_hz)
    span = round(rule.span_s * rate_hz)
    target = np.full(len(starts), np.nan)
    for i in np.flatnonzero(label != UNLABELLED):
        target[i] = pressure[begin[i] : begin[i] + span].mean(dtype=np.float64)
    return target


def _sums(x: np.ndarray) -> np.ndarray:
    """Cumulative sums (n + 1,) beginning with 0."""
    total = np.zeros(len(x) + 1, dtype=np.float64 if x.dtype.kind == "f" else np.int64)
    np.cumsum(x, out=total[1:])
    return total
