"""Where the windows of a recording lie, and what must be read for them."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from physiome.config.data import AnnotationLabels, ShardSettings
from physiome.data.cutting.labels import SLACK_S, Scoring, read_scoring
from physiome.data.formats import holds_annotations, read_annotations
from physiome.data.recording import RawRecord, Reader
from physiome.errors import DataError

START_TOLERANCE_S = 1.0


@dataclass(frozen=True)
class Plan:
    """Where a recording's windows lie, and what must be read for them.

    Attributes:
        onsets_s: (W,) on the recording's clock.
        numbers: (W,) position on the recording's grid of windows.
        stop_s: up to where signals are needed: the end of the last window, or of the recording
            if labels come from what follows a window.
        scoring: the annotations, for the annotation rule.
        notes: what is odd but harmless about when signals and annotations begin.
    """

    onsets_s: np.ndarray
    numbers: np.ndarray
    stop_s: float
    scoring: Scoring | None = None
    notes: tuple[str, ...] = ()


def plan_windows(raw: RawRecord, reader: Reader, settings: ShardSettings) -> Plan:
    """Lay the grid of windows; for annotations, on their grid and only where they are wanted.

    Raises:
        DataError: no or foreign annotations, or a recording shorter than one window.
    """
    length_s, scoring, notes = settings.window.length_s, None, ()
    anchor_s, span, slack_s = 0.0, (0.0, reader.duration_s), 1e-6 * settings.window.length_s
    if isinstance(settings.labels, AnnotationLabels):
        scoring, notes = _scoring(raw, reader, settings.labels, settings.classes)
        anchor_s, span, slack_s = scoring.anchor_s % length_s, scoring.span_s, SLACK_S
        if length_s - anchor_s < SLACK_S:
            anchor_s -= length_s
    last = math.floor((reader.duration_s - anchor_s + slack_s) / length_s)
    numbers = np.arange(max(last, 0))
    # Rounded times may lie just outside of what was recorded
    onsets_s = np.clip(anchor_s + numbers * length_s, 0.0, max(0.0, reader.duration_s - length_s))
    inside = (onsets_s >= span[0] - SLACK_S) & (onsets_s + length_s <= span[1] + SLACK_S)
    if not inside.any():
        raise DataError(
            "recording is shorter than one window",
            where=reader.path,
            why=f"{span[1] - span[0]:g} s, a window has {length_s:g} s",
        )
    onsets_s = onsets_s[inside]
    stop_s = reader.duration_s if scoring is None else float(onsets_s[-1]) + length_s
    return Plan(onsets_s, numbers[inside], stop_s, scoring, notes)


def _scoring(
    raw: RawRecord, reader: Reader, rule: AnnotationLabels, classes: tuple[str, ...]
) -> tuple[Scoring, tuple[str, ...]]:
    """The annotations; and what is odd but harmless about them."""
    path = raw.annotations or raw.signals  # without a file of their own they are with the signals
    if not Path(path).is_file():
        raise DataError("annotation file is missing", where=path)
    if raw.annotations is None and not holds_annotations(path):
        raise DataError(
            "record has no annotation file",
            where=raw.record,
            why=f"{raw.signals} holds no annotations itself",
            do="name its file in the column annotations of the records table",
        )
    annotations, start = read_annotations(path)
    notes = ()
    if start is None or reader.start is None:
        notes = ("signals and annotations do not both state when they begin",)
    else:
        apart_s = abs(start - reader.start)
        if apart_s > START_TOLERANCE_S:
            raise DataError(
                "signals and annotations begin at different times",
                where=raw.record,
                why=f"{raw.signals} and {path} are {apart_s:g} s apart",
                do="pair the files that belong together",
            )
    scoring = read_scoring(annotations, rule, classes, reader.duration_s, path)
    return scoring, notes
