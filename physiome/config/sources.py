"""Where recordings come from, and how their files get here."""

import re
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from physiome.config.base import Folder, Spec


class Synthetic(Spec):
    """How many recordings to make up, and from which seed."""

    subjects: PositiveInt = 8
    recordings_per_subject: PositiveInt = 1
    hours: PositiveFloat = 1.0
    seed: int = 0


class Raw(Spec):
    """What fills a data set's raw folder.

    `download` fetches from the addresses of `transfer`; `folder` uses what lies in `folder`;
    `synthetic` writes genuine files. `folder` null means `<results>/raw/<dataset>`.
    """

    fill: Literal["download", "folder", "synthetic"]
    folder: Folder | None = None
    synthetic: Synthetic = Synthetic()

    @model_validator(mode="after")
    def _folder_is_named(self) -> "Raw":
        if self.fill == "folder" and not self.folder:
            raise ValueError("fill: folder needs the folder's path in folder")
        return self


class Transfer(Spec):
    """How files are transferred: nothing here changes which recordings there are."""

    urls: tuple[str, ...] = ()  # tried in order; https:// or file://
    connect_timeout_s: PositiveFloat = 15.0
    timeout_s: PositiveFloat = 60.0  # the longest silence of a server, or time for 16 KiB
    attempts: PositiveInt = 5  # in a row that bring less than 16 KiB, at each address
    connections: PositiveInt = 4
    heartbeat_s: NonNegativeFloat = 30.0  # between lines about progress; 0: none


class VitalDbTransfer(Transfer):
    """The same, of data whose terms of use must be accepted once."""

    accept_terms: bool = False


class SleepEdfSource(Spec):
    """The cassette recordings of Sleep-EDF Expanded: `sleep-cassette/*.edf`."""

    kind: Literal["sleep_edf"]
    raw: Raw
    transfer: Transfer = Transfer()
    records: tuple[str, ...] | None = None  # six-character record ids to keep; null: all

    @model_validator(mode="after")
    def _addresses_are_named(self) -> "SleepEdfSource":
        _require_addresses(self.raw, self.transfer)
        return self


class VitalDbSource(Spec):
    """Cases of the VitalDB open data set: `*.vital`."""

    kind: Literal["vitaldb"]
    raw: Raw
    transfer: VitalDbTransfer = VitalDbTransfer()
    track_list: str = "trks.csv.gz"  # caseid, tname, tid; beside the case files, or an address
    case_list: str | None = "cases.csv"  # caseid, subjectid; the same; null: a subject per case
    required: tuple[str, ...] | None = None  # tracks that a case must have; null: all wanted
    max_cases: PositiveInt | None = None  # null: all cases that have the required tracks

    @model_validator(mode="after")
    def _addresses_are_named(self) -> "VitalDbSource":
        _require_addresses(self.raw, self.transfer)
        return self


class PhysioNetSource(Spec):
    """Recordings of any open project of PhysioNet, e.g. `eegmat/1.0.0`."""

    kind: Literal["physionet"]
    project: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*/[0-9][0-9.]*$")]  # name/version
    # What a recording's path is like, without suffix; its groups, `subject` among them, are columns
    pattern: str
    raw: Raw
    transfer: Transfer = Transfer(urls=("https://physionet.org/files",))
    annotations: str | None = None  # ending of the file beside a recording that holds them
    records: tuple[str, ...] | None = None  # ids to keep; null: all that fit the pattern

    @model_validator(mode="after")
    def _pattern_names_the_subject(self) -> "PhysioNetSource":
        try:
            groups = re.compile(self.pattern).groupindex
        except re.error as error:
            raise ValueError(f"pattern {self.pattern!r}: {error}") from None
        if "subject" not in groups:
            raise ValueError(f"pattern {self.pattern!r} has no group (?P<subject>...)")
        if set(groups) & {"record", "signals", "annotations", "problem"}:
            raise ValueError(f"pattern {self.pattern!r}: a group has a name that is taken")
        if self.raw.fill == "synthetic":
            raise ValueError("raw.fill: a project is downloaded, or lies in a folder")
        _require_addresses(self.raw, self.transfer)
        return self


class RecordingsSource(Spec):
    """Any folder of recordings in formats that are read, with a `records.csv` (record, subject).

    Optional columns: `path` (of the signal file, relative to the folder), `annotations` (of
    a file that holds them; else those of the signal file), and a label column.
    """

    kind: Literal["recordings"]
    folder: Folder
    records: str = "records.csv"


Source = Annotated[
    SleepEdfSource | VitalDbSource | PhysioNetSource | RecordingsSource,
    Field(discriminator="kind"),
]


class SourceSettings(Spec):
    """What the steps on raw files need to know of a data set."""

    dataset: str
    source: Source
    folder: str  # the raw folder
    modalities: dict[str, str] = Field(default_factory=dict)  # modality -> channel


def _require_addresses(raw: Raw, transfer: Transfer) -> None:
    if raw.fill == "download" and not transfer.urls:
        raise ValueError("raw.fill: download needs at least one address in transfer.urls")
