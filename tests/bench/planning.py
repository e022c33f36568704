"""Planning in a fresh copy (`snakemake -n`), and how much of it is Snakemake itself."""

import os
import re
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

from tests.bench import common
from tests.bench.common import Row
from tests.bench.plain_plan import write_plain

TABLE1 = "results/tables/table1.tex"
MESSAGE = re.compile(r"^    message:\n        .*\n", re.MULTILINE)
BARS_S = {"everything": 4.0, TABLE1: 2.5}


def rows(quick: bool) -> list[Row]:
    """Median seconds from the command to its end; of everything also those of a plain Snakefile."""
    runs = 1 if quick else 5
    with tempfile.TemporaryDirectory() as folder:
        copy, plain = Path(folder, "copy"), Path(folder, "plain")
        subprocess.run(["git", "clone", "--quiet", common.ROOT, copy], check=True)
        seconds, _ = _timed(copy, runs)
        one, _ = _timed(copy, runs, TABLE1)
        without_messages(copy)
        _, plan = _timed(copy, 1)
        write_plain(plan, plain)
        floor, same = _timed(plain, runs)
    jobs = _jobs(plan)
    assert jobs == _jobs(same)
    return [
        _row(f"snakemake -n, {jobs} jobs, fresh copy", seconds, BARS_S["everything"]),
        Row("the same jobs in a Snakefile without any code", f"{floor:.1f} s"),
        _row(f"snakemake -n {TABLE1}", one, BARS_S[TABLE1]),
    ]


def _row(what: str, seconds: float, bar_s: float) -> Row:
    return Row(what, f"{seconds:.1f} s", f"{bar_s:g} s", seconds <= bar_s)


def _timed(folder: Path, runs: int, *targets: str) -> tuple[float, str]:
    """Median seconds of some plans, after one that nobody times, and what one printed."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}  # the copy's package, not this one
    seconds, told = [], ""
    for _ in range(runs + 1):
        began = time.perf_counter()
        done = subprocess.run(
            ["snakemake", "-n", *targets],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        seconds.append(time.perf_counter() - began)
        told = done.stdout + done.stderr
    return median(seconds[1:]), told


def without_messages(folder: Path) -> None:
    """Have plans name rules and files of every job instead of saying what it does."""
    for path in folder.glob("workflow/rules/*.smk"):
        path.write_text(MESSAGE.sub("", path.read_text(encoding="utf-8")), encoding="utf-8")


def _jobs(plan: str) -> int:
    (total,) = {line.split()[1] for line in plan.splitlines() if line.startswith("total")}
    return int(total)
