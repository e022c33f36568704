"""Kill steps at random moments and compare: `python -m tests.torture [--kills N] [--seed S]`.

A training and the cutting of a shard run once undisturbed. Then each is begun anew, killed with
SIGKILL at a random moment of its life (start-up and writing included) with all that it started, and
run again until it is done. Every second time the power fails too: what was not flushed is lost, so
temporary files vanish. Results must be those of the undisturbed run.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.torture.jobs import Job, killed_after, prepare, run_whole

LATEST = 0.98  # of the undisturbed run's seconds: later kills mostly come too late


def main() -> None:
    """Print a line per kill and a summary; exit with 1 if any result differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="of each job")
    parser.add_argument("--seed", type=int, default=None, help="of the moments; default: the time")
    options = parser.parse_args()
    seed = int(time.time()) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    began, rng = time.monotonic(), random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        results = [torture(job, options.kills, rng) for job in prepare(Path(folder))]
    print(f"{sum(results)} results differ, {time.monotonic() - began:.0f} s in all")
    sys.exit(1 if any(results) else 0)


def torture(job: Job, kills: int, rng: random.Random) -> int:
    """Kill `job` so many times; how many results differ from that of an undisturbed run."""
    began = time.monotonic()
    job.clear()
    run_whole(job)
    life_s, expected = time.monotonic() - began, job.result()
    done = different = late = resumed = lost = 0
    while done < kills:
        job.clear()
        moment_s = rng.uniform(0.0, LATEST * life_s)
        if not killed_after(job, moment_s):
            late += 1
            continue
        done += 1
        left = job.leftovers()
        if done % 2 == 0:
            lost += len(left)
            for path in left:
                path.unlink()
        log = run_whole(job)
        resumed += "resumed from" in log
        faults = job.differences(expected)
        different += bool(faults)
        print(
            f"{job.name} kill {done:2d} at {moment_s:5.2f} of {life_s:.2f} s:"
            f" {len(left)} temporary files{', power lost' if done % 2 == 0 else ''},"
            f" {'DIFFERENT: ' + ', '.join(faults) if faults else 'same result'}",
            flush=True,
        )
    print(
        f"{job.name}: {done} kills, {done - different} same results, {resumed} resumed,"
        f" {lost} unflushed files lost, {late} kills too late and not counted,"
        f" {time.monotonic() - began:.0f} s",
        flush=True,
    )
    return different


if __name__ == "__main__":
    main()
