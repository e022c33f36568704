"""Predicted classes as an EDF+ file of annotations: EDFbrowser and MNE open it beside a night."""

import datetime
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import edfio
import numpy as np

from physiome.data.recording import moment_of
from physiome.files import atomic_path
from physiome.predict.output.sleep import is_staging

# Standard texts of EDF+ for sleep stages
YEARS = range(1985, 2085)  # that EDF can say
STAGE = {"REM": "Sleep stage R", "": "Sleep stage ?"}


def write_annotations(
    path: Path, classes: Sequence[str], said: Sequence[str], window_s: float, start: float | None
) -> None:
    """Write an annotation for every run of windows of one class, atomically.

    Args:
        classes: that the model knows.
        said: class of every window, in order; "" where none was predicted: no annotation, of a
            night `Sleep stage ?`.
        window_s: length of a window.
        start: of the recording, seconds since the epoch; None: it does not say. A date that EDF
            cannot hold (of records whose dates were moved to hide them) is left out.
    """
    staging = is_staging(classes)
    marks = [
        edfio.EdfAnnotation(first * window_s, count * window_s, _text(name, staging))
        for name, first, count in runs(said)
        if name or staging
    ]
    begins = {}
    moment = edf_moment(start)
    if moment is not None:
        begins = {
            "recording": edfio.Recording(startdate=moment.date()),
            "starttime": moment.time(),
        }
    with atomic_path(path) as temporary:
        edfio.Edf([], annotations=marks, **begins).write(temporary)


def edf_moment(start: float | None) -> datetime.datetime | None:
    """When a recording begins, if it says so and EDF can."""
    moment = moment_of(start)
    return moment if moment is not None and moment.year in YEARS else None


def runs(said: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """(class, first window, windows) of every run of one class.

    Example:
        >>> list(runs(["W", "W", "N1"]))
        [('W', 0, 2), ('N1', 2, 1)]
    """
    names = np.asarray(said, dtype=str)
    edges = [0, *(np.flatnonzero(names[1:] != names[:-1]) + 1), len(names)]
    for first, stop in pairwise(edges):
        if stop > first:
            yield str(names[first]), int(first), int(stop - first)


def _text(name: str, staging: bool) -> str:
    return STAGE.get(name, f"Sleep stage {name}") if staging else name
