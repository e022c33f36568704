"""The words the data layer speaks: a raw record, a reader of its files, its annotations."""

import datetime
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np


@dataclass(frozen=True)
class RawRecord:
    """One recording on disk, as a source lists it and a shard job reads it."""

    record: str  # unique in the data set
    subject: str  # recordings of one person share it
    signals: str  # path of the signal file
    annotations: str | None = None  # path of the annotation file, if there is one
    columns: dict[str, str] = field(default_factory=dict)  # further columns of the records table
    problem: str | None = None  # why the files cannot be used; None: they can
    sha256: dict[str, str] = field(default_factory=dict)  # path -> sum, as the fetch step saw it
    states: dict[str, list[int]] = field(default_factory=dict)  # path -> bytes, time in ns, then

    def plain(self) -> dict[str, Any]:
        """The record as JSON data."""
        return dict(vars(self))


UNCALIBRATED = "uncalibrated"  # the unit of values that a file gives no gain for


@dataclass(frozen=True)
class Channel:
    """One channel or track of a file, by its own name."""

    name: str
    rate_hz: float
    unit: str
    duration_s: float


@dataclass(frozen=True)
class Annotation:
    """A labelled stretch of time, in seconds from the start of the signals."""

    onset_s: float
    duration_s: float
    text: str


def moment_of(start: float | None) -> datetime.datetime | None:
    """When a recording begins; None: it does not say, or in a year that no calendar has."""
    try:
        return None if start is None else datetime.datetime.fromtimestamp(start, datetime.UTC)
    except (ValueError, OverflowError, OSError):
        return None


class Reader(Protocol):
    """An opened and verified signal file. `open_reader(path)` picks one by the file's suffix.

    Opening checks the bytes first (size, header, checksums) and raises DataError for a file that
    is cut, damaged or of another kind; it does not load samples.
    """

    path: Path
    files: tuple[Path, ...]  # every file of the recording, the opened one first
    notes: list[str]  # what is odd but harmless
    duration_s: float
    start: float | None  # seconds since the epoch of the first sample; None: the file does not say

    def channels(self) -> dict[str, Channel]:
        """Channels by name, as the file spells them."""
        ...

    def read(self, channel: str, start_s: float = 0.0, stop_s: float | None = None) -> np.ndarray:
        """Samples (n,) float64 at the channel's own rate and unit; NaN where there are none."""
        ...
