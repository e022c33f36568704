"""EDF, EDF+, BDF and BDF+ files: checked byte by byte first, then read by MNE channel by channel.

Reading channels of several rates together makes MNE upsample all of them to the fastest, so each
is read alone and comes at its own rate.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import mne
import numpy as np

from physiome.data.formats.complaints import ASIDE, OUTSIDE, refuse_complaints
from physiome.data.formats.edf_annotations import begins_s, list_annotations
from physiome.data.formats.edf_header import ANNOTATIONS, EdfHeader, read_edf_header
from physiome.data.recording import Annotation, Channel
from physiome.errors import DataError, nearest

# What MNE multiplies a channel's values by to make them volts; other units, and these in another
# case, stay as they are. (Micro sign and Greek mu are two letters.)
TO_VOLT = {"uV": 1e-6, "\N{MICRO SIGN}V": 1e-6, "\N{GREEK SMALL LETTER MU}V": 1e-6, "mV": 1e-3}


class EdfReader:
    """An EDF or BDF file whose header and size are sound. See `physiome.data.recording.Reader`."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.files = (self.path,)
        self.notes: list[str] = []
        self.header = read_edf_header(self.path)
        self.duration_s = self.header.duration_s
        self.start = _start(self.path, self.header)
        self._note_annotations()
        self._signals = {s.label: s for s in self.header.signals if s.label != ANNOTATIONS}
        counts = Counter(s.label for s in self.header.signals)
        self._ambiguous = {label for label, count in counts.items() if count > 1}
        twice = sorted(map(repr, self._ambiguous - {ANNOTATIONS}))
        self.notes += [f"several channels are called {label}: none can be read" for label in twice]

    def _note_annotations(self) -> None:
        """Check the annotations, which are not used here, and count those without signals."""
        found = list_annotations(self.path, self.header)
        outside = sum(
            a.onset_s < 0 or a.onset_s + a.duration_s > self.duration_s + 1e-6 for a in found
        )
        if outside:
            self.notes.append(f"{outside} annotations in the file reach outside its signals")

    def channels(self) -> dict[str, Channel]:
        """Channels by label."""
        return {
            label: Channel(label, s.samples / self.header.record_s, s.unit, self.duration_s)
            for label, s in self._signals.items()
        }

    def read(self, channel: str, start_s: float = 0.0, stop_s: float | None = None) -> np.ndarray:
        """Samples (n,) in the channel's own unit and rate, from `start_s` to `stop_s`.

        Raises:
            DataError: unknown, ambiguous or uncalibrated channel; MNE warns, or disagrees with the
                header.
        """
        known = self.channels()
        if channel not in known:
            raise DataError(f"no channel {channel!r}", where=self.path, do=nearest(channel, known))
        if channel in self._ambiguous:
            raise DataError(
                f"several channels are called {channel!r}",
                where=self.path,
                do="rename them in the file",
            )
        signal, rate_hz = self._signals[channel], known[channel].rate_hz
        self._require_calibration(channel)
        first = max(0, round(start_s * rate_hz))
        length = signal.samples * self.header.records
        last = length if stop_s is None else min(length, round(stop_s * rate_hz))
        if last <= first:
            return np.empty(0)
        values = self._mne_samples(signal.stored[0], rate_hz, length, first, last)
        values /= TO_VOLT.get(signal.stored[1], 1.0)
        self._check_range(channel, values)
        return values

    def _mne_samples(self, name: str, rate_hz: float, length: int, first: int, last: int):
        with refuse_complaints(self.path, "MNE", known=f"{ASIDE}|{OUTSIDE}"):
            # MNE decodes annotations, too, which are not used here: LATIN-1 never fails.
            read_raw = mne.io.read_raw_edf if self.header.sample_bytes == 2 else mne.io.read_raw_bdf
            raw = read_raw(
                self.path,
                include=[name],
                stim_channel=[],
                preload=False,
                encoding="latin1",
                verbose="WARNING",
            )
            found = raw.info["sfreq"], raw.n_times, raw.ch_names
            if not np.isclose(found[0], rate_hz, rtol=1e-6) or found[1:] != (length, [name]):
                raise DataError(
                    "MNE and the EDF header disagree",
                    where=self.path,
                    why=f"rate, samples, name {found}, header {(rate_hz, length, [name])}",
                )
            samples: Any = raw.get_data(start=first, stop=last)
        return np.ascontiguousarray(samples[0], dtype=np.float64)

    def _require_calibration(self, channel: str) -> None:
        """Refuse a channel without one; an unused one keeps nobody from reading the others."""
        signal = self._signals[channel]
        for kind, (low, high) in (("physical", signal.physical), ("digital", signal.digital)):
            if low == high:
                raise DataError(
                    f"EDF header gives {channel!r} no {kind} range",
                    where=self.path,
                    why=f"minimum and maximum are both {low:g}",
                    do="correct its header, or do without this channel",
                )

    def _check_range(self, channel: str, values: np.ndarray) -> None:
        """The values lie where the header's calibration puts whole samples, or we misread it."""
        signal = self._signals[channel]
        (low, high), (digital_low, digital_high) = signal.physical, signal.digital
        whole = 1 << (8 * self.header.sample_bytes - 1)
        step = (high - low) / (digital_high - digital_low)
        reach = sorted(low + step * (edge - digital_low) for edge in (-whole, whole - 1))
        slack = abs(step)
        if values.min() < reach[0] - slack or values.max() > reach[1] + slack:
            raise DataError(
                f"values of {channel!r} lie outside what its header allows",
                where=self.path,
                why=f"{values.min():.4g} to {values.max():.4g} {signal.unit}",
            )


def read_annotations(path: str | Path) -> tuple[list[Annotation], float | None]:
    """The annotations of an EDF+ file by onset, and the file's start (seconds since the epoch).

    Raises:
        DataError: the file is cut, damaged or not EDF+.
    """
    header = read_edf_header(path)
    if ANNOTATIONS not in {s.label for s in header.signals}:
        raise DataError("file has no annotations", where=path, do="give the EDF+ annotation file")
    return list_annotations(path, header), _start(path, header)


def _start(path: str | Path, header: EdfHeader) -> float | None:
    return None if header.start is None else header.start + begins_s(path, header)
