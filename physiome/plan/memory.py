"""What Snakemake notes in the working folder: of every file it made, and of those being made.

Below `.snakemake/metadata` and `.snakemake/incomplete` lies a note for each file, named by the
file's path in base 64.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from physiome.errors import PhysioError
from physiome.files import read_json, write_text
from physiome.plan.jobs import Job, job_of

FOLDER = Path(".snakemake")
SUFFIX = ".results"  # of what lies beside a run's log
PIECE = 254  # characters of a file's name there; longer ones are folders

Kind = Literal["metadata", "incomplete"]
End = Literal["", "done", "failed"]


def note_of(result: str) -> dict[str, Any] | None:
    """How a file was made, with `rule`, `params`, `input`, `endtime`; None if nothing is known."""
    try:
        return read_json(_note("metadata", result))
    except PhysioError:
        return None


def is_cut_off(result: str) -> bool:
    """Whether a file's job was begun and is not known to have ended."""
    return _note("incomplete", result).exists()


def _note(kind: Kind, result: str) -> Path:
    name = urlsafe_b64encode(result.encode()).decode()
    pieces = [name[i : i + PIECE] for i in range(0, len(name), PIECE)]
    return Path(FOLDER, kind, *(f"@{piece}" for piece in pieces[:-1]), pieces[-1])


def note_results(logs: Iterable[str | Path], results: str, end: End = "") -> None:
    """Note beside a run's log where it writes, and how it ended: that log does not say where.

    How it ended is not there either if Snakemake is told to be quiet.
    """
    for log in logs:
        write_text(Path(log).with_suffix(SUFFIX), f"{results}\n{end}")


def noted_results(log: Path) -> str | None:
    """Where the run of a log writes; None where that was not noted: it did no job."""
    noted = _beside(log)
    return noted[0] if noted else None


def noted_end(log: Path) -> str:
    """How the run of a log ended: `done`, `failed`, or "" where it goes on or was cut off."""
    return "".join((_beside(log) or [])[1:])


def _beside(log: Path) -> list[str] | None:
    note = log.with_suffix(SUFFIX)
    return note.read_text("utf-8").splitlines() if note.is_file() else None


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


def noted_jobs(root: Path, results: str | None, since: float) -> tuple[list[Job], list[Job]]:
    """Jobs that ended since then: those whose results are there, and those whose are not.

    Snakemake notes the results of a failed job as well, and removes them. A job that has been begun
    again is neither.
    """
    there: dict[Job, bool] = {}
    for path, at in notes("metadata", root):
        job = job_of(path)
        if job is not None and at >= since and results in (None, job.results):
            there[job] = there.get(job, True) and (root / path).exists()
    again = {job_of(path) for path, _ in notes("incomplete", root)}
    ended = [job for job in there if job not in again]
    return [job for job in ended if there[job]], [job for job in ended if not there[job]]
