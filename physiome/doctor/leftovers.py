"""What a killed run leaves behind: Snakemake's locks, resume state, temporary files."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from physiome.doctor.finding import Finding, size
from physiome.doctor.processes import holder, snakemakes


def workflow_lock(folder: Path) -> Iterator[Finding]:
    """Whether Snakemake's lock on the working folder belongs to a run that lives."""
    locks = [p for p in (folder / ".snakemake/locks").glob("*") if p.is_file()]
    running = snakemakes(folder)
    if running:
        pids = ", ".join(map(str, sorted(running)))
        yield Finding(
            "warn",
            "workflow",
            f"Snakemake runs in this folder (process {pids})",
            "wait for it: a second run is refused",
        )
    elif locks:
        yield Finding(
            "warn",
            "workflow",
            "this folder is locked, and no Snakemake runs here",
            "snakemake --unlock, if none runs on another machine either",
        )
    else:
        yield Finding("ok", "workflow", "this folder is not locked")


def remains(folders: Iterable[Path]) -> Iterator[Finding]:
    """Interrupted trainings, and files that were being written when something died."""
    temporary, parts, resumes = _walk(folders)
    for folder in resumes:
        pid = holder(folder / "lock")
        if pid is not None:
            yield Finding(
                "warn",
                "training",
                f"{folder.stem} is being trained by process {pid}",
                "wait for it, or end that process",
            )
        else:
            yield Finding("ok", "training", f"{folder} was interrupted and will be resumed")
    if parts:
        yield Finding("ok", "downloads", f"{len(parts)} begun ({size(_total(parts))}): they go on")
    if temporary:
        some = f"{temporary[0]}" + (f" and {len(temporary) - 1} more" if temporary[1:] else "")
        yield Finding(
            "warn",
            "temporary",
            f"{some} ({size(_total(temporary))})",
            "delete them if nothing runs: a killed job left them",
        )


def _walk(folders: Iterable[Path]) -> tuple[list[Path], list[Path], list[Path]]:
    """Temporary files, begun downloads, and folders of resume state; each once, sorted."""
    temporary, parts, resumes = set(), set(), set()
    for folder in folders:
        for where, names, files in os.walk(folder):
            resumes |= {Path(where, name) for name in names if name.endswith(".resume")}
            parts |= {Path(where, f) for f in files if f.endswith(".part")}
            temporary |= {Path(where, f) for f in files if f.startswith(".") and f.endswith(".tmp")}
    return sorted(temporary), sorted(parts), sorted(resumes)


def _total(paths: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in paths if path.exists())
