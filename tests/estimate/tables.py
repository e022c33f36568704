"""What is printed and written: steps, hours by table, and everything that was assumed."""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from physiome.config.tree import Config
from tests.estimate import device
from tests.estimate.device import JobTime, Settings, job_time, step_time
from tests.estimate.jobs import Job, jobs_of, windows
from tests.estimate.steps import SAMPLES, Work
from tests.estimate.tracing import Key, key

HEADS = ("system", "data set", "jobs", "steps", "ops", "GB", "TFLOP", "modelled", "bound",
         "measured", "hours")  # fmt: skip
WIDTHS = (20, 9, 4, 6, 6, 6, 6, 8, 10, 8, 6)
LEFT = {0, 1, 8}


@dataclass(frozen=True)
class RowFacts:
    """Jobs of one kind: what a step of theirs takes, and the hours of all of them."""

    rule: str
    system: str
    dataset: str
    jobs: int
    steps: float  # of one job; of an embedding, batches
    launches: float
    gb_moved: float
    tflop: float
    launch_ms: float
    draw_ms: float
    memory_ms: float
    arithmetic_ms: float
    modelled_ms: float
    bound: str
    measured_ms: float | None
    steps_h: float
    start_h: float
    saves_h: float
    modelled_h: float


def rows_of(
    jobs: Sequence[Job], works: Mapping[Key, Work], settings: Settings, measured: dict[str, Any]
) -> list[RowFacts]:
    """A row per rule, data set and system."""
    counts, kinds = Counter(map(key, jobs)), {key(job): job for job in jobs}
    return [_row(job, counts[name], works[name], settings, measured) for name, job in kinds.items()]


def _row(
    job: Job, count: int, work: Work, settings: Settings, measured: dict[str, Any]
) -> RowFacts:
    step, took = step_time(work, settings), time_of(job, work, settings)
    n = work.samples
    return RowFacts(
        job.rule,
        job.system,
        job.dataset,
        count,
        job.steps,
        sum(op.launches for op in work.ops) / n,
        sum(op.bytes for op in work.ops) / n / 1e9,
        sum(op.flop for op in work.ops) / n / 1e12,
        step.launch_s * 1e3,
        step.draw_s * 1e3,
        step.memory_s * 1e3,
        step.arithmetic_s * 1e3,
        step.seconds(settings.jobs) * 1e3,
        step.bound,
        measured_ms(job, measured),
        count * took.steps_s / 3600,
        count * took.start_s / 3600,
        count * took.saves_s / 3600,
        count * took.seconds / 3600,
    )


def time_of(job: Job, work: Work, settings: Settings) -> JobTime:
    """Seconds of one job."""
    return job_time(work, job.steps, job.epochs, job.looks, settings)


def measured_ms(job: Job, measured: dict[str, Any]) -> float | None:
    """Of a training step of Sleep-EDF's size at the paper's batch, if a GPU was there."""
    if job.rule == "embed" or job.dataset != "sleep_edf":
        return None
    title = measured.get("speed", {}).get("device", {}).get("device")
    return None if title in (None, "cpu") else measured["speed"].get(job.system, {}).get("step_ms")


def lines(rows: Sequence[RowFacts]) -> Iterator[str]:
    """The table of steps, at most 100 columns wide."""
    yield "One step of each kind of job, and the hours of all jobs of the kind one at a time."
    yield "ops: launches; GB: moved; modelled and measured in ms; embed: a step is a batch"
    for rule in dict.fromkeys(row.rule for row in rows):
        yield ""
        yield _line((rule, *HEADS[1:]))
        yield from (_line(_cells(row)) for row in rows if row.rule == rule)


def _cells(r: RowFacts) -> tuple[str, ...]:
    return (
        *(r.system, r.dataset, f"{r.jobs}", f"{r.steps:.0f}", f"{r.launches:.0f}"),
        *(f"{r.gb_moved:.1f}", f"{r.tflop:.2f}", f"{r.modelled_ms:.1f}", r.bound),
        *("-" if r.measured_ms is None else f"{r.measured_ms:.1f}", f"{r.modelled_h:.2f}"),
    )


def _line(cells: Sequence[str]) -> str:
    parts = zip(cells, WIDTHS, strict=True)
    told = [c.ljust(w) if i in LEFT else c.rjust(w) for i, (c, w) in enumerate(parts)]
    return " ".join(told).rstrip()


def targets(config: Config, paper: Config) -> dict[str, list[Job]]:
    """Jobs of each table by itself, of all with the paper's rows alone, and of everything."""
    tables = {table: jobs_of(config, [table]) for table in config.tables_of}
    whole = {"paper rows": jobs_of(paper, paper.tables_of)}
    return tables | whole | {"everything": jobs_of(config, config.tables_of)}


def sums(
    asked: Mapping[str, Sequence[Job]], works: Mapping[Key, Work], together: int
) -> Iterator[str]:
    """Modelled hours of some targets.

    Args:
        asked: jobs of each target.
        together: jobs at once on a device, beside one at a time.
    """
    ways = [
        Settings(),
        Settings(together),
        Settings(together, compiled=True),
        Settings(together, compiled=True, kept=True),
    ]
    heads = ["one job", f"{together} jobs", "compiled", "kept"]
    yield "Modelled hours on one device: launches, draws, kernels of steps; start, saves of jobs;"
    yield "their sum one job at a time, several at once; so with blocks compiled; so with"
    yield "frame features kept as well. Paper rows: tables by workflow/overlays/paper-rows.yaml."
    yield _sum_line(["target", "jobs", "launch", "draws", "kernel", "start", "saves", *heads])
    for target, jobs in asked.items():
        mine = [(job, works[key(job)]) for job in jobs]
        steps = [(job.steps, step_time(work, ways[0])) for job, work in mine]
        took = [time_of(*one, ways[0]) for one in mine]
        seconds = [
            sum(n * step.launch_s for n, step in steps),
            sum(n * step.draw_s for n, step in steps),
            sum(n * step.kernel_s for n, step in steps),
            sum(one.start_s for one in took),
            sum(one.saves_s for one in took),
            *(sum(time_of(*one, way).seconds for one in mine) for way in ways),
        ]
        yield _sum_line([target, f"{len(jobs)}", *(f"{s / 3600:.1f}" for s in seconds)])


def _sum_line(cells: Sequence[str]) -> str:
    return f"{cells[0]:<10}" + "".join(
        cell.rjust(11 if i > 5 else 7) for i, cell in enumerate(cells[1:])
    )


def assumptions(config: Config, embed_bf16: bool, measured: dict[str, Any]) -> Iterator[str]:
    """Everything that was assumed, in words."""
    counts = ", ".join(f"{d} {windows(config, d):,.0f}" for d in config.used)
    title = measured.get("speed", {}).get("device", {}).get("device", "none")
    yield "Assumed (tests/estimate/device.py); no modelled figure is measured:"
    yield f"- windows: {counts}; all whole; means over up to {SAMPLES} steps"
    yield (
        f"- {device.LAUNCH_S * 1e6:g} us of the host an operation, {device.LOOP_S * 1e3:g} ms a "
        f"step besides, {device.DRAWS_PER_S / 1e6:g} million random numbers a second"
    )
    yield (
        f"- kernels: the longer of {device.BYTES_PER_S / 1e12:g} TB/s and "
        f"{device.FLOP16_PER_S / 1e12:g} (float32: {device.FLOP32_PER_S / 1e12:g}) TFLOP/s; "
        f"to the device {device.LINK_BYTES_PER_S / 1e9:g} GB/s"
    )
    yield "- a step takes the longer of its host's and its kernels' time"
    yield (
        f"- a job starts in {device.IMPORT_S + device.CONTEXT_S:g} s, looks of the monitor take "
        f"{device.LOOK_S:g} s"
    )
    yield (
        f"- checkpoints at {device.DISK_BYTES_PER_S / 1e9:g} GB/s, at the end and every "
        f"{device.SAVE_EVERY_S:g} s"
    )
    yield "- several jobs: hosts side by side, kernels in turn, at no cost"
    yield f"- training in bf16, embedding in {'bf16' if embed_bf16 else 'float32'}"
    yield "- compiled: elementwise operations of blocks and their gradients launch nothing and"
    yield f"  move {device.FUSED_BYTES:.2f} of their bytes, norms of rows move"
    yield f"  {device.FUSED_NORM_BYTES:.2f} of theirs; compiling is free"
    yield "- kept: frozen frame networks see a window once, and all of it fits"
    yield f"- measured on: {title}"


def write_csv(rows: Sequence[RowFacts], path: Path) -> None:
    """All facts of every row."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [f.name for f in fields(RowFacts)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
