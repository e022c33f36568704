"""What is written never takes the place of what is read."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from physiome.data.formats import open_reader
from physiome.errors import PhysioError

KINDS = (".csv", ".json", ".annotations.edf", ".png")  # of a recording among several
SUMMARY = "summary.csv"  # of all


def outputs(folder: Path, recordings: Iterable[Path]) -> Iterator[Path]:
    """Every file that scoring several recordings writes."""
    yield folder / SUMMARY
    for recording in recordings:
        yield from (folder / f"{recording.stem}{kind}" for kind in KINDS)


def require_apart(recordings: Iterable[Path], written: Iterable[Path]) -> None:
    """Refuse to write over a file of a recording that is read, by whatever name.

    Raises:
        PhysioError: naming the file and the recording.
    """
    read = {_identity(file): one for one in recordings for file in _files(one) if file.exists()}
    for path in written:
        if path.exists() and (recording := read.get(_identity(path))):
            raise PhysioError(
                "would be written over a recording",
                where=path,
                why=f"it is a file of {recording}",
                do="write elsewhere",
            )


def _identity(path: Path) -> tuple[int, int]:
    """Of a file, however it is called: links and letter case do not matter."""
    found = path.stat()
    return found.st_dev, found.st_ino


def _files(recording: Path) -> tuple[Path, ...]:
    try:
        return open_reader(recording).files
    except PhysioError:
        return (recording,)  # it will say so itself
