"""How long a step takes, how much of it the device computes, and how near it is to its peak."""

import time
import warnings
from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.gpu.steps import CYCLE, Steps, batch_size

FEW = 4  # windows, for counting operations
REPEATS = 8
SMALL_BATCH = 8


def peak_flop_per_s(device: str) -> float:
    """Of a large matrix product in bf16, measured here."""
    side = 8192 if device == "cuda" else 256
    a = torch.randn(side, side, device=device).bfloat16()
    return 2 * side**3 / timed(lambda: a @ a, device)


def timed(run: Callable[[], object], device: str, repeats: int = REPEATS) -> float:
    """Mean seconds of a run, after two that do not count."""
    for _ in range(2):
        run()
    wait(device)
    began = time.perf_counter()
    for _ in range(repeats):
        run()
    wait(device)
    return (time.perf_counter() - began) / repeats


def wait(device: str) -> None:
    """Until all that was launched is done."""
    if device == "cuda":
        torch.cuda.synchronize()


def measure(name: str, device: str, small: bool, peak: float) -> dict[str, object]:
    """Of a step at the paper's batch: milliseconds, share of kernels in them, memory, MFU.

    `host_ms` is the time until all is launched: where it is near `step_ms`, the device waits.
    """
    bf16 = device == "cuda"
    work = _flop_per_window(name, device, small, bf16)
    batch = SMALL_BATCH if small else batch_size(name)
    steps = Steps(name, batch, device, small, bf16)
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    numbers = iter(range(10**9))
    seconds = timed(lambda: steps(next(numbers)), device, CYCLE if small else REPEATS)
    began = time.perf_counter()
    steps(next(numbers))
    host = time.perf_counter() - began
    wait(device)
    found = {
        "batch": batch,
        "step_ms": seconds * 1e3,
        "host_ms": host * 1e3,
        "windows_per_s": batch / seconds,
        "gflop_per_window": work / 1e9,
    }
    if device == "cuda":
        found |= {"mfu": work * batch / seconds / peak}
        found |= _on_device(steps, next(numbers), seconds)
    return found


def _flop_per_window(name: str, device: str, small: bool, bf16: bool) -> float:
    """Mean over a cycle of steps."""
    steps = Steps(name, FEW, device, small, bf16)
    with FlopCounterMode(display=False) as counted:
        for number in range(CYCLE):
            steps(number)
    return counted.get_total_flops() / CYCLE / FEW


def _on_device(steps: Steps, number: int, seconds: float) -> dict[str, object]:
    """Kernels of a step, the share of its time in them, and reads that made the host wait."""
    activities = [torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as profile:
        steps(number)
        wait("cuda")
    kernels = [e for e in profile.events() or () if e.device_type.name == "CUDA"]
    busy = sum(e.device_time for e in kernels) / 1e6  # us
    return {
        "kernels": len(kernels),
        "busy": busy / seconds,
        "gb": torch.cuda.max_memory_allocated() / 1e9,
        "waits": _waits(steps, number),
    }


def _waits(steps: Steps, number: int) -> int:
    """How often torch says that a step waited for the device."""
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            steps(number)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return sum("synchroniz" in str(w.message) for w in caught)
