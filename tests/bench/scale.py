"""The data side at sizes that are not at hand, simulated: `python -m tests.bench.scale [--quick]`.

Plans, tables of windows and of scores are made up at full size; no signal is.
"""

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml

from physiome.doctor import amounts
from tests.bench import common
from tests.bench.common import Row

NIGHTS, CASES = 10_000, 6_000
WINDOWS = 1_000_000
KINDS = ("folds", "scores", "intervals")


def main() -> None:
    """Print a row per figure."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scale", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a hundredth of the sizes")
    for row in rows(parser.parse_args().quick):
        print(f"{row.name:<66} {row.figure}", flush=True)


def rows(quick: bool) -> Iterator[Row]:
    """Planning, then folds, scores and intervals."""
    part = 100 if quick else 1
    for each in (100, 10):  # the larger plan last: the peak of all children so far is its own
        yield _planned(NIGHTS // part, CASES // part, each)
    yield from _computed({"sleep_edf": NIGHTS / 153, "vitaldb": 1.0})
    for kind in KINDS:
        told = common.in_child("scale_steps", kind, WINDOWS // part)
        yield Row(told["name"], told["figure"])


def _planned(nights: int, cases: int, batch: int) -> Row:
    """`snakemake -n` of Tables 1 and 2, with so many recordings in a batch."""
    batches = {"sleep_edf": nights // batch or 1, "vitaldb": cases // batch or 1}
    change = {"datasets": {name: {"batches": n} for name, n in batches.items()}}
    before, _ = _children()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "scale.yaml")
        file.write_text(yaml.safe_dump(change))
        command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules"]
        command += ["--directory", folder, "--configfile", str(file)]
        environment = {**os.environ, "PYTHONPATH": str(common.ROOT)}
        command += ["--snakefile", str(common.ROOT / "Snakefile")]
        command += ["--workflow-profile", str(common.ROOT / "profiles" / "default")]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    seconds, peak_mb = _children()[0] - before, _children()[1]
    (jobs,) = set(re.findall(r"^total +(\d+)$", done.stdout + done.stderr, re.MULTILINE))
    return Row(
        f"snakemake -n, {nights} nights and {cases} cases, {batch} a batch",
        f"{jobs} jobs, {seconds:.0f} s of CPU, at most {peak_mb:.0f} MB",
    )


def _computed(times: dict[str, float]) -> Iterator[Row]:
    """Bytes, from what is assumed of the public data sets, at so many times their size."""
    config = common.paper_config()
    for name, factor in times.items():
        count = amounts.windows(config, name)
        stored, embedded = (
            (of(config, name).value or 0.0) * factor / 1e9
            for of in (amounts.shard_bytes, amounts.embedding_bytes)
        )
        folds = config.section("folds", name)
        labelled = (count.value or 0.0) * factor * (1 - 1 / folds.count) * folds.train_share
        copy = labelled * amounts.ASSUMED_WIDTH * 8 / 1e9
        yield Row(f"computed, {name} x {factor:.0f}: shards", f"{stored:.0f} GB")
        yield Row(f"computed, {name} x {factor:.0f}: embeddings", f"{embedded:.0f} GB")
        yield Row(f"computed, {name} x {factor:.0f}: a copy in the probe", f"{copy:.1f} GB")


def _children() -> tuple[float, float]:
    """CPU seconds of all ended child processes, and the largest one's peak memory in MB."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6


if __name__ == "__main__":
    main()
