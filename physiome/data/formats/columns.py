"""Tables of samples, `.csv` and `.parquet`: a column a channel; a `.json` beside says how fast.

The `.json` is the one that BIDS puts beside physiological recordings: `SamplingFrequency` in Hz,
perhaps `Units` of columns (`{"ecg": {"Units": "mV"}}`). Nothing tells a table that was cut, but the
sum that is noted when a run first sees it.
"""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from physiome.data.formats.complaints import refuse_complaints
from physiome.data.recording import Channel
from physiome.errors import DataError, nearest

RATE, UNITS = "SamplingFrequency", "Units"
FASTEST_HZ, LONGEST_S = 1e6, 366 * 86400.0
LARGEST = 1e15  # of a sample, in any unit; squares of larger ones overflow sums
CHUNK = 1 << 20
ENCODING = "utf-8-sig"  # with or without the mark that Excel puts first


class TableReader:
    """A table whose header and `.json` are sound. See `physiome.data.recording.Reader`."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.notes: list[str] = []
        beside = self.path.with_suffix(".json")
        self.files = (self.path, beside)
        self.start: float | None = None
        told = _told(self.path, beside)
        self.rate_hz = _rate(beside, told)
        parquet = self.path.suffix.lower() == ".parquet"
        self._table = _Parquet(self.path) if parquet else _Csv(self.path)
        self.duration_s = self._table.rows / self.rate_hz
        if not 0 < self.duration_s <= LONGEST_S:
            raise DataError(
                "holds no samples" if not self._table.rows else "is longer than a year",
                where=self.path,
                why=f"{self._table.rows} rows at {self.rate_hz:g} Hz",
            )
        facts = {name: told.get(name) for name in self._table.columns}
        self._units = {
            name: str(own.get(UNITS, "")) if isinstance(own, dict) else ""
            for name, own in facts.items()
        }

    def channels(self) -> dict[str, Channel]:
        """Columns by name."""
        return {
            name: Channel(name, self.rate_hz, unit, self.duration_s)
            for name, unit in self._units.items()
        }

    def read(self, channel: str, start_s: float = 0.0, stop_s: float | None = None) -> np.ndarray:
        """Samples (n,); NaN where a cell is empty.

        Raises:
            DataError: unknown column, or a cell that is no finite number.
        """
        if channel not in self._units:
            do = nearest(channel, self._units)
            raise DataError(f"no channel {channel!r}", where=self.path, do=do)
        first = max(0, round(start_s * self.rate_hz))
        last = self._table.rows if stop_s is None else round(stop_s * self.rate_hz)
        last = min(last, self._table.rows)
        if last <= first:
            return np.empty(0)
        with refuse_complaints(self.path, "its reader", f"column {channel!r} cannot be read"):
            values = self._table.read(channel, first, last)
        if np.isinf(values).any() or np.nanmax(np.abs(values), initial=0.0) > LARGEST:
            raise DataError(f"column {channel!r} holds numbers beyond use", where=self.path)
        return values


class _Parquet:
    def __init__(self, path: Path):
        with refuse_complaints(path, "pyarrow", "not a Parquet file, or damaged"):
            self._file = pq.ParquetFile(path, memory_map=True)
            schema = self._file.schema_arrow
        self._path, self.rows = path, self._file.metadata.num_rows
        numeric = [f.name for f in schema if _is_number(f.type)]
        self.columns = _distinct(path, numeric)

    def read(self, column: str, first: int, last: int) -> np.ndarray:
        found, begin = [np.empty(0)], 0
        for group in range(self._file.num_row_groups):
            end = begin + self._file.metadata.row_group(group).num_rows
            if begin < last and end > first:
                part = self._file.read_row_group(group, columns=[column]).column(0)
                rows = part.slice(max(0, first - begin), min(last, end) - max(first, begin))
                found.append(rows.cast(pa.float64()).to_numpy(zero_copy_only=False))
            begin = end
        values = np.concatenate(found)
        if len(values) != last - first:
            raise ValueError(f"{last - first} rows said, {len(values)} there")
        return values


class _Csv:
    """Fields beyond the header's may be there if they are empty: lines that end in a comma."""

    def __init__(self, path: Path):
        self._path = path
        lines, commas = _lines(path)
        with refuse_complaints(path, "pandas", "not a table of numbers"):
            with open(path, newline="", encoding=ENCODING) as file:
                names = next(csv.reader(file), [])
            if commas >= len(names):
                _refuse_more_fields(path, len(names))
            head = pd.read_csv(
                path,
                usecols=range(len(names)),
                index_col=False,
                nrows=1000,
                encoding=ENCODING,
            )
        numeric = [str(c) for c in head if pd.api.types.is_numeric_dtype(head[c])]
        self.columns = _distinct(path, [name for name in names if name in numeric])
        self.rows = lines - 1

    def read(self, column: str, first: int, last: int) -> np.ndarray:
        table = pd.read_csv(
            self._path,
            usecols=[column],
            index_col=False,
            skiprows=range(1, first + 1),
            nrows=last - first,
            dtype=np.float64,
            skip_blank_lines=False,
            encoding=ENCODING,
        )
        if len(table) != last - first:
            raise ValueError(f"{last - first} rows wanted, {len(table)} there")
        return table[column].to_numpy()


def _refuse_more_fields(path: Path, n: int) -> None:
    """No line may hold anything behind its first `n` fields: which column would it belong to?"""
    with open(path, newline="", encoding=ENCODING) as file:
        lines = csv.reader(file)
        for fields in lines:
            if len(fields) > n and "".join(fields[n:]).strip():
                raise DataError(
                    "a line has more fields than the header",
                    where=path,
                    why=f"line {lines.line_num} has {len(fields)}, the header {n}",
                    do="name every column; write decimals with a point, not a comma",
                )


def _is_number(kind: Any) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)


def _distinct(path: Path, names: list[str]) -> list[str]:
    if not names:
        do = "write names in the first line, commas between columns, decimals with a point"
        raise DataError("no column holds numbers", where=path, do=do)
    if len(set(names)) < len(names):
        raise DataError("two columns have one name", where=path, do="rename them")
    return names


def _lines(path: Path) -> tuple[int, int]:
    """Lines of a text file, the last of which needs no end; and the most commas in one."""
    count, most, begun, last = 0, 0, 0, b"\n"
    with open(path, "rb") as file:
        while part := file.read(CHUNK):
            ends, commas = (np.flatnonzero(np.frombuffer(part, "u1") == ord(c)) for c in "\n,")
            before = np.searchsorted(commas, ends)
            in_lines = np.diff(before, prepend=-begun, append=len(commas))
            most, begun = max(most, int(in_lines.max())), int(in_lines[-1])
            count, last = count + len(ends), part[-1:]
    return count + (last != b"\n"), most


def _told(path: Path, beside: Path) -> dict[str, Any]:
    if not beside.is_file():
        raise DataError(
            "nothing says how fast it was sampled",
            where=path,
            why=f"{beside.name} is not there",
            do=f'write one with its rate in Hz: {{"{RATE}": 64}} if that is 64',
        )
    try:
        told = json.loads(beside.read_text(ENCODING))
    except (ValueError, RecursionError) as error:
        raise DataError("not JSON", where=beside, why=" ".join(str(error).split())) from None
    return told if isinstance(told, dict) else {}


def _rate(beside: Path, told: dict[str, Any]) -> float:
    rate_hz = told.get(RATE)
    if isinstance(rate_hz, int | float) and rate_hz is not True and 0 < rate_hz <= FASTEST_HZ:
        return float(rate_hz)  # neither NaN nor infinite
    raise DataError(
        f"{RATE} is not a rate in Hz", where=beside, why=repr(rate_hz)[:60], do="correct it"
    )
