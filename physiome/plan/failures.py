"""What failed jobs said: Snakemake names their logs among walls of settings, if at all."""

import re
import shlex
from collections.abc import Iterable
from pathlib import Path

# How a rule's command ends, in what Snakemake says of one that failed
LOG = re.compile(r"^.*> (.+?) 2>&1' returned non-zero exit status", re.MULTILINE)
OURS = "physiome: error: "
SHOWN = 10  # jobs


def last_words(snakemake_logs: Iterable[str | Path]) -> list[str]:
    """A line for each failed job: its log, and the error in it; or else the log's last line.

    Args:
        snakemake_logs: of the whole run.
    """
    there = [path for path in map(Path, snakemake_logs) if path.is_file()]
    said = "".join(path.read_text("utf-8", errors="replace") for path in there)
    logs = failed_logs(said)
    lines = [f"{log}: {error_in(Path(log))}" for log in logs[:SHOWN]]
    more = [f"and {len(logs) - SHOWN} more"] if logs[SHOWN:] else []
    jobs = "job" if len(logs) == 1 else "jobs"
    return [f"{len(logs)} {jobs} failed:", *lines, *more] if logs else []


def failed_logs(said: str) -> list[str]:
    """Logs of the jobs that failed, by what Snakemake said; each once."""
    return list(dict.fromkeys(shlex.split(found)[0] for found in LOG.findall(said)))


def error_in(log: Path) -> str:
    """The last error of ours in a job's log; else its last line, or why there is none."""
    try:
        lines = [line for line in log.read_text("utf-8", errors="replace").splitlines() if line]
    except OSError as error:
        return f"cannot be read - {error.strerror}"
    errors = [line.removeprefix(OURS) for line in lines if line.startswith(OURS)]
    return (errors or lines or ["it is empty: the job was killed, perhaps for want of memory"])[-1]
