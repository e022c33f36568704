"""Readers of recording files, chosen by suffix."""

from pathlib import Path

from physiome.data.recording import Reader
from physiome.errors import DataError

SUFFIXES = (".edf", ".vital", ".hea", ".mat", ".dat")


def open_reader(path: str | Path) -> Reader:
    """Open and verify a recording: `.edf`, `.vital`, or a WFDB record (`.hea`, `.mat`, `.dat`).

    Raises:
        DataError: the file is missing, may not be read, is of an unknown kind, cut or damaged.
    """
    path = Path(path)
    try:
        return _open(path)
    except PermissionError as error:
        raise DataError(
            "may not be read",
            where=path,
            why=str(error),
            do="change its permissions or those of its folder",
        ) from None


def _open(path: Path) -> Reader:
    suffix = path.suffix.lower()
    if path.is_dir():
        next(path.iterdir(), None)  # one that may not be read says so
        raise DataError("a folder, not a recording", where=path, do="name a file in it")
    if suffix not in SUFFIXES:
        raise DataError(
            "unknown kind of file",
            where=path,
            why=f"suffix {path.suffix!r}",
            do=f"known: {', '.join(SUFFIXES)}",
        )
    if not path.is_file():
        raise DataError("file is missing", where=path, do="fetch it or correct its path")
    # The libraries behind the readers take long to import; only the one needed is.
    if suffix == ".edf":
        from physiome.data.formats.edf import EdfReader

        return EdfReader(path)
    if suffix == ".vital":
        from physiome.data.formats.vital import VitalReader

        return VitalReader(path)
    from physiome.data.formats.wfdb import WfdbReader

    return WfdbReader(path)
