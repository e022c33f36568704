"""Planning the whole experiment in a fresh copy: `snakemake -n`."""

import os
import subprocess
import tempfile
import time
from pathlib import Path

from tests.bench import common
from tests.bench.common import Row

BAR_S = 5.0


def rows(quick: bool) -> list[Row]:
    """Seconds from the command to its end, the best of a few."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        subprocess.run(["git", "clone", "--quiet", common.ROOT, copy], check=True)
        found = [_plan(copy) for _ in range(1 if quick else 3)]
    seconds, work, jobs = min(found)
    return [
        Row(
            f"snakemake -n, {jobs} jobs, fresh copy",
            f"{seconds:.1f} s ({work:.1f} s of CPU)",
            "5 s",
            seconds <= BAR_S,
        )
    ]


def _plan(copy: Path) -> tuple[float, float, int]:
    """Seconds, seconds of CPU, and number of jobs."""
    environment = {**os.environ, "PYTHONPATH": str(copy)}  # the copy's package, not this one
    began, before = time.perf_counter(), os.times()
    done = subprocess.run(
        ["snakemake", "-n"], cwd=copy, env=environment, capture_output=True, text=True, check=True
    )
    seconds, after = time.perf_counter() - began, os.times()
    work = after.children_user - before.children_user
    work += after.children_system - before.children_system
    text = done.stdout + done.stderr
    (total,) = {line.split()[1] for line in text.splitlines() if line.startswith("total")}
    return seconds, work, int(total)
