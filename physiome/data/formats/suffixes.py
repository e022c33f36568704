"""Which files are of which format. Apart from the readers: to look for files needs none of them."""

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
NAMING = tuple(suffixes[0] for suffixes in FORMATS.values())  # one file a record


def is_recording(path: Path) -> bool:
    """Whether a file is called like a recording; a table is one if a `.json` of its name is there.

    The table of records is none.
    """
    suffix = path.suffix.lower()
    if OF_FORMAT.get(suffix) in TABLES:
        return path.with_suffix(".json").is_file()
    return suffix in NAMING
