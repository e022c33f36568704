"""Tables of records: reading and writing their CSV, checking ids and paths, making raw records."""

import csv
import gzip
import io
import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from physiome.data.download.limits import NotYetError
from physiome.data.recording import RawRecord
from physiome.errors import DataError, nearest
from physiome.files import atomic_path

log = logging.getLogger(__name__)

Row = dict[str, str]  # one record; `signals` and `annotations` are relative to the raw folder
CORE = ("record", "subject", "signals", "annotations")  # the first columns of every record table
PROBLEM = "problem"  # column: why a listed record cannot be used
LONGEST_ID = 100
SHOWN = 10  # missing records that an error names; the log names all


def read_rows(path: str | Path, required: Sequence[str] = CORE) -> list[Row]:
    """The rows of a CSV file with a header line, plain or gzipped.

    Raises:
        DataError: if the file is missing, is not UTF-8 text, lacks a required column (the nearest
            column is named), or a line has more or fewer values than there are columns.
    """
    try:
        raw = Path(path).read_bytes()
        if raw.startswith(b"\x1f\x8b"):
            raw = gzip.decompress(raw)
        lines = csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline=""), strict=True)
        header, *body = [line for line in lines if line] or [[]]
    except FileNotFoundError:
        raise DataError("table is missing", where=path) from None
    except UnicodeDecodeError as error:
        do = "save it as UTF-8"
        raise DataError("table is not UTF-8 text", where=path, why=str(error), do=do) from None
    except (OSError, EOFError, csv.Error) as error:
        raise DataError("table cannot be read as CSV", where=path, why=str(error)) from None
    header = [name.strip() for name in header]
    for name in required:
        if name not in header:
            apart = len(header) == 1 and set(header[0]) & set(";\t")  # as some programs export
            do = "put commas between columns" if apart else nearest(name, header)
            raise DataError(f"no column {name!r}", where=path, do=do)
    if len(set(header)) != len(header):
        raise DataError("a column is there twice", where=path, why=", ".join(header))
    for number, line in enumerate(body, start=1):
        if len(line) != len(header):
            raise DataError(
                f"row {number} has {len(line)} values",
                where=path,
                why=f"there are {len(header)} columns",
                do="quote values with commas",
            )
    return [dict(zip(header, (value.strip() for value in line), strict=True)) for line in body]


def write_rows(path: str | Path, rows: Sequence[Row]) -> None:
    """Write a record table atomically: the core columns first, then the others by name."""
    others = sorted({name for row in rows for name in row} - set(CORE))
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*CORE, *others], restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def check_id(name: str, where: object) -> str:
    """`name`, if it can be a record's id: short, printable, and the name of no other folder.

    Raises:
        DataError: for an empty or long id, one with a slash or control character, `.` and `..`.
    """
    bad = set(name) & set("/\\") or not name.isprintable() or name in ("", ".", "..")
    if bad or len(name) > LONGEST_ID:
        raise DataError(
            f"{name[:LONGEST_ID]!r} cannot be a record id",
            where=where,
            do=f"use 1-{LONGEST_ID} printable characters without slashes",
        )
    return name


def check_inside(path: str, where: object) -> str:
    """`path`, if it is relative and stays inside the folder it is relative to.

    Links inside the folder may point elsewhere: who can make them can also copy the files.

    Raises:
        DataError: for an absolute path, one with `..`, or one with a NUL.
    """
    absolute = PurePosixPath(path).is_absolute() or PureWindowsPath(path).anchor
    parts = PurePosixPath(path).parts + PureWindowsPath(path).parts
    if absolute or ".." in parts or "\0" in path:
        raise DataError(
            f"path {path!r} leads out of the folder", where=where, do="give a path below the folder"
        )
    return path


def fill_each(rows: Iterable[Row], folder: Path, get: Callable[[Row], None]) -> list[RawRecord]:
    """Make the files of each row be there by `get`; a DataError becomes the record's problem.

    `get` may complete the row's paths in place.

    Raises:
        NotYetError: after trying every row, if files of some may be had later. To list them as
            left out would lose them: nothing asks again for what is listed.
    """
    records, later = [], {}
    for row in rows:
        problem = row.get(PROBLEM) or None
        if problem is None:
            try:
                for kind in ("signals", "annotations"):  # the table may have been edited
                    check_inside(row.get(kind, ""), row["record"])
                get(row)
            except NotYetError as error:
                later[row["record"]] = error
                log.warning("record=%s missing=%r", row["record"], str(error))
            except DataError as error:
                problem = str(error)
        records.append(_raw_record(row, folder, problem))
    if later:
        first, more = next(iter(later.values())), len(later) - SHOWN
        names = ", ".join([*later][:SHOWN]) + (f" and {more} more, named above" if more > 0 else "")
        raise NotYetError(
            f"files of {len(later)} of {len(records)} records are missing: {names}",
            where=folder,
            why=f"{first.where}: {first.what} - {first.why}",
            do="check the network, then run again: downloads are continued",
        )
    return records


def _raw_record(row: Row, folder: Path, problem: str | None) -> RawRecord:
    annotations = row.get("annotations")
    return RawRecord(
        record=row["record"],
        subject=row["subject"],
        signals=str(folder / row["signals"]) if row["signals"] else "",
        annotations=str(folder / annotations) if annotations else None,
        columns={k: v for k, v in row.items() if k not in (*CORE, PROBLEM)},
        problem=problem,
    )
