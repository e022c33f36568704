"""What Snakemake notes in the working folder: of every file it made, and of those being made.

Below `.snakemake/metadata` and `.snakemake/incomplete` lies a note for each file, named by the
file's path in base 64.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from physiome.errors import PhysioError
from physiome.files import read_json

FOLDER = Path(".snakemake")
SUFFIX = ".results"  # of what lies beside a run's log
PIECE = 254  # characters of a file's name there; longer ones are folders

Kind = Literal["metadata", "incomplete"]


def note_of(result: str) -> dict[str, Any] | None:
    """How a file was made, with `rule`, `params`, `input`, `endtime`; None if nothing is known."""
    name = urlsafe_b64encode(result.encode()).decode()
    pieces = [name[i : i + PIECE] for i in range(0, len(name), PIECE)]
    path = Path(FOLDER, "metadata", *(f"@{piece}" for piece in pieces[:-1]), pieces[-1])
    try:
        note = read_json(path)
    except PhysioError:
        return None
    return note if isinstance(note, dict) else None


def note_results(logs: Iterable[str | Path], results: str) -> None:
    """Note beside a run's log where it writes: Snakemake's own log does not say so."""
    for log in logs:
        Path(log).with_suffix(SUFFIX).write_text(results, "utf-8")


def noted_results(log: Path) -> str | None:
    """Where the run of a log writes; None where that was not noted: it did no job."""
    note = log.with_suffix(SUFFIX)
    return note.read_text("utf-8") if note.is_file() else None


def notes(kind: Kind, root: Path = Path()) -> Iterator[tuple[str, float]]:
    """Every file that is noted, and when that was written (seconds since the epoch)."""
    folder = root / FOLDER / kind
    for path in folder.rglob("*"):
        name = "".join(part.removeprefix("@") for part in path.relative_to(folder).parts)
        try:
            written = path.stat().st_mtime
            if path.is_file():
                yield urlsafe_b64decode(name.encode()).decode(), written
        except (OSError, ValueError):
            continue  # gone meanwhile, or not one of them
