"""Sources of recordings: what one is, and which there are."""

import json
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol

from physiome.config.base import deep_merge
from physiome.config.sources import SourceSettings
from physiome.data.recording import RawRecord
from physiome.data.sources.record_table import Row

# kind -> class, loaded only when asked for: one source's code does not depend on another's
SOURCES = {
    "sleep_edf": "physiome.data.sources.sleep_edf:SleepEdf",
    "vitaldb": "physiome.data.sources.vitaldb_cases:VitalDb",
    "physionet": "physiome.data.sources.physionet:PhysioNet",
    "recordings": "physiome.data.sources.own_folder:Recordings",
}


class Source(Protocol):
    """Where the recordings of a data set come from."""

    def records(self) -> list[Row]:
        """The record table, sorted by record: record, subject, signals, annotations, others.

        `signals` and `annotations` are paths relative to the raw folder; `problem`, if not empty,
        says why a record cannot be used. Reads lists of files, never their samples.
        """
        ...

    def fill(self, rows: Iterable[Row]) -> list[RawRecord]:
        """Make sure that the files of these rows are in the raw folder and verified.

        A record whose files cannot be had gets a `problem`; the others go on.
        """
        ...


def parse_settings(settings: str, transfer: str) -> SourceSettings:
    """The settings of a step on raw files.

    Args:
        settings: JSON text of what decides which recordings there are.
        transfer: JSON text of the same shape, of what only decides how files are transferred.
    """
    return SourceSettings.parse(deep_merge(json.loads(settings), json.loads(transfer)), "source")


def open_source(settings: SourceSettings) -> Source:
    """The source that `settings` describes."""
    module, name = SOURCES[settings.source.kind].split(":")
    make = getattr(import_module(module), name)
    channels: Sequence[str] = tuple(settings.modalities.values())
    return make(settings.source, Path(settings.folder), channels)
