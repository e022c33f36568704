"""A user's own folder of recordings with a table of records and subjects."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from physiome.config.sources import RecordingsSource
from physiome.data.formats.suffixes import NAMING, is_recording
from physiome.data.recording import RawRecord
from physiome.data.sources.record_table import Row, check_id, check_inside, fill_each, read_rows
from physiome.errors import DataError


class Recordings:
    """Recordings listed in a CSV file of `folder`: columns record, subject.

    Optional columns: `path` (of the signal file, relative to the folder; else the one file in the
    folder or below it that is called like the record, with a suffix of `NAMING`), `annotations` (of
    an EDF+ hypnogram), and any others, e.g. a label.
    """

    def __init__(self, spec: RecordingsSource, folder: Path, channels: Sequence[str] = ()):
        self.spec, self.folder = spec, folder

    def records(self) -> list[Row]:
        """The rows of the user's table, checked.

        Raises:
            DataError: if the folder or the table is missing, a column is missing, a record is
                listed twice or has no subject, or an id or path could leave the folder.
        """
        table = self.table()
        rows, seen = [], set()
        for listed in read_rows(table, ("record", "subject")):
            record = check_id(listed["record"], table)
            if record in seen:
                raise DataError(f"record {record!r} is listed twice", where=table)
            if not listed["subject"]:
                raise DataError(
                    f"record {record!r} has no subject",
                    where=table,
                    do="name one: recordings of one person must share it",
                )
            if not listed["subject"].isprintable():
                raise DataError(f"subject {listed['subject']!r} does not print", where=table)
            seen.add(record)
            row = {"signals": check_inside(listed.pop("path", ""), table), "annotations": ""}
            check_inside(listed.get("annotations", ""), table)
            rows.append(row | listed)
        if not rows:
            raise DataError("no record is listed", where=table)
        return sorted(rows, key=lambda row: row["record"])

    def fill(self, rows: Iterable[Row]) -> list[RawRecord]:
        """Find the files; a record whose files are not there gets a problem."""
        self.table()
        return fill_each([dict(row) for row in rows], self.folder, self._look)

    def table(self) -> Path:
        """The user's table of records; DataError if it, or the folder, is not there."""
        if not self.folder.is_dir():
            raise DataError("folder is not there", where=self.folder, do="correct source.folder")
        table = self.folder / check_inside(self.spec.records, "source.records")
        if not table.is_file():
            raise DataError(
                "table of records is missing",
                where=table,
                do="write one with the columns record, subject",
            )
        return table

    @cached_property
    def _names(self) -> dict[str, list[str]]:
        """Signal files at any depth, by stem; linked folders are not searched.

        A table without its `.json` only where nothing else has its name: reading tells what to do.
        """
        names: dict[str, list[str]] = {}
        bare: dict[str, list[str]] = {}
        for path in sorted(self.folder.rglob("*")):
            if path.suffix.lower() in NAMING and path.is_file():
                found = names if is_recording(path) else bare
                found.setdefault(path.stem, []).append(path.relative_to(self.folder).as_posix())
        return bare | names

    def _by_name(self, record: str) -> str:
        """The signal file called like the record, relative to the folder."""
        paths = self._names.get(record, [])
        for suffix in NAMING:
            of_suffix = [path for path in paths if path.lower().endswith(suffix)]
            if len(of_suffix) > 1:
                raise DataError(
                    f"several signal files for record {record!r}",
                    where=self.folder,
                    why=", ".join(of_suffix),
                    do="name one of them in the column path",
                )
            if of_suffix:
                return of_suffix[0]
        raise DataError(
            f"no signal file for record {record!r}",
            where=self.folder,
            why=f"none is called {record} with the suffix {', '.join(NAMING)}",
            do="add it, or name it in the column path",
        )

    def _look(self, row: Row) -> None:
        row["signals"] = row["signals"] or self._by_name(row["record"])
        for kind in ("signals", "annotations"):
            if row[kind] and not (self.folder / row[kind]).is_file():
                raise DataError("file is missing", where=self.folder / row[kind])
