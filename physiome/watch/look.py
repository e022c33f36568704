"""What a run of the workflow is doing: put together from Snakemake's notes and the results."""

import time
from pathlib import Path

from physiome.doctor.processes import since, snakemakes
from physiome.plan.failures import error_in
from physiome.plan.jobs import RULES, Job, job_of
from physiome.plan.memory import noted_results, notes
from physiome.watch.left import left
from physiome.watch.run_log import RunLog, began, complete, read_log, run_logs
from physiome.watch.state import Count, Failure, Phase, Running, State
from physiome.watch.training import read_training

TRAINING = ("pretrain", "train")
SLACK_S = 1.0  # a job that is begun at once may begin its log before Snakemake has marked it
WHOLE_S = 2.0  # logs are named, and processes said to begin, by whole seconds


def look(
    root: Path = Path(),
    results: str | None = None,
    experiment: dict[str, list[str]] | None = None,
    started: float | None = None,
) -> State:
    """The state of the latest run in a working folder. Reads only.

    Args:
        root: the working folder of Snakemake.
        results: tell of the latest run that wrote there.
        experiment: of a configuration, rule -> a result of each job; jobs are then counted of it,
            instead of those of the run.
        started: when the Snakemake that lives was started; None: as the system says. A run that
            began before is not its, but was killed.
    """
    now, alive = time.time(), snakemakes(root)
    if started is None:
        started = min(map(since, alive), default=0.0)
    path, results = _which(root, results, bool(alive), started - WHOLE_S)
    run = read_log(path) if path else None
    if run is not None and run.began < started - WHOLE_S:
        alive = []
    if run is not None:
        complete(run, root, results)
    phase = _phase(run, bool(alive))
    state = State(phase, results, alive)
    if run is not None:
        state.elapsed_s = (now if state.lives else run.changed) - run.began
        state.of_all = bool(experiment) or not run.quiet
        jobs = _marked(root, results)
        fresh = {job: at for job, at in jobs.items() if state.lives and at >= run.began - 1}
        runs = {job: _writes(root, job, at) for job, at in jobs.items()}
        state.waiting = [(job.rule, job.what) for job in fresh if not runs[job]]
        jobs = {job: at for job, at in jobs.items() if runs[job]}
        state.running = [_running(root, j, now, at) for j, at in jobs.items() if j in fresh]
        state.cut_off = [_running(root, j, now, at) for j, at in jobs.items() if j not in fresh]
        state.failed = [Failure(f.rule, f.log, error_in(root / f.log)) for f in run.failed]
    state.counts = _counts(state, run, _missing(root, experiment) if experiment else None)
    if run is not None and phase == "running" and results is not None and state.of_all:
        state.left = left(root / results, run, state)
    return state


def _which(
    root: Path, results: str | None, alive: bool, started: float
) -> tuple[Path | None, str | None]:
    """The log of the run that is told of, and its results folder."""
    results = results.rstrip("/") if results is not None else None
    asked = (root / results).resolve() if results is not None else None
    logs = run_logs(root)
    for log in logs:
        where = noted_results(log)
        if where is not None and asked in (None, (root / where).resolve()):
            later = log != logs[0] and alive and (began(log) < started or read_log(log).ended)
            return (logs[0], None) if later and results is None else (log, where)
    return _by_notes(root, results)


def _by_notes(root: Path, results: str | None) -> tuple[Path | None, str | None]:
    """Likewise, where no run has noted its folder: by what Snakemake notes of files."""
    written = [*notes("incomplete", root), *notes("metadata", root)]
    if results is not None:
        written = [(path, at) for path, at in written if path.startswith(f"{results}/")]
    written.sort(key=lambda pair: -pair[1])
    jobs = (job for path, _ in written if (job := job_of(path)))
    newest = next(jobs, None)
    logs = run_logs(root)
    if results is None:
        return next(iter(logs), None), newest.results if newest else None
    last = written[0][1] if written else 0.0
    return next((log for log in logs if began(log) <= last + 1), None), results


def _phase(run: RunLog | None, alive: bool) -> Phase:
    if run is None:
        return "planning" if alive else "none"
    if not run.ended:
        if alive:
            return "running" if run.started else "planning"
        return "killed"
    if run.failed:
        return "failed"
    if run.end:
        return "done" if run.end == "done" else "stopped"
    return "stopped" if run.stopped or run.done < run.total else "done"


def _marked(root: Path, results: str | None) -> dict[Job, float]:
    """Jobs that Snakemake marks as begun and not ended, and since when; the oldest first.

    It marks a job that it hands to a cluster at once, and again when that begins with it.
    """
    marked: dict[Job, float] = {}
    for path, at in sorted(notes("incomplete", root), key=lambda pair: pair[1]):
        job = job_of(path)
        if job is not None and results in (None, job.results):
            marked.setdefault(job, at)
    return marked


def _writes(root: Path, job: Job, since: float) -> bool:
    """Whether a job has begun its log since then: its shell does so before its command runs."""
    try:
        return (root / job.log).stat().st_mtime >= since - SLACK_S
    except OSError:
        return False


def _running(root: Path, job: Job, now: float, at: float) -> Running:
    found = None
    if job.rule in TRAINING:
        named = job.named
        below = f"encoders/{named.get('encoder')}/{named.get('modality')}"
        name = below if job.rule == "pretrain" else named["method"]
        fold = root / job.results / "models" / named["dataset"] / f"fold{named['fold']}"
        metrics = fold / f"{name}.safetensors.resume" / "metrics.jsonl"
        found = read_training(root / job.log, metrics, now)
    return Running(job.rule, job.what, job.log, now - at, found)


def _missing(root: Path, experiment: dict[str, list[str]]) -> dict[str, tuple[int, int]]:
    """Rule -> jobs of an experiment whose result is there, and all of them."""
    return {
        rule: (sum((root / path).exists() for path in paths), len(paths))
        for rule, paths in experiment.items()
    }


def _counts(
    state: State, run: RunLog | None, experiment: dict[str, tuple[int, int]] | None
) -> list[Count]:
    """Jobs of each rule, in the order of the workflow."""
    planned = run.planned if run else {}
    known = [*RULES, *(rule for rule in planned if rule not in RULES)]
    quiet = run is not None and run.quiet
    counts = []
    for rule in known if experiment is None else [r for r in known if r in experiment]:
        running = sum(job.rule == rule for job in state.running)
        failed = sum(job.rule == rule for job in state.failed)
        finished = run.finished[rule] if run else 0
        done, total = finished, planned.get(rule, 0)
        if quiet:
            total = done + running + failed
        if experiment is not None:
            there, total = experiment[rule]
            # What a living run will make again is there, and is not done.
            again = state.lives and not quiet
            done = total - (planned.get(rule, 0) - finished) if again else there
        if total:
            rest = max(0, total - done - running - failed)
            counts.append(Count(rule, done, running, failed, rest))
    return counts
