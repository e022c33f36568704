"""What Snakemake's own log says of one run: jobs planned, finished and failed."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from physiome.plan.failures import failed_logs
from physiome.plan.memory import FOLDER

STATS = re.compile(r"^Job stats:\njob +count\n[- ]+\n(.*?)\ntotal +(\d+)$", re.M | re.S)
PLANNED = re.compile(r"^(\w+) +(\d+)$", re.M)
FINISHED = re.compile(r"^Finished jobid: (\d+) \(Rule: (\w+)\)$", re.M)
ERROR = re.compile(r"^Error in rule (\w+):\n((?:    .*\n?)+)", re.M)
DONE = re.compile(r"^(\d+) of \d+ steps \(.*\) done$", re.M)
STOPPED = re.compile(r"^(Terminating processes on user request|Exiting because a job)", re.M)
ENDED = re.compile(r"^Complete log\(s\): ", re.M)


@dataclass(frozen=True)
class Failed:
    """A job that failed: its rule and its log, "" if it has none."""

    rule: str
    log: str


@dataclass
class RunLog:
    """One run of Snakemake.

    Attributes:
        began: seconds since the epoch.
        changed: when its log was last written to.
        planned: jobs of each rule; empty while the run is still planning.
        finished: those of them that are done.
        failed: those that failed and were not done since.
        ended: whether Snakemake has said its last word.
        stopped: whether it stopped before all was done: asked to, or because a job failed.
    """

    began: float
    changed: float
    planned: dict[str, int] = field(default_factory=dict)
    finished: Counter[str] = field(default_factory=Counter)
    failed: list[Failed] = field(default_factory=list)
    ended: bool = False
    stopped: bool = False

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
    return sorted((folder / FOLDER / "log").glob("*.snakemake.log"), reverse=True)


def began(path: Path) -> float:
    """When the run of a log began, by the log's name; by its last change if that tells nothing."""
    try:
        return datetime.strptime(path.name.split(".")[0], "%Y-%m-%dT%H%M%S").timestamp()
    except ValueError:
        return path.stat().st_mtime


def read_log(path: Path) -> RunLog:
    """A run, as far as its log tells of it."""
    text = path.read_text("utf-8", errors="replace")
    stats = STATS.search(text)
    run = RunLog(began(path), path.stat().st_mtime)
    run.ended, run.stopped = bool(ENDED.search(text)), bool(STOPPED.search(text))
    if stats is None:
        return run
    run.planned = {rule: int(count) for rule, count in PLANNED.findall(stats[1])}
    finished = dict(FINISHED.findall(text))
    run.finished = Counter(finished.values())
    run.failed = _failed(text, finished)
    return run


def _failed(text: str, finished: Mapping[str, str]) -> list[Failed]:
    """Jobs that failed; `--quiet rules` leaves the blocks out that tell of them."""
    failed, done = [], set()
    for rule, block in dict.fromkeys(ERROR.findall(text)):
        number = re.search(r"^    jobid: (\d+)$", block, re.M)
        found = re.search(r"^    log: (.+?)(?:, .+)? \(check log file", block, re.M)
        log = found[1] if found else ""
        if number and number[1] in finished:
            done.add(log)  # by a later attempt
        else:
            failed.append(Failed(rule, log))
    known = done | {one.log for one in failed}
    others = [log for log in failed_logs(text) if log not in known]
    return failed + [Failed(_rule_of(log), log) for log in others]


def _rule_of(log: str) -> str:
    """`results/logs/train/nights/fold1/a.log` -> `train`."""
    return log.rpartition("/logs/")[2].partition("/")[0].removesuffix(".log")
