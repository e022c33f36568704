"""What takes processes of its own: leases under several environments, several jobs on a device."""

import os
import subprocess
import sys

from tests.bench.common import ROOT

LEASE = """
from physiome.training.runtime import compute_device
with compute_device(1) as device:
    import os, torch
    name = torch.cuda.get_device_properties(0).uuid if device == "cuda" else ""
    print(device, os.environ["CUDA_VISIBLE_DEVICES"], name)
"""
JOB = """
import sys, time
from physiome.config.gpu import GpuSpec
from physiome.training.runtime import compute_device
name, device = sys.argv[1:3]
small, seconds, batch, jobs = map(int, sys.argv[3:7])
with compute_device(1, device, GpuSpec(jobs=jobs, first_gb=float(sys.argv[7]) or None)) as chosen:
    import torch
    from tests.gpu.speed import wait
    from tests.gpu.steps import Steps
    steps = Steps(name, batch, chosen, bool(small), chosen == "cuda")
    for number in range(3):
        steps(number)
    wait(chosen)
    began, count = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        steps(count)
        wait(chosen)
        count += 1
    gb = torch.cuda.max_memory_allocated() / 1e9 if chosen == "cuda" else 0.0
    print(batch * count, began, time.monotonic(), gb)
"""


def leases(uuid: str) -> dict[str, dict[str, object]]:
    """What a job says and leases: with nothing set, a number, a UUID, one that is not there."""
    wanted = {"unset": None, "number": "0", "uuid": uuid, "not there": "97", "none": ""}
    found = {}
    for name, value in wanted.items():
        env = {k: v for k, v in os.environ.items() if k != "CUDA_VISIBLE_DEVICES"}
        env |= {} if value is None else {"CUDA_VISIBLE_DEVICES": value}
        done = subprocess.run(
            [sys.executable, "-c", LEASE], cwd=ROOT, env=env, capture_output=True, text=True
        )
        said, *_ = [*done.stdout.strip().splitlines(), ""]
        refused = done.returncode != 0
        expected = {"not there": refused, "none": said.startswith("cpu")}
        ok = expected.get(name, bool(uuid) and said.startswith("cuda") and _same(said))
        found[name] = {"said": said, "error": done.stderr.strip()[-200:], "ok": ok}
    return found


def _same(said: str) -> bool:
    """Whether torch computes on what was leased; it names a slice by its GPU, or not at all."""
    _, leased, computes = said.split()
    return leased.startswith("MIG-") or leased.removeprefix("GPU-") == computes


def several(
    name: str, device: str, small: bool, jobs: int, batch: int, seconds: int, gb: float = 0.0
) -> dict[str, float]:
    """Windows per second of so many processes, each on a slot of one device, and the GB of one.

    From the first that began to the last that ended: where a lease had to be waited for, it shows.

    Args:
        gb: of the device that each asks for; 0: all of it.
    """
    command = [sys.executable, "-c", JOB, name, device, str(int(small)), str(seconds), str(batch)]
    command += [str(jobs), str(gb)]
    running = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(jobs)
    ]
    said = [process.communicate()[0] for process in running]
    if any(process.returncode for process in running):
        raise RuntimeError(f"a job of {name} failed")
    windows, began, ended, used = zip(*(map(float, x.split()[-4:]) for x in said), strict=True)
    return {"windows_per_s": sum(windows) / (max(ended) - min(began)), "gb_each": max(used)}
