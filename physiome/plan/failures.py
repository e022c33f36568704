"""What failed jobs said: Snakemake names their logs among walls of settings, if at all."""

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

# What Snakemake says of a job that failed, of one that gets a further attempt, and of one that is
# done; a message can have several lines
SAID = re.compile(
    r"^Error in rule (?P<rule>\w+):\n(?P<facts>(?:(?! {4}shell:|\[|\n).*\n)+)"
    r"|^Trying to restart job (?P<again>\d+)\.$|^Finished jobid: (?P<done>\d+)\b",
    re.MULTILINE,
)
# A failed job's log as `show-failed-logs` repeats it; on a cluster it has a Snakemake's words, too
REPEATED = re.compile(r"^Logfile .*:\n={80}\n(?:.*\n)*?={80}$", re.MULTILINE)
FACT = re.compile(r"^ {4}(jobid|message|log): (.*)$", re.MULTILINE)
# `--quiet rules` leaves these blocks out, but not how a rule's command ended
COMMAND = re.compile(r"^.*> (.+?) 2>&1' returned non-zero exit status", re.MULTILINE)
HINT = " (check log file(s) for error details)"
STATUS = re.compile(r"SLURM status is: '(\w+)'")
REFUSED = re.compile(r"SLURM sbatch failed\. The error message was '(?:sbatch: error: )?([^'\n]+)")
OURS = "physiome: error: "
SHOWN = 10  # jobs


@dataclass(frozen=True)
class Failure:
    """Of one job: its own log, and where a scheduler ran it, that one's verdict and log.

    `rule` is "" where Snakemake leaves it out.
    """

    log: str
    rule: str = ""
    status: str = ""
    scheduler_log: str = ""


def last_words(snakemake_logs: Iterable[str | Path]) -> list[str]:
    """A line for each job that failed for good: its log and the error in it, or its last line.

    Args:
        snakemake_logs: of the whole run.
    """
    there = [path for path in map(Path, snakemake_logs) if path.is_file()]
    said = "".join(path.read_text("utf-8", errors="replace") for path in there)
    return told_of(_failures(said))


def told_of(found: Sequence[Failure]) -> list[str]:
    """Likewise, of failures that are known; nothing where there are none."""
    lines = [line for failure in found[:SHOWN] for line in _lines(failure)]
    more = [f"and {len(found) - SHOWN} more"] if found[SHOWN:] else []
    jobs = "job" if len(found) == 1 else "jobs"
    return [f"{len(found)} {jobs} failed:", *lines, *more] if found else []


def _failures(said: str) -> list[Failure]:
    """Of the last attempt of each job, in the order they failed."""
    found: dict[str, Failure] = {}
    told = set()
    for match in SAID.finditer(REPEATED.sub("", said)):
        if over := match["again"] or match["done"]:
            found.pop(over, None)
            continue
        facts = dict(FACT.findall(match["facts"]))
        logs = facts.get("log", "").removesuffix(HINT)
        message = facts.get("message", "")
        status, refused = STATUS.search(message), REFUSED.search(message)
        own, _, scheduler = logs.rpartition(", ") if status else (logs, "", "")
        verdict = f"refused it, {refused[1]}" if refused else status[1] if status else ""
        found[facts.get("jobid", "")] = Failure(own, match["rule"], verdict, scheduler)
        told.add(own)
    quiet = dict.fromkeys(shlex.split(log)[0] for log in COMMAND.findall(said))
    failures = [failure for failure in found.values() if failure.log]
    return failures + [Failure(log) for log in quiet if log not in told]


def _lines(failure: Failure) -> list[str]:
    error = error_in(Path(failure.log))
    if not failure.status:
        return [f"{failure.log}: {error}"]
    if not failure.scheduler_log:  # it never began
        return [f"{failure.log}: {error}", f"  Slurm: {failure.status}"]
    there = Path(failure.scheduler_log)
    shown = there.relative_to(Path.cwd()) if there.is_relative_to(Path.cwd()) else there
    return [f"{failure.log}: {error}", f"  Slurm: {failure.status}, its log: {shown}"]


def failed_jobs(said: str) -> list[tuple[str, str]]:
    """(rule, log) of the jobs that failed for good, by what Snakemake said; each once."""
    found = {f.log: f.rule or _rule_of(f.log) for f in _failures(said)}
    return [(rule, log) for log, rule in found.items()]


def _rule_of(log: str) -> str:
    """`results/logs/train/nights/fold1/a.log` -> `train`."""
    return log.rpartition("/logs/")[2].partition("/")[0].removesuffix(".log")


def ended_with_error(log: Path) -> bool:
    """Whether a job's log has an error of ours; where it has none, nothing is known."""
    try:
        lines = log.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return any(line.startswith(OURS) for line in lines)


def error_in(log: Path) -> str:
    """The last error of ours in a job's log; else its last line, or why there is none."""
    try:
        lines = [line for line in log.read_text("utf-8", errors="replace").splitlines() if line]
    except OSError as error:
        return f"cannot be read - {error.strerror}"
    errors = [line.removeprefix(OURS) for line in lines if line.startswith(OURS)]
    return (errors or lines or ["it is empty: the job was killed, perhaps for want of memory"])[-1]
