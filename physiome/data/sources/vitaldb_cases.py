"""The VitalDB open data set (Lee et al., Sci Data 2022;9:279): its lists, its case files.

The track list names every track of every case (columns caseid, tname, tid), the case list each
case's patient (columns caseid, subjectid, and clinical facts). PhysioNet and api.vitaldb.net serve
both; neither publishes sizes or sums of the case files, so a case is checked by its structure.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from physiome.config.sources import VitalDbSource
from physiome.data.download.fetch import addresses, fetch
from physiome.data.download.file_checks import is_whole_vital
from physiome.data.download.limits import Limits
from physiome.data.recording import RawRecord
from physiome.data.sources.record_table import Row, check_inside, fill_each, read_rows
from physiome.data.synthetic import operations as synthetic_vital
from physiome.errors import ConfigError, DataError, nearest

log = logging.getLogger(__name__)
CASE_FILES = ("{:04d}.vital", "{:d}.vital")  # as PhysioNet calls a case file; as the API does
TRACK_COLUMNS = ("caseid", "tname")
CASE_COLUMNS = ("caseid", "subjectid")


class VitalDb:
    """Cases that have the required tracks, as `<folder>/NNNN.vital` (or as the API calls them)."""

    def __init__(self, spec: VitalDbSource, folder: Path, channels: Sequence[str]):
        self.spec, self.folder, self.channels = spec, folder, channels

    def records(self) -> list[Row]:
        """The cases that have the required tracks, by number; the subject is the case's patient.

        Raises:
            ConfigError: if the terms of use are not accepted, no track is wanted, or one that is
                required is not.
            DataError: if a list is missing or damaged, a case has no patient, no case fits.
        """
        if not self.channels:
            raise ConfigError("no track is wanted", where="modalities")
        required = self.channels if self.spec.required is None else self.spec.required
        for track in required:
            if track not in self.channels:
                raise ConfigError(
                    f"{track!r} is required, but no modality's channel",
                    where="source.required",
                    do=nearest(track, self.channels),
                )
        self._prepare()
        rows = read_rows(self._list("track_list"), TRACK_COLUMNS)
        cases = _cases_with(required, rows, self.spec.track_list)[: self.spec.max_cases]
        patients = self._patients()
        return [self._row(case, patients) for case in cases]

    def fill(self, rows: Iterable[Row]) -> list[RawRecord]:
        """Download and check, make up, or look for the files of these cases."""
        self._check_may()
        ways = {"download": self._download, "folder": self._look, "synthetic": self._make_up}
        return fill_each([dict(row) for row in rows], self.folder, ways[self.spec.raw.fill])

    def _check_may(self) -> None:
        fill = self.spec.raw.fill
        if fill == "download" and not self.spec.transfer.accept_terms:
            raise ConfigError(
                "terms of use are not accepted",
                where="source.transfer.accept_terms",
                why="the VitalDB open data set is under CC BY-NC-SA 4.0 and its data use terms "
                "(https://vitaldb.net/dataset)",
                do="read them, then set source.transfer.accept_terms: true in the section of this "
                "data set (as shipped: datasets.vitaldb)",
            )
        if fill == "folder" and not self.folder.is_dir():
            raise DataError("folder is not there", where=self.folder, do="correct raw.folder")

    def _prepare(self) -> None:
        """Make the lists be there."""
        self._check_may()
        raw = self.spec.raw
        if raw.fill == "synthetic":
            synthetic_vital.check_hours(raw.synthetic.hours)
            lists = (
                self._list("track_list"),
                self._list("case_list") if self.spec.case_list else None,
            )
            wanted = raw.synthetic
            sizes = wanted.subjects, wanted.recordings_per_subject
            synthetic_vital.write_lists(*lists, *sizes, tuple(self.channels))
        elif raw.fill == "download":
            self._fetch_list("track_list", TRACK_COLUMNS)
            if self.spec.case_list:
                self._fetch_list("case_list", CASE_COLUMNS)

    def _list(self, key: str) -> Path:
        """Where a list lies: in the raw folder, by the last part of its name or address."""
        name = getattr(self.spec, key)
        if "://" in name:
            name = urlsplit(name).path.rstrip("/").rsplit("/", 1)[-1] or key
        return self.folder / check_inside(name, key)

    def _fetch_list(self, key: str, columns: Sequence[str]) -> None:
        name, transfer = getattr(self.spec, key), self.spec.transfer

        def check(path: Path) -> None:
            read_rows(path, columns)

        urls = [name] if "://" in name else addresses(transfer.urls, name)
        fetch(urls, self._list(key), check, Limits.of(transfer))

    def _patients(self) -> dict[str, str] | None:
        if self.spec.case_list is None:
            log.warning("case_list=null effect=each case counts as a subject of its own")
            return None
        rows = read_rows(self._list("case_list"), CASE_COLUMNS)
        return {row["caseid"]: row["subjectid"] for row in rows}

    def _row(self, case: int, patients: dict[str, str] | None) -> Row:
        subject = str(case) if patients is None else patients.get(str(case), "")
        if not subject:
            raise DataError(
                f"case {case} has no patient",
                where=self._list("case_list"),
                do="use the case list of the same release as the track list",
            )
        signals = CASE_FILES[0].format(case)
        return {"record": f"{case:04d}", "subject": subject, "signals": signals, "annotations": ""}

    def _download(self, row: Row) -> None:
        names = dict.fromkeys(pattern.format(int(row["record"])) for pattern in CASE_FILES)
        transfer = self.spec.transfer
        urls = [u for base in transfer.urls for name in names for u in addresses([base], name)]
        fetch(urls, self.folder / row["signals"], is_whole_vital, Limits.of(transfer))

    def _look(self, row: Row) -> None:
        for pattern in CASE_FILES:
            name = pattern.format(int(row["record"]))
            if (self.folder / name).is_file():
                row["signals"] = name
                return
        raise DataError("file is missing", where=self.folder / row["signals"])

    def _make_up(self, row: Row) -> None:
        wanted = self.spec.raw.synthetic
        synthetic_vital.write_case(
            self.folder / row["signals"],
            record=row["record"],
            subject=row["subject"],
            hours=wanted.hours,
            seed=wanted.seed,
            tracks=tuple(self.channels),
        )


def _cases_with(channels: Sequence[str], rows: Iterable[Row], where: str) -> list[int]:
    """Numbers of the cases that have all these tracks, ascending."""
    tracks: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        tracks[row["caseid"]].add(row["tname"])
    fitting = [case for case, names in tracks.items() if names.issuperset(channels)]
    if not fitting:
        known = set().union(*tracks.values())
        unknown = [channel for channel in channels if channel not in known]
        raise DataError(
            "no case has all wanted tracks",
            where=where,
            why=f"no case has {', '.join(unknown)}" if unknown else ", ".join(channels),
        )
    for case in fitting:  # "1" and "01" would be two records of one name
        if not (case.isascii() and case.isdigit() and str(int(case)) == case):
            raise DataError("caseid is not a plain whole number", where=where, why=repr(case))
    return sorted(int(case) for case in fitting)
