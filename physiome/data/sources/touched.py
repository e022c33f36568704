"""Sums of files that got another time since they were fetched, so that each is read once."""

from pathlib import Path
from typing import Any

from physiome.errors import PhysioError
from physiome.files import file_digest, read_json, write_json

State = list[int]  # bytes, and time of the last change in ns


class TouchedSums:
    """SHA-256 of files by their state, kept in a file.

    What the fetch step noted stays as it is: it stands for the recordings, and with it results are
    made again.

    Args:
        path: of that file; None: nothing is kept.
    """

    def __init__(self, path: Path | None):
        self._path = path
        self._kept = _read(path) if path is not None and path.is_file() else {}
        self._added = False

    def of(self, file: str, state: State) -> str:
        """The sum of a file, which is read if it was not read in this state before."""
        kept = self._kept.get(file)
        if isinstance(kept, dict) and kept.get("state") == state and "sha256" in kept:
            return kept["sha256"]
        found = file_digest(file)
        now = Path(file).stat()
        if [now.st_size, now.st_mtime_ns] == state:  # not written to meanwhile
            self._kept[file] = {"state": state, "sha256": found}
            self._added = True
        return found

    def keep(self) -> None:
        """Write the sums down, if there are new ones."""
        if self._path is None or not self._added:
            return
        try:
            write_json(self._path, self._kept)
        except PhysioError:  # looking at a run takes no right to write: the files are read again
            return


def _read(path: Path) -> dict[str, Any]:
    """What was kept; nothing where it was damaged."""
    try:
        return read_json(path)
    except PhysioError:
        return {}
