"""The header of an EDF or BDF file, read field by field and compared with the file's size.

BDF is EDF with samples of 24 bits. Source: Kemp et al. 1992 (EDF) and Kemp & Olivan 2003 (EDF+);
biosemi.com/faq/file_format.htm (BDF).
"""

import datetime
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from physiome.errors import DataError

FETCH = "fetch the file again"
LARGEST = 1e15  # of a channel's values, in any unit; squares of larger ones overflow sums
ANNOTATIONS = "EDF Annotations"  # in BDF+ they are "BDF Annotations"
BEGINS = {2: b"0       ", 3: b"\xffBIOSEMI"}  # bytes of a sample -> what the file begins with
ANONYMOUS = datetime.datetime(1985, 1, 1, tzinfo=datetime.UTC)  # EDF+ for "not told"
LONGEST_S = 366 * 86400.0  # of a recording
FASTEST_HZ = 1e6
# Widths in bytes of the fields every signal has, in file order.
SIGNAL_FIELDS = (
    ("label", 16), ("transducer", 80), ("unit", 8), ("physical minimum", 8),
    ("physical maximum", 8), ("digital minimum", 8), ("digital maximum", 8),
    ("prefiltering", 80), ("samples per record", 8), ("reserved", 32),
)  # fmt: skip


@dataclass(frozen=True)
class EdfSignal:
    """One signal of an EDF file."""

    label: str  # UTF-8, or LATIN-1 where it cannot be that
    unit: str  # the same
    stored: tuple[str, str]  # label and unit in LATIN-1, which is how MNE reads both
    physical: tuple[float, float]  # minimum, maximum in `unit`; both one number: no calibration
    digital: tuple[float, float]  # the same
    samples: int  # per data record


@dataclass(frozen=True)
class EdfHeader:
    """What an EDF header says."""

    start: float | None  # seconds since the epoch, the clock taken as UTC; None: anonymous
    records: int
    record_s: float
    signals: tuple[EdfSignal, ...]
    sample_bytes: int = 2  # 3 in BDF
    # EDF+D, which some programs write of all recordings: data records say when they begin
    may_pause: bool = False

    @property
    def duration_s(self) -> float:
        """Length of the recording."""
        return self.records * self.record_s


def read_edf_header(path: str | Path) -> EdfHeader:
    """Read and check the header of `path`; nothing behind it is read.

    Raises:
        DataError: naming the damaged field, or the size expected and found.
    """
    path = Path(path)
    with open(path, "rb") as file:
        main = file.read(256)
        sample_bytes = _sample_bytes(path, main)
        fields = _Fields(path, main)
        count = fields.number("number of signals", 252, 4, least=1)
        header_bytes = fields.number("header size", 184, 8, least=512)
        if header_bytes != 256 * (count + 1):
            raise DataError(
                "EDF header field 'header size' is wrong",
                where=path,
                why=f"{header_bytes} for {count} signals, {256 * (count + 1)} expected",
                do=FETCH,
            )
        records = _records(path, fields)
        signals = _signals(path, file, count)
    if sample_bytes == 3:
        signals = tuple(
            replace(s, label=ANNOTATIONS) if s.label == "BDF Annotations" else s for s in signals
        )
    record_s = fields.real("record duration", 244, 8)
    if record_s < 0 or (record_s == 0 and any(s.label != ANNOTATIONS for s in signals)):
        raise DataError(
            "EDF header field 'record duration' is wrong", where=path, why=f"{record_s}"
        )
    may_pause = fields.text(192, 5) in ("EDF+D", "BDF+D")
    _check_size(path, header_bytes + records * sum(s.samples for s in signals) * sample_bytes)
    _check_times(path, records, record_s, signals)
    return EdfHeader(_start(path, fields), records, record_s, signals, sample_bytes, may_pause)


class _Fields:
    """Text fields of a block of header bytes, by offset; errors name the field."""

    def __init__(self, path: Path, block: bytes):
        self._path, self._block = path, block

    def text(self, offset: int, width: int) -> str:
        stored = self._block[offset : offset + width].strip(b" \x00")
        try:
            return stored.decode("utf-8")
        except UnicodeDecodeError:
            return self.stored(offset, width)

    def stored(self, offset: int, width: int) -> str:
        return self._block[offset : offset + width].decode("latin-1").strip(" \x00")

    def number(self, name: str, offset: int, width: int, least: int) -> int:
        text = self.text(offset, width)
        if not re.fullmatch("-?[0-9]+", text) or int(text) < least:
            self._refuse(name, text, f"a whole number of at least {least}")
        return int(text)

    def real(self, name: str, offset: int, width: int) -> float:
        text = self.text(offset, width)
        try:
            value = float(text)
        except ValueError:
            self._refuse(name, text, "a number")
        if not abs(value) < float("inf"):
            self._refuse(name, text, "a finite number")
        return value

    def _refuse(self, name: str, text: str, wanted: str):
        raise DataError(
            f"EDF header field {name!r} is damaged",
            where=self._path,
            why=f"{text!r} is not {wanted}",
            do=FETCH,
        ) from None


def _sample_bytes(path: Path, main: bytes) -> int:
    """2 of an EDF file, 3 of one called `.bdf`; anything else is refused."""
    sample_bytes = 3 if path.suffix.lower() == ".bdf" else 2
    kind, begins = "BDF" if sample_bytes == 3 else "EDF", BEGINS[sample_bytes]
    start = main.lstrip().lower()
    if not main:
        raise DataError("file is empty", where=path, do=FETCH)
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise DataError("this is a web page, not an EDF file", where=path, do=FETCH)
    if not main.startswith(begins):
        raise DataError(
            f"not an {kind} file" if kind == "EDF" else f"not a {kind} file",
            where=path,
            do=FETCH,
            why=f"it begins with {main[:8]!r}, {kind} with {begins!r}",
        )
    if len(main) < 256:
        raise DataError("EDF header is cut", where=path, why=f"{len(main)} of 256 bytes", do=FETCH)
    return sample_bytes


def _records(path: Path, fields: _Fields) -> int:
    records = fields.number("number of data records", 236, 8, least=-1)
    if records == -1:
        raise DataError(
            "EDF header says the recording was never closed",
            where=path,
            why="number of data records is -1",
            do="close it in the recording program, or fetch it again",
        )
    if records == 0:
        raise DataError("EDF file holds no data records", where=path, do=FETCH)
    return records


def _signals(path: Path, file: BinaryIO, count: int) -> tuple[EdfSignal, ...]:
    block = file.read(256 * count)
    if len(block) < 256 * count:
        raise DataError(
            "EDF header is cut",
            where=path,
            do=FETCH,
            why=f"{256 + len(block)} of {256 * (count + 1)} bytes",
        )
    fields, places, offset = _Fields(path, block), {}, 0
    for name, width in SIGNAL_FIELDS:
        places[name] = (offset, width)
        offset += width * count

    def place(name: str, number: int) -> tuple[int, int]:
        start, width = places[name]
        return start + number * width, width

    signals = []
    for number in range(count):
        label = fields.text(*place("label", number))

        def pair(kind: str, number: int = number, label: str = label) -> tuple[float, float]:
            low, high = (
                fields.real(f"{kind} {end} of {label}", *place(f"{kind} {end}", number))
                for end in ("minimum", "maximum")
            )
            if max(abs(low), abs(high)) > LARGEST:
                raise DataError(
                    f"EDF header gives {label!r} an impossible {kind} range",
                    where=path,
                    why=f"{low:g} to {high:g}",
                    do=FETCH,
                )
            return low, high

        signals.append(
            EdfSignal(
                label=label,
                unit=fields.text(*place("unit", number)),
                stored=(
                    fields.stored(*place("label", number)),
                    fields.stored(*place("unit", number)),
                ),
                physical=(0.0, 1.0) if label == ANNOTATIONS else pair("physical"),
                digital=(0.0, 1.0) if label == ANNOTATIONS else pair("digital"),
                samples=fields.number(
                    f"samples per record of {label}", *place("samples per record", number), least=1
                ),
            )
        )
    return tuple(signals)


def _check_size(path: Path, expected: int) -> None:
    found = os.path.getsize(path)
    if found != expected:
        raise DataError(
            "EDF file is cut" if found < expected else "EDF file is too long",
            where=path,
            why=f"{expected} bytes expected, {found} found",
            do=FETCH,
        )


def _check_times(path: Path, records: int, record_s: float, signals: tuple[EdfSignal, ...]) -> None:
    """Rates and length are what a recording can have; arithmetic on other ones goes astray."""
    fastest = max((s.samples for s in signals if s.label != ANNOTATIONS), default=0)
    if records * record_s > LONGEST_S or fastest > FASTEST_HZ * record_s:
        raise DataError(
            "EDF header field 'record duration' is wrong",
            where=path,
            do=FETCH,
            why=f"{records} data records of {record_s:g} s with up to {fastest} samples",
        )


def _start(path: Path, fields: _Fields) -> float | None:
    """Start of the recording; two-digit years from 85 on are of the last century (EDF+)."""
    date, time = fields.text(168, 8), fields.text(176, 8)
    try:
        day, month, year = (int(part) for part in date.split("."))
        hour, minute, second = (int(part) for part in time.split("."))
        century = 1900 if year >= 85 else 2000
        start = datetime.datetime(
            century + year, month, day, hour, minute, second, tzinfo=datetime.UTC
        )
    except ValueError:
        raise DataError(
            "EDF header field 'start date and time' is damaged",
            where=path,
            why=f"{date!r} {time!r}",
            do=FETCH,
        ) from None
    return None if start == ANONYMOUS else start.timestamp()
