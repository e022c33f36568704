"""Readers of recording files, chosen by suffix."""

from pathlib import Path

from physiome.data.formats.suffixes import BY_MNE, OF_FORMAT, TABLES
from physiome.data.recording import Annotation, Reader
from physiome.errors import DataError


def open_reader(path: str | Path) -> Reader:
    """Open and verify a recording of one of the `FORMATS`, chosen by its suffix.

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
    format_ = OF_FORMAT.get(path.suffix.lower())
    if path.is_dir():
        next(path.iterdir(), None)  # one that may not be read says so
        raise DataError("a folder, not a recording", where=path, do="name a file in it")
    if format_ is None:
        raise DataError(
            "unknown kind of file",
            where=path,
            why=f"suffix {path.suffix!r}",
            do=f"known: {', '.join(OF_FORMAT)}",
        )
    if not path.is_file():
        raise DataError("file is missing", where=path, do="fetch it or correct its path")
    # The libraries behind the readers take long to import; only the one needed is.
    if format_ in ("EDF", "BDF"):
        from physiome.data.formats.edf import EdfReader

        return EdfReader(path)
    if format_ in BY_MNE:
        from physiome.data.formats.mne_files import MneReader

        return MneReader(path, format_)
    if format_ in TABLES:
        from physiome.data.formats.columns import TableReader

        return TableReader(path)
    if format_ == "vital":
        from physiome.data.formats.vital import VitalReader

        return VitalReader(path)
    from physiome.data.formats.wfdb import WfdbReader

    return WfdbReader(path)


def holds_annotations(path: str | Path) -> bool:
    """Whether a recording's own file holds annotations that are read.

    Raises:
        DataError: the file is cut or damaged.
    """
    format_ = OF_FORMAT.get(Path(path).suffix.lower())
    if format_ in BY_MNE:
        return bool(read_annotations(path)[0])
    if format_ in ("EDF", "BDF"):
        from physiome.data.formats.edf_header import ANNOTATIONS, read_edf_header

        return ANNOTATIONS in {signal.label for signal in read_edf_header(path).signals}
    return False


def read_annotations(path: str | Path) -> tuple[list[Annotation], float | None]:
    """The annotations of a file by onset, and its start (seconds since the epoch).

    Raises:
        DataError: the file is cut, damaged, or of a format whose annotations are not read.
    """
    path = Path(path)
    if OF_FORMAT.get(path.suffix.lower()) in BY_MNE:
        from physiome.data.formats.mne_files import MneReader

        reader = open_reader(path)
        assert isinstance(reader, MneReader)
        return reader.annotations(), reader.start
    from physiome.data.formats import edf

    return edf.read_annotations(path)
