"""A run's state as text for a terminal."""

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple

from physiome.plan.jobs import LONG, SHORT
from physiome.watch.state import Count, Failure, Running, State
from physiome.watch.training import Training

SILENT_S = 120.0  # a training tells every ten seconds
SHOWN = 12  # jobs of a kind
WORDS = {
    "none": "no run of Snakemake is known in this folder",
    "planning": "Snakemake is planning",
    "running": "running for",
    "done": "done, in",
    "failed": "ended, and jobs failed, after",
    "stopped": "stopped before its end, after",
    "killed": "cut off (or it runs on another machine), after",
}


def lines(state: State, width: int) -> list[str]:
    """The whole screen.

    Args:
        width: columns of the terminal.
    """
    parts = [
        _head(state),
        _table(state.counts),
        _jobs("Trainings that run" if state.lives else "Trainings", _trainings(state.running)),
        _jobs("Other jobs that run", _others(state.running)),
        _waiting(state.waiting),
        _jobs("Cut off; the next run does them again", _cut_off(state.cut_off)),
        _failures(state.failed, width),
    ]
    shown = "\n\n".join("\n".join(part) for part in parts if part).splitlines()
    return [line if len(line) <= width else line[: width - 3] + "..." for line in shown]


def _head(state: State) -> list[str]:
    time = f" {span(state.elapsed_s)}" if state.phase not in ("none", "planning") else ""
    process = f" (process {', '.join(map(str, state.processes))})" if state.lives else ""
    where = f"{state.results}: " if state.results else ""
    told = [f"{where}{WORDS[state.phase]}{time}{process}"]
    total = sum(count.jobs for count in state.counts)
    done, failed = (sum(getattr(c, k) for c in state.counts) for k in ("done", "failed"))
    more = f", {failed} failed" if failed else ""
    if not state.of_all:
        jobs = "job" if done == 1 else "jobs"
        told.append(f"{done} {jobs} done{more}; of how many Snakemake does not say when quiet")
    elif total:
        told.append(f"{done} of {total} jobs done{more}{_left(state)}")
    elif state.phase == "done":
        told.append("there was nothing to do")
    return told


def _left(state: State) -> str:
    if state.left is None:
        return ""
    unknown = state.left.unknown
    word, more = (
        ("at least", f" ({', '.join(unknown)}: none done yet)") if unknown else ("about", "")
    )
    return f"; {word} {span(state.left.seconds)} left{more}"


def _table(counts: Sequence[Count]) -> list[str]:
    if not counts:
        return []
    rows: dict[str, list[int]] = {}
    for c in counts:
        row = rows.setdefault(c.rule if c.rule in LONG else SHORT, [0] * 4)
        row[:] = [a + b for a, b in zip(row, astuple(c)[1:], strict=True)]
    cells = {name: [str(n or ".") for n in row] for name, row in rows.items()}
    head = {"": ["done", "running", "failed", "left"]}
    first = max(map(len, rows))
    return [
        name.ljust(first) + "".join(cell.rjust(9) for cell in row)
        for name, row in (head | cells).items()
    ]


def _jobs(title: str, told: Iterable[Sequence[str]]) -> list[str]:
    blocks = [*told]
    more = [f"  and {len(blocks) - SHOWN} more"] if blocks[SHOWN:] else []
    return [title, *(f"  {x}" for block in blocks[:SHOWN] for x in block), *more] if blocks else []


def _trainings(jobs: Iterable[Running]) -> Iterator[list[str]]:
    for job in jobs:
        if job.training is not None:
            name = f"{job.rule} {job.what}"
            yield [name, *(f"  {line}" for line in _progress(job.training))]


def _progress(now: Training) -> Iterator[str]:
    of = f" of {now.epochs}" if now.epochs else ""
    until = f", {span(now.left_s)} left" if now.left_s is not None else ""
    silent = f", silent for {span(now.silent_s)}" if now.silent_s > SILENT_S else ""
    yield f"epoch {now.epoch}{of}, step {now.step} of {now.steps}{until}{silent}"
    contrast = ""
    if now.contrast is not None and now.chance is not None:
        contrast = f"; contrast {now.contrast:.3f}, by chance {now.chance:.3f}"
    yield f"loss {now.loss:.4g}{contrast}"
    if now.look:
        facts = (
            f"{k} {'not finite' if v is None else f'{v:.3g}'}"
            for k, v in now.look.items()
            if k != "epoch"
        )
        yield f"monitor at epoch {now.look['epoch']:.0f}: {', '.join(facts)}"


def _others(jobs: Iterable[Running]) -> Iterator[list[str]]:
    for job in jobs:
        if job.training is None:
            yield [" ".join(filter(None, (job.rule, job.what))) + f": {span(job.since_s)}"]


def _waiting(jobs: Sequence[tuple[str, str]]) -> list[str]:
    rules = Counter(rule for rule, _ in jobs)
    told = ", ".join(f"{count} {rule}" for rule, count in rules.items())
    return ["Waiting in the queue", f"  {told}"] if told else []


def _cut_off(jobs: Iterable[Running]) -> Iterator[list[str]]:
    for job in jobs:
        at = job.training
        far = f": at step {at.step} of {at.steps}, goes on from there" if at else ""
        yield [" ".join(filter(None, (job.rule, job.what))) + far]


def _failures(failed: Sequence[Failure], width: int) -> list[str]:
    if not failed:
        return []
    told = ["Failed"]
    for one in failed[:SHOWN]:
        told.append(f"  {one.rule}: {one.log or 'it has no log'}")
        told += textwrap.wrap(one.why, width - 1, initial_indent="    ", subsequent_indent="    ")
    return told + ([f"  and {len(failed) - SHOWN} more"] if failed[SHOWN:] else [])


def span(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 05 min`.

    Example:
        >>> [span(s) for s in (45, 700, 11100)]
        ['45 s', '12 min', '3 h 05 min']
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
