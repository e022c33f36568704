"""Sleep-EDF Expanded, cassette recordings: the 153 nights, their files, pairing by record id.

The committed table carries the names and SHA-1 sums that PhysioNet publishes for version 1.0.0
(doi:10.13026/C2X676). Records are called by the first six characters of their files: `SC4`, two
digits of the subject, one of the night. The letters behind them name recorder and scorer and differ
between a night's two files, so they cannot pair them.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from physiome.config.sources import SleepEdfSource
from physiome.data.download.fetch import addresses, fetch
from physiome.data.download.file_checks import has_digest
from physiome.data.download.limits import Limits
from physiome.data.recording import RawRecord
from physiome.data.sources.record_table import PROBLEM, Row, fill_each, read_rows
from physiome.data.synthetic import nights as synthetic_sleep
from physiome.errors import ConfigError, DataError, nearest

TABLE = Path(__file__).with_name("sleep_edf_records.csv")
CASSETTE = "sleep-cassette"
PSG, HYPNOGRAM = "-PSG.edf", "-Hypnogram.edf"
MOST_SUBJECTS, MOST_NIGHTS = 100, 9  # two digits and one digit of the file name


class SleepEdf:
    """The cassette nights in `<folder>/sleep-cassette`, downloaded, made up, or already there.

    With `fill: folder` the files are the user's own: they are paired, but not compared with the
    published sums, so that cut, converted or further nights can be used. Reading checks their
    structure. Files may also lie in `folder` itself.
    """

    def __init__(self, spec: SleepEdfSource, folder: Path, channels: Sequence[str] = ()):
        self.spec, self.folder = spec, folder

    def records(self) -> list[Row]:
        """The nights: the committed table, the made-up ones, or those found in the folder.

        Raises:
            DataError: if the folder to use is not there, or a wanted record does not exist.
        """
        fill = self.spec.raw.fill
        if fill == "download":
            rows = read_rows(TABLE)
        elif fill == "folder":
            rows = self._found()
        else:
            rows = self._made_up()
        return _wanted(rows, self.spec.records, where=self.folder if fill == "folder" else fill)

    def fill(self, rows: Iterable[Row]) -> list[RawRecord]:
        """Download and verify, make up, or look for the files of these rows."""
        ways = {"download": self._download, "folder": self._look, "synthetic": self._make_up}
        if self.spec.raw.fill == "folder":
            self._cassette()
        return fill_each(rows, self.folder, ways[self.spec.raw.fill])

    def _download(self, row: Row) -> None:
        transfer = self.spec.transfer
        for kind in ("annotations", "signals"):  # the small file first: a wrong address shows soon
            check = has_digest(row[f"{kind}_sha1"])
            urls = addresses(transfer.urls, row[kind])
            fetch(urls, self.folder / row[kind], check, Limits.of(transfer))

    def _look(self, row: Row) -> None:
        for kind in ("signals", "annotations"):
            if not (self.folder / row[kind]).is_file():
                raise DataError("file is missing", where=self.folder / row[kind])

    def _make_up(self, row: Row) -> None:
        synthetic = self.spec.raw.synthetic
        synthetic_sleep.write_night(
            self.folder / row["signals"],
            self.folder / row["annotations"],
            record=row["record"],
            subject=row["subject"],
            hours=synthetic.hours,
            seed=synthetic.seed,
        )

    def _made_up(self) -> list[Row]:
        wanted = self.spec.raw.synthetic
        subjects, nights = wanted.subjects, wanted.recordings_per_subject
        if subjects > MOST_SUBJECTS or nights > MOST_NIGHTS:
            raise ConfigError(
                "file names of this layout cannot hold so many recordings",
                where="raw.synthetic",
                why=f"{subjects} subjects, {nights} nights each",
                do=f"ask for at most {MOST_SUBJECTS} subjects and {MOST_NIGHTS} nights each",
            )
        synthetic_sleep.check_hours(wanted.hours)
        return [_night(f"SC4{s:02d}{n + 1}") for s in range(subjects) for n in range(nights)]

    def _cassette(self) -> Path:
        """The folder in which the nights lie."""
        if not self.folder.is_dir():
            raise DataError("folder is not there", where=self.folder, do="correct raw.folder")
        inner = self.folder / CASSETTE
        return inner if inner.is_dir() else self.folder

    def _found(self) -> list[Row]:
        cassette = self._cassette()
        prefix = cassette.relative_to(self.folder).as_posix().removesuffix(".")
        prefix += "/" if prefix else ""
        psgs, hypnograms = _by_record(cassette, PSG), _by_record(cassette, HYPNOGRAM)
        rows = []
        for record in sorted({*psgs, *hypnograms}):
            psg, hypnogram = psgs.get(record, []), hypnograms.get(record, [])
            rows.append(
                {
                    "record": record,
                    "subject": record[:5],
                    "night": record[5],
                    "signals": prefix + psg[0] if psg else "",
                    "annotations": prefix + hypnogram[0] if hypnogram else "",
                    PROBLEM: _pair_problem(psg, hypnogram),
                }
            )
        if not rows:
            raise DataError(
                "no recordings in the folder",
                where=cassette,
                why=f"no file is called SC4...{PSG}",
                do="correct raw.folder",
            )
        return rows


def _night(record: str) -> Row:
    stem = f"{CASSETTE}/{record}"
    return {
        "record": record,
        "subject": record[:5],
        "night": record[5],
        "signals": f"{stem}E0{PSG}",
        "annotations": f"{stem}EC{HYPNOGRAM}",
    }


def _by_record(folder: Path, ending: str) -> dict[str, list[str]]:
    """Names of the cassette files with this ending, by record id.

    The id is the first six characters and whatever follows the eight of an original name:
    `SC4001E0_cut-PSG.edf` is `SC4001_cut`, another record of the same subject.
    """
    found: dict[str, list[str]] = {}
    for path in sorted(folder.glob(f"SC4*{ending}")):
        stem = path.name.removesuffix(ending)
        if len(stem) >= 8 and stem[:6].isalnum():
            found.setdefault(stem[:6] + stem[8:], []).append(path.name)
    return found


def _pair_problem(psg: list[str], hypnogram: list[str]) -> str:
    if len(psg) > 1 or len(hypnogram) > 1:
        several = psg if len(psg) > 1 else hypnogram
        return f"several files for one record: {', '.join(several)} - keep one of them"
    if not hypnogram:
        return f"{psg[0]} has no hypnogram - put {psg[0][:6]}??{HYPNOGRAM} beside it"
    if not psg:
        return f"{hypnogram[0]} has no signals - put {hypnogram[0][:6]}??{PSG} beside it"
    return ""


def _wanted(rows: list[Row], wanted: Sequence[str] | None, where: object) -> list[Row]:
    known = {row["record"] for row in rows}
    for record in wanted or ():
        if record not in known:
            raise DataError(f"no record {record!r}", where=where, do=nearest(record, known))
    return [row for row in rows if wanted is None or row["record"] in wanted]
