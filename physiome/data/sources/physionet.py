"""Any open project of PhysioNet: its RECORDS and SHA256SUMS.txt say what there is.

A project's address ends in `<name>/<version>/`. RECORDS lists its recordings, one a line, with or
without a suffix; SHA256SUMS.txt has a sum for every file. A recording's files are all that are
called like it (a WFDB header and its signals). What a name says of subject and condition a regular
expression reads: `Subject(?P<subject>\\d+)_(?P<task>\\d)`.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

from physiome.config.sources import PhysioNetSource
from physiome.data.download.fetch import addresses, fetch
from physiome.data.download.file_checks import has_digest
from physiome.data.download.limits import Limits
from physiome.data.formats.suffixes import NAMING, is_recording
from physiome.data.recording import RawRecord
from physiome.data.sources.record_table import Row, check_id, check_inside, fill_each
from physiome.errors import DataError, nearest

RECORDS, SUMS = "RECORDS", "SHA256SUMS.txt"
SUM = re.compile(r"(?P<sum>[0-9a-f]{64}) [ *]?(?P<path>.+)")


class PhysioNet:
    """The recordings of a project in `folder`: downloaded and verified, or already there.

    With `fill: folder` the lists may be missing: the recordings are those that lie there. Where
    there is a sum, a file is compared with it.
    """

    def __init__(self, spec: PhysioNetSource, folder: Path, channels: Sequence[str] = ()):
        self.spec, self.folder = spec, folder

    def records(self) -> list[Row]:
        """The recordings whose names fit the pattern, with its groups as columns.

        Raises:
            DataError: a list cannot be had, nothing fits, or two recordings have one id.
        """
        rows: dict[str, Row] = {}
        names = self._names()
        for name in names:
            found = re.fullmatch(self.spec.pattern, _stem(name))
            if found is None:
                continue
            record = check_id(_stem(name).replace("/", "_"), self.folder / RECORDS)
            if record in rows:
                raise DataError(f"two recordings are called {record!r}", where=self.folder)
            rows[record] = {
                "record": record,
                **{key: value or "" for key, value in found.groupdict().items()},
                "signals": self._signals(name),
                "annotations": self._annotations(name),
            }
        if not rows:
            raise DataError(
                "no recording fits the pattern",
                where=self.folder,
                why=f"{self.spec.pattern!r}; there are {', '.join(names[:5]) or 'none'}",
                do="correct source.pattern",
            )
        for record in self.spec.records or ():
            if record not in rows:
                raise DataError(
                    f"no record {record!r}", where=self.folder, do=nearest(record, rows)
                )
        wanted = rows if self.spec.records is None else self.spec.records
        return [rows[record] for record in sorted(wanted)]

    def fill(self, rows: Iterable[Row]) -> list[RawRecord]:
        """Download and verify, or look for, all files of these recordings.

        Raises:
            DataError: the list of sums cannot be had or read.
        """
        download = self.spec.raw.fill == "download"
        if download and not self._sums:  # once for all: no record is at fault
            raise DataError("the list of sums is empty", where=self.folder / SUMS)
        get = self._download if download else self._look
        return fill_each([dict(row) for row in rows], self.folder, get)

    def _download(self, row: Row) -> None:
        for path in self._files(row):
            self._fetch(path, self._sums[path])

    def _look(self, row: Row) -> None:
        for path in (row["signals"], row["annotations"]):
            if path and not (self.folder / path).is_file():
                raise DataError("file is missing", where=self.folder / path)
        for path in self._files(row):
            if (self.folder / path).is_file():
                has_digest(self._sums[path], "sha256")(self.folder / path)

    def _files(self, row: Row) -> list[str]:
        """Those with a sum that are called like the signal file, and the annotations."""
        stem = _stem(row["signals"]) + "."
        own = [p for p in self._sums if p.startswith(stem) or p == row["annotations"]]
        if self.spec.raw.fill == "download" and not own:
            raise DataError(f"no sum of {row['signals']}", where=self.folder / SUMS)
        return own

    def _names(self) -> list[str]:
        """Recordings as RECORDS lists them, or, in a folder without, as they lie there."""
        if self.spec.raw.fill == "download":
            self._fetch(RECORDS, None)
        listed = self.folder / RECORDS
        if listed.is_file():
            lines = _lines(listed)
            return [check_inside(line, listed) for line in lines if not line.endswith("/")]
        if not self.folder.is_dir():
            raise DataError("folder is not there", where=self.folder, do="correct raw.folder")
        found = (path for path in sorted(self.folder.rglob("*")) if is_recording(path))
        return [path.relative_to(self.folder).as_posix() for path in found]

    @cached_property
    def _sums(self) -> dict[str, str]:
        """Path -> SHA-256 of every file of the project; empty in a folder without the list."""
        if self.spec.raw.fill == "download":
            self._fetch(SUMS, None)
        path = self.folder / SUMS
        found = {}
        for line in _lines(path) if path.is_file() else ():
            parts = SUM.fullmatch(line)
            if parts is None:
                raise DataError("not a list of sums", where=path, why=f"line {line[:80]!r}")
            found[check_inside(parts["path"], path)] = parts["sum"]
        return found

    def _signals(self, name: str) -> str:
        """The file that is read: as listed, or the WFDB header of a name without suffix."""
        known = PurePosixPath(name)
        return name if _has_suffix(name) else known.with_name(known.name + ".hea").as_posix()

    def _annotations(self, name: str) -> str:
        return "" if self.spec.annotations is None else _stem(name) + self.spec.annotations

    def _fetch(self, path: str, sha256: str | None) -> None:
        """One file; a list, which has no sum, is taken as it comes and kept."""
        if sha256 is None and (self.folder / path).is_file():
            return
        check = has_digest(sha256, "sha256") if sha256 else _is_text
        transfer = self.spec.transfer
        urls = addresses(transfer.urls, f"{self.spec.project}/{path}")
        fetch(urls, self.folder / path, check, Limits.of(transfer))


def _stem(name: str) -> str:
    """`a/b.edf` -> `a/b`; a name without the suffix of a recording's file as it is."""
    return name.rpartition(".")[0] if _has_suffix(name) else name


def _has_suffix(name: str) -> bool:
    """Whether a listed name ends as a recording's file does; it need not be there yet."""
    return PurePosixPath(name).suffix.lower() in NAMING


def _is_text(path: Path) -> None:
    if b"\0" in path.read_bytes():
        raise DataError("not a list", where=path, why="it holds binary data")


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError("list cannot be read", where=path, why=str(error)) from None
    return [line.strip() for line in text.splitlines() if line.strip()]
