"""BrainVision, FIF and EEGLAB files, read by MNE: one rate for all channels, volts for voltages.

MNE passes over some ways in which such files lie: data cut behind a whole sample, and marks of an
interruption, after which every annotation would belong to other samples. Both are refused here.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mne
import numpy as np

from physiome.data.formats.complaints import ASIDE, OUTSIDE, refuse_complaints
from physiome.data.formats.fif_tags import check_fif
from physiome.data.formats.mat_elements import check_mat
from physiome.data.recording import Annotation, Channel
from physiome.errors import DataError, nearest

OPENERS: Mapping[str, Any] = {
    "BrainVision": mne.io.read_raw_brainvision,
    "FIF": mne.io.read_raw_fif,
    "EEGLAB": mne.io.read_raw_eeglab,
}
CHECKS = {"FIF": check_fif, "EEGLAB": check_mat}  # of claims that a decoder would believe
# FIFF codes of units (Neuromag's file format); values of others are taken as they are.
UNITS = {107: "V", 112: "T", 201: "T/m"}
# What BrainVision's units have become, where MNE says no code: of what has no place on the head
CONVERTED = {
    "V": "V", "mV": "V", "µV": "V", "uV": "V", "nV": "V", "µS": "S", "uS": "S", "n/a": "",
}  # fmt: skip
SAMPLE_BYTES = {"short": 2, "int": 4, "single": 4, "double": 8}
# Texts of annotations, in lower case, that begin where recording went on after an interruption
INTERRUPTED = ("new segment/", "boundary", "bad boundary", "edge boundary")
SKIPPED = "bad_acq_skip"  # a stretch of FIF without data
# What MNE says of marks, which are judged here. BrainVision's may say that data are cut: no other
# size need be told there.
BOUNDARY = r"The data contains 'boundary' events|At least one event has a sample index of -1"
MARKS = {"FIF": f"|{OUTSIDE}", "EEGLAB": f"|{OUTSIDE}|{BOUNDARY}"}
FETCH = "fetch the file again"


class MneReader:
    """A file that MNE opens without a complaint. See `physiome.data.recording.Reader`."""

    def __init__(self, path: str | Path, format_: str):
        self.path = Path(path)
        self.notes: list[str] = []
        if format_ in CHECKS:
            CHECKS[format_](self.path)
        with refuse_complaints(self.path, "MNE", known=ASIDE + MARKS.get(format_, "")) as said:
            self._raw = OPENERS[format_](self.path, preload=False, verbose="WARNING")
        self.notes += [line for line in said if re.match(OUTSIDE, line)]
        beside = [Path(name) for name in self._raw.filenames if name is not None]
        self.files = tuple(dict.fromkeys([self.path, *beside]))
        if len(beside) > 1:  # a FIF of several parts; the sums of all but the first are not noted
            raise DataError(
                f"the recording is in {len(beside)} files",
                where=self.path,
                do="save it as one",
            )
        self.rate_hz = float(self._raw.info["sfreq"])
        self.duration_s = float(self._raw.n_times / self.rate_hz)  # MNE counts with numpy
        measured = self._raw.info["meas_date"]
        self.start = None if measured is None else measured.timestamp() + self._raw.first_time
        if format_ == "BrainVision":
            self._check_size(self.files[-1])
        self._skipped = self._check_marks()

    def _check_size(self, data: Path) -> None:
        """Its header may leave the number of samples out: then MNE rounds the size down."""
        if data.resolve().parent != self.path.resolve().parent:
            raise DataError(
                "its data lie in another folder",
                where=self.path,
                why=str(data),
                do="put the files of a recording into one folder",
            )
        frame = SAMPLE_BYTES.get(str(self._raw.orig_format))
        if frame is None:
            raise DataError(
                "samples as text cannot be used", where=self.path, do="export it in binary form"
            )
        expected = self._raw.n_times * len(self._raw.ch_names) * frame
        found = data.stat().st_size
        if found != expected:
            raise DataError(
                "data are cut" if found % (len(self._raw.ch_names) * frame) else "data do not fit",
                where=data,
                why=f"{expected} bytes expected, {found} found",
                do=FETCH,
            )

    def _check_marks(self) -> list[tuple[float, float]]:
        """Stretches without data, in seconds; an interruption is refused."""
        marks, skipped = self.annotations(), []
        for mark in marks:
            text = mark.text.lower()
            if text.startswith(INTERRUPTED) and mark.onset_s > 0.5 / self.rate_hz:
                raise DataError(
                    "the recording is interrupted",
                    where=self.path,
                    why=f"{mark.text!r} at {mark.onset_s:g} s",
                    do="write its parts to files of their own",
                )
            if text == SKIPPED:
                skipped.append((mark.onset_s, mark.onset_s + mark.duration_s))
        return skipped

    def channels(self) -> dict[str, Channel]:
        """Channels by name."""
        names, codes = self._raw.ch_names, [int(facts["unit"]) for facts in self._raw.info["chs"]]
        stored: Mapping[str, str] = getattr(self._raw, "_orig_units", {})  # as the file spells them
        found = {}
        for name, code in zip(map(str, names), codes, strict=True):
            told = stored.get(name, "")
            unit = UNITS.get(code) or CONVERTED.get(told, told)
            found[name] = Channel(name, self.rate_hz, unit, self.duration_s)
        return found

    def read(self, channel: str, start_s: float = 0.0, stop_s: float | None = None) -> np.ndarray:
        """Samples (n,), NaN where the file says that it has none.

        Raises:
            DataError: unknown channel, or MNE complains.
        """
        known = self.channels()
        if channel not in known:
            raise DataError(f"no channel {channel!r}", where=self.path, do=nearest(channel, known))
        first = max(0, round(start_s * self.rate_hz))
        last = self._raw.n_times if stop_s is None else round(stop_s * self.rate_hz)
        last = min(last, self._raw.n_times)
        if last <= first:
            return np.empty(0)
        place = self._raw.ch_names.index(channel)  # a name may be that of a type of channels, too
        with refuse_complaints(self.path, "MNE"):
            samples: Any = self._raw.get_data(picks=[place], start=first, stop=last)
        values = np.array(samples[0], dtype=np.float64)
        for begin_s, end_s in self._skipped:
            begin, end = (round(at * self.rate_hz) - first for at in (begin_s, end_s))
            values[max(0, begin) : max(0, end)] = np.nan
        return values

    def annotations(self) -> list[Annotation]:
        """All annotations by onset, in seconds from the first sample."""
        found = self._raw.annotations
        shift_s = self._raw.first_time  # onsets count what was cropped off, dated or not
        told = zip(found.onset, found.duration, found.description, strict=True)
        listed = [
            Annotation(float(on - shift_s), self._length_s(float(for_s), text), str(text))
            for on, for_s, text in told
        ]
        return sorted(listed, key=lambda mark: mark.onset_s)

    def _length_s(self, for_s: float, text: str) -> float:
        """0 of a mark of one sample: so BrainVision, and EEGLAB from it, write one of a moment."""
        moment = for_s * self.rate_hz < 1.5 and text.lower() != SKIPPED
        return 0.0 if moment else for_s
