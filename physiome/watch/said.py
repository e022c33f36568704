"""What Snakemake said of a run, and what of it is left to say at the end."""

from collections.abc import Iterable
from pathlib import Path

from physiome.plan.failures import Failure, last_words, told_of
from physiome.plan.memory import noted_jobs
from physiome.watch.run_log import began, run_logs

LAST = 40  # lines of Snakemake that are shown where it failed and no job did


def log_since(started: float, root: Path) -> Path | None:
    """Snakemake's log of the run that was started then, once there is one.

    Args:
        started: seconds since the epoch; a log's name tells whole ones.
        root: the working folder of Snakemake.
    """
    latest = next(iter(run_logs(root)), None)
    return latest if latest and began(latest) >= int(started) else None


def left_to_say(status: int, told: bool, log: Path | None, said: str) -> list[str]:
    """Lines for the end: the errors of jobs that failed, else what Snakemake said itself.

    Args:
        status: Snakemake's exit status.
        told: whether anything was told of the run while it ran; if so and it succeeded, no more.
        said: all that Snakemake said.
    """
    if status and log is not None and (failed := last_words([log])):
        return [f"Snakemake's own words: {log}", *failed]
    return said.strip().splitlines()[-LAST:] if status or not told else []


def said_at_end(logs: Iterable[str | Path], results: str) -> list[str]:
    """A line for each job of a run that failed, by its log, or where that is quiet, by the notes.

    Args:
        logs: of Snakemake, in the working folder.
    """
    paths = [Path(log) for log in logs]
    if (said := last_words(paths)) or not paths:
        return said
    _, failed = noted_jobs(Path(), results, min(began(path) for path in paths))
    return told_of([Failure(job.log, job.rule) for job in failed])
