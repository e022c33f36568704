"""Which files are of which format. Apart from the readers: to look for files needs none of them."""

import os
from collections.abc import Iterator
from pathlib import Path

FORMATS = {  # in the order of preference; first the suffix that a record is named by
    "EDF": (".edf",),
    "BDF": (".bdf",),
    "BrainVision": (".vhdr",),
    "FIF": (".fif",),
    "EEGLAB": (".set",),
    "vital": (".vital",),
    "WFDB": (".hea", ".mat", ".dat"),
    "Parquet": (".parquet",),
    "CSV": (".csv",),
}
OF_FORMAT = {suffix: name for name, suffixes in FORMATS.items() for suffix in suffixes}
BY_MNE = ("BrainVision", "FIF", "EEGLAB")
TABLES = ("Parquet", "CSV")
PREDICTED = b'"unlike_training"'  # a key of the `.json` beside a table of predictions
NAMING = tuple(suffixes[0] for suffixes in FORMATS.values())  # one file a record
LOOKED_FOR = f"looked for {', '.join(NAMING)}, of tables those with a .json of their name beside"


def is_recording(path: Path) -> bool:
    """Whether a file is called like a recording; a table is one if a `.json` of its name is there.

    The table of records is none, nor is what `physiome predict` wrote, nor what macOS notes of a
    file on a disk of others (`._night.edf`).
    """
    suffix = path.suffix.lower()
    if path.name.startswith("._"):
        return False
    if OF_FORMAT.get(suffix) in TABLES:
        beside = path.with_suffix(".json")
        return beside.is_file() and not _is_of_predictions(beside)
    return suffix in NAMING


def _is_of_predictions(beside: Path) -> bool:
    try:
        return PREDICTED in beside.read_bytes()
    except OSError:  # whoever opens the table is told why
        return False


def files_in(paths: list[Path]) -> Iterator[Path]:
    """The recordings among the paths and below the folders among them."""
    for path in paths:
        if os.path.isdir(path):  # of a path that may not be looked at: no, then its block says why
            closed: list[OSError] = []
            walked = os.walk(path, onerror=closed.append)
            inside = [Path(folder, name) for folder, _, names in walked for name in names]
            yield from (Path(error.filename) for error in closed)  # their blocks say why
            yield from sorted(p for p in inside if is_recording(p))
        else:
            yield path
