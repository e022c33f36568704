"""WFDB records: header, signal files of any format `wfdb` decodes (FLAC needs `soundfile`)."""

import datetime
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import wfdb

from physiome.data.formats.complaints import refuse_complaints
from physiome.data.recording import UNCALIBRATED, Channel
from physiome.errors import DataError, nearest

FETCH = "fetch the record again"
LONGEST_S = 366 * 86400.0  # of a recording
FASTEST_HZ = 1e6
MOST_SAMPLES = 2_000_000_000  # of one signal; 12 weeks of 250 Hz
BLOCK = 1 << 22  # frames decoded at once
LARGEST_HEADER = 1 << 20  # bytes
LONGEST_NAME = 255  # bytes of a file's name, on all common file systems
BYTES = {"8": 1.0, "80": 1.0, "16": 2.0, "61": 2.0, "160": 2.0, "24": 3.0, "32": 4.0, "212": 1.5}


class WfdbReader:
    """A WFDB record whose header and file sizes agree. See `physiome.data.recording.Reader`."""

    def __init__(self, path: str | Path):
        self.path = Path(path).with_suffix(".hea")
        self.notes: list[str] = []
        self._header = _read_header(self.path)
        # A header may end its lines before the description, which is the signal's name.
        names = [name or f"signal {n}" for n, name in enumerate(_names(self.path, self._header))]
        self._ambiguous = {name for name in names if names.count(name) > 1}
        twice = sorted(map(repr, self._ambiguous))
        self.notes += [f"several signals are called {name}: none can be read" for name in twice]
        self._checked: set[str] = set()
        self._places = {name: place for place, name in enumerate(names)}
        self._rates = [float(self._header.fs) * n for n in self._header.samps_per_frame]
        self.duration_s = self._header.sig_len / float(self._header.fs)
        moment = getattr(self._header, "base_datetime", None)
        self.start: float | None = (
            moment.replace(tzinfo=datetime.UTC).timestamp() if moment else None
        )
        self._units = [
            unit if calibrated else UNCALIBRATED
            for unit, calibrated in zip(self._header.units, _calibrated(self.path), strict=True)
        ]
        self.files = (self.path, *_check_files(self.path, self._header))
        unchecked = [n for n, p in self._places.items() if self._header.checksum[p] is None]
        if unchecked:
            self.notes.append(f"the header gives no checksum of {', '.join(unchecked)}")

    def channels(self) -> dict[str, Channel]:
        """Signals by the name (description) in the header."""
        return {
            name: Channel(name, self._rates[place], self._units[place], self.duration_s)
            for name, place in self._places.items()
        }

    def read(self, channel: str, start_s: float = 0.0, stop_s: float | None = None) -> np.ndarray:
        """Samples (n,) in physical units at the signal's own rate; NaN where the record has none.

        Before the first are read, the whole signal is compared with the header's checksum.

        Raises:
            DataError: unknown or ambiguous signal, undecodable file, wrong number of samples or
                checksum.
        """
        if channel not in self._places:
            raise DataError(
                f"no signal {channel!r}", where=self.path, do=nearest(channel, self._places)
            )
        if channel in self._ambiguous:
            raise DataError(
                f"several signals are called {channel!r}",
                where=self.path,
                do="rename them in the header",
            )
        place = self._places[channel]
        each = self._header.samps_per_frame[place]
        total = self._header.sig_len * each
        if channel not in self._checked:
            self._check(channel)
            self._checked.add(channel)
        first = min(total, max(0, round(start_s * self._rates[place])))
        last = total if stop_s is None else min(total, round(stop_s * self._rates[place]))
        if last <= first:
            return np.empty(0)
        frame = 0 if self._is_relative(channel) else first // each
        record = self._decoded(channel, frame, -(-last // each))
        physical = record.dac(expanded=True)[0]
        return np.asarray(physical[first - frame * each : last - frame * each], dtype=np.float64)

    def _is_relative(self, channel: str) -> bool:
        """Whether samples are stored as differences, which mean something from the first one on."""
        return self._header.fmt[self._places[channel]] == "8"

    def _decoded(self, channel: str, first: int, last: int) -> Any:
        """Frames [first, last) of one signal, digital."""
        with refuse_complaints(self.path, "wfdb", f"signal {channel!r} cannot be decoded"):
            return wfdb.rdrecord(
                str(self.path.with_suffix("")),
                first,
                last,
                channels=[self._places[channel]],
                physical=False,
                smooth_frames=False,
                ignore_skew=True,
            )

    def _check(self, channel: str) -> None:
        """Decode the whole signal, a block after the other, and compare length and sum."""
        place, frames = self._places[channel], self._header.sig_len
        each = self._header.samps_per_frame[place]
        found = total = 0
        block = frames if self._is_relative(channel) else BLOCK
        for first in range(0, frames, block):
            digital = self._decoded(channel, first, min(frames, first + block)).e_d_signal[0]
            found += len(digital)
            total += int(digital.sum(dtype=np.int64))
        if found != frames * each:
            why = f"{channel}: {frames * each} samples expected, {found} found"
            raise DataError("signal is cut", where=self.path, why=why, do=FETCH)
        stated = self._header.checksum[place]
        if stated is not None and stated % 65536 != total % 65536:
            why = f"{channel}: checksum {stated % 65536} stated, {total % 65536} found"
            raise DataError("signal is damaged", where=self.path, why=why, do=FETCH)


def _read_header(path: Path) -> Any:
    if not path.is_file():
        raise DataError("WFDB header is missing", where=path, do="name the record's .hea file")
    text = path.read_bytes()
    if not text.strip():
        raise DataError("WFDB header is empty", where=path, do=FETCH)
    if re.match(rb"\s*<(!doctype|html|\?xml)", text, re.IGNORECASE):
        raise DataError("this is a web page, not a WFDB header", where=path, do=FETCH)
    if len(text) > LARGEST_HEADER:
        raise DataError("WFDB header is too large", where=path, why=f"{len(text)} bytes", do=FETCH)
    with refuse_complaints(path, "wfdb", "WFDB header is damaged"):
        header: Any = wfdb.rdheader(str(path.with_suffix("")))
    if isinstance(header, wfdb.MultiRecord):
        raise DataError(
            "records of several segments cannot be used",
            where=path,
            do="name the segments as records",
        )
    if not header.n_sig or not header.sig_len or not header.fs or not header.fs > 0:
        why = f"{header.n_sig} signals of {header.sig_len} frames at {header.fs} Hz"
        raise DataError("WFDB header is damaged", where=path, why=why, do=FETCH)
    _check_counts(path, header)
    if any(part is None for part in (*header.file_name, *header.fmt)):
        raise DataError("WFDB header names too few signals", where=path, do=FETCH)
    if skewed := [n for n, skew in zip(header.sig_name, header.skew, strict=True) if skew]:
        raise DataError(
            "signals of this record are shifted against each other",
            where=path,
            why=f"skew of {', '.join(map(str, skewed))}",
            do="write the record anew with its signals aligned",
        )
    return header


def _signal_lines(path: Path) -> list[str]:
    """The header's lines of signals; old programs write Latin-1."""
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    lines = [line.strip() for line in text.splitlines()]
    record, *signals = [line for line in lines if line and not line.startswith("#")]
    return signals[: int(record.split()[1])]


def _names(path: Path, header: Any) -> list[str | None]:
    """Descriptions of the signals with the letters beyond ASCII, which `wfdb` drops."""
    lines = [line.split(maxsplit=8) for line in _signal_lines(path)]
    return [
        name if len(words) < 9 or words[8].isascii() else words[8]
        for name, words in zip(header.sig_name, lines, strict=True)
    ]


def _calibrated(path: Path) -> list[bool]:
    """Whether each signal has a gain. Without one, or with 0, `wfdb` takes 200 per unit."""
    found = []
    for line in _signal_lines(path):
        stated = [*line.split(), "", "", ""][2]  # as in 45.76(-10)/mmHg
        gain = re.match(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", stated)
        found.append(gain is not None and float(gain[0]) != 0)
    return found


def _check_counts(path: Path, header: Any) -> None:
    """Rates and lengths are what a recording can have, before memory is laid out for them."""
    frames, rate_hz = header.sig_len, float(header.fs)
    fastest = max(header.samps_per_frame or [1])
    if not (
        frames <= LONGEST_S * rate_hz
        and fastest * rate_hz <= FASTEST_HZ
        and fastest * frames <= MOST_SAMPLES
    ):
        why = f"{frames} frames of up to {fastest} samples at {rate_hz:g} Hz"
        raise DataError("WFDB header states an impossible length", where=path, why=why, do=FETCH)


def _check_files(path: Path, header: Any) -> list[Path]:
    """The record's signal files, after comparing sizes (of those that are not compressed)."""
    files: dict[str, list[int]] = {}
    for place, name in enumerate(header.file_name):
        files.setdefault(name, []).append(place)
    for name, places in files.items():
        if name in ("", ".", "..") or Path(name).name != name or len(name) > LONGEST_NAME:
            raise DataError(
                "signal file is not beside its header",
                where=path,
                why=repr(name),
                do="put it there and correct the header",
            )
        file = path.with_name(name)
        if not file.is_file():
            raise DataError("signal file is missing", where=file, do=FETCH)
        width = BYTES.get(header.fmt[places[0]])
        if width is None:
            continue
        frame = sum(header.samps_per_frame[place] for place in places)
        expected = (header.byte_offset[places[0]] or 0) + int(frame * header.sig_len * width)
        found = os.path.getsize(file)
        # 212 packs two samples in three bytes and may be padded to whole pairs.
        if not expected <= found <= expected + 2:
            raise DataError(
                "signal file has the wrong size",
                where=file,
                do=FETCH,
                why=f"{expected} bytes expected, {found} found",
            )
    return [path.with_name(name) for name in files]
