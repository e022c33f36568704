"""How long a run still takes, by the times of the jobs that it has done."""

from pathlib import Path
from statistics import mean

from physiome.watch.run_log import RunLog
from physiome.watch.state import Left, State

TIMED = ("fetch", "shard", "pretrain", "train", "embed", "probe")  # others take seconds


def left(results: Path, run: RunLog, state: State) -> Left | None:
    """What is left, if every rule's jobs go on to take what they took and as many run at once.

    None before a job is done, and where nothing is known of what is left.
    """
    times = {rule: _seconds(results / "benchmarks" / rule, run.began) for rule in TIMED}
    spent = sum(map(sum, times.values()))
    spent += sum(job.since_s for job in state.running if job.rule in TIMED)
    if not any(times.values()) or state.elapsed_s <= 0:
        return None
    todo, unknown = 0.0, []
    for count in state.counts:
        took = times.get(count.rule)
        if took:
            todo += count.left * mean(took)
        elif count.left and count.rule in TIMED:
            unknown.append(count.rule)
    for job in state.running:
        if job.training and job.training.left_s is not None:
            todo += job.training.left_s
        elif times.get(job.rule):
            todo += max(0.0, mean(times[job.rule]) - job.since_s)
    if todo == 0.0 and unknown:
        return None
    return Left(todo * state.elapsed_s / spent, tuple(unknown))


def _seconds(folder: Path, since: float) -> list[float]:
    """Seconds of every job that Snakemake has measured since then."""
    found = []
    for path in folder.rglob("*.tsv"):
        lines = path.read_text("utf-8").splitlines()
        if path.stat().st_mtime >= since and len(lines) > 1:
            found.append(float(lines[1].split("\t")[0]))
    return found
