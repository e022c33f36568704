"""One run of Snakemake by its own log, or where that is quiet, by its notes: how its jobs went."""

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from physiome.plan.failures import ended_with_error, failed_jobs
from physiome.plan.memory import FOLDER, SUFFIX, noted_end, noted_jobs, noted_results

STATS = re.compile(r"^Job stats:\njob +count\n[- ]+\n(.*?)\ntotal +(\d+)$", re.M | re.S)
PLANNED = re.compile(r"^(\w+) +(\d+)$", re.M)
FINISHED = re.compile(r"^Finished jobid: (\d+) \(Rule: (\w+)\)$", re.M)
DONE = re.compile(r"^(\d+) of \d+ steps \(.*\) done$", re.M)
STOPPED = re.compile(r"^(Terminating processes on user request|Exiting because a job)", re.M)
ENDED = re.compile(r"^Complete log\(s\): ", re.M)
NOTHING = "Nothing to be done"
LOG = re.compile(r"^ {4}log: (\S.*?)(?: \(check log file.*)?$", re.M)


@dataclass(frozen=True)
class Failed:
    """A job that failed: its rule and its log."""

    rule: str
    log: str


@dataclass
class RunLog:
    """One run of Snakemake.

    Attributes:
        began: seconds since the epoch.
        changed: when its log, or the note of its end, was last written to.
        planned: jobs of each rule; empty while the run is still planning, and where Snakemake was
            told to be quiet about them.
        finished: those of them that are done.
        failed: those that failed and were not done since.
        ended: whether Snakemake has said its last word.
        stopped: whether it stopped before all was done: asked to, or because a job failed.
        started: whether it got beyond planning.
        nothing: whether it had nothing to do.
        end: as noted by the workflow itself: `done`, `failed` or "".
    """

    began: float
    changed: float
    planned: dict[str, int] = field(default_factory=dict)
    finished: Counter[str] = field(default_factory=Counter)
    failed: list[Failed] = field(default_factory=list)
    ended: bool = False
    stopped: bool = False
    started: bool = False
    nothing: bool = False
    end: str = ""

    @property
    def quiet(self) -> bool:
        """Whether its log does not say how many jobs there are, though it got that far."""
        return (self.started or self.ended) and not (self.planned or self.nothing)

    @property
    def total(self) -> int:
        """Jobs of the run."""
        return sum(self.planned.values())

    @property
    def done(self) -> int:
        """Those that are finished."""
        return sum(self.finished.values())


def run_logs(folder: Path = Path()) -> list[Path]:
    """Logs of all runs in a working folder, the latest first; a dry run leaves none."""
    logs = (folder / FOLDER / "log").glob("*.snakemake.log")
    return sorted(logs, key=lambda path: (began(path), path.name), reverse=True)


def began(path: Path) -> float:
    """When the run of a log began, by the log's name; by its last change if that tells nothing.

    Where clocks go back an hour a name stands for two moments: the later one, if there was a change
    after it.
    """
    changed = path.stat().st_mtime
    try:
        named = datetime.strptime(path.name.split(".")[0], "%Y-%m-%dT%H%M%S")
    except ValueError:
        return changed
    later = named.replace(fold=1).timestamp()
    return later if later <= changed else named.timestamp()


def read_log(path: Path) -> RunLog:
    """A run, as far as its log tells of it."""
    text = path.read_text("utf-8", errors="replace")
    stats = STATS.search(text)
    run = RunLog(began(path), path.stat().st_mtime, end=noted_end(path))
    if run.end:
        run.changed = max(run.changed, path.with_suffix(SUFFIX).stat().st_mtime)
    run.ended, run.stopped = bool(run.end or ENDED.search(text)), bool(STOPPED.search(text))
    run.started, run.nothing = bool(stats or noted_results(path)), NOTHING in text
    if stats:
        run.planned = {rule: int(count) for rule, count in PLANNED.findall(stats[1])}
    finished = dict(FINISHED.findall(text))
    run.finished = Counter(finished.values())
    if run.end != "done":  # else a further attempt of each went well, said or not
        run.failed = [Failed(rule, log) for rule, log in failed_jobs(text)]
    return run


def complete(run: RunLog, root: Path, results: str | None) -> None:
    """Add to a run what it did by the notes and its log does not say.

    Args:
        results: the folder it writes to; None: any.
    """
    if not (run.quiet or ((run.stopped or run.end == "failed") and not run.failed)):
        return
    done, gone = noted_jobs(root, results, run.began)
    if run.end == "done":  # what is gone was removed after it
        done, gone = done + gone, []
    if run.quiet:
        run.finished = Counter(job.rule for job in done)
    run.failed = run.failed or [Failed(job.rule, job.log) for job in gone]


def last_end(note: dict[str, Any], root: Path = Path()) -> str:
    """How the job ended that Snakemake's note of a result is of: `done`, `failed`, "" if unknown.

    The note itself is the same for both. The log of its run names the jobs that failed, unless
    Snakemake was told to be quiet; else the job's own log may end with an error.
    """
    own = next(iter(note.get("log") or ()), "")
    failed, told, end = _jobs_of(_run_at(root, note.get("starttime") or 0.0))
    if own in failed:
        return "failed"
    if end == "done" or own in told:
        return "done"
    return "failed" if own and ended_with_error(root / own) else ""


def _run_at(root: Path, at: float) -> Path | None:
    """The log of the run that began a job then; a report, say, has a log and notes nothing."""
    before = [path for path in run_logs(root.absolute()) if began(path) <= at]
    return next((path for path in before if noted_results(path)), next(iter(before), None))


@lru_cache
def _jobs_of(path: Path | None) -> tuple[set[str], set[str], str]:
    """Logs of a run's jobs that failed, of all that are told of, and how it ended."""
    if path is None:
        return set(), set(), ""
    text = path.read_text("utf-8", errors="replace")
    return {log for _, log in failed_jobs(text)}, set(LOG.findall(text)), noted_end(path)
