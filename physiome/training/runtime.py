"""Where a job computes, how it is told to stop, and what a process keeps of its memory."""

import ctypes
import os
import resource
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from physiome.config.gpu import GpuSpec
from physiome.devices.leases import gpu_lease
from physiome.errors import TrainingError

MARGIN, CONTEXT = 1.25, 1e9  # of what tensors took of a GPU; bytes there that are no tensors
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of glibc's malloc.h


def keep_freed_memory() -> None:
    """Let the C library keep freed memory for later instead of handing it back to the kernel.

    On a CPU every training step frees and asks for the same large blocks, and getting them anew,
    page by page, can take a quarter of the step. Does nothing where the library is not glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def peak_rss_bytes() -> int:
    """Largest resident memory of this process so far.

    Where the kernel tells it of this program alone; `ru_maxrss` begins with the parent's.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@contextmanager
def compute_device(
    gpus: int,
    device: str = "auto",
    sharing: GpuSpec | None = None,
    peaks: Callable[[], Iterable[int]] = tuple,
) -> Iterator[str]:
    """Lease GPUs, hide the others from torch, and yield "cuda" or "cpu".

    Enter it before torch first touches a GPU: later nothing can be hidden.

    Args:
        device: "auto" computes on the CPU where there is no GPU; "cuda" refuses to; "cpu" never
            leases.
        sharing: how many jobs may share a GPU; None: none do.
        peaks: bytes of one that the same job took at most elsewhere, asked at every attempt.

    Raises:
        TrainingError: if device is "cuda" and there is none; if one is there and was leased, and
            torch cannot use it: never is the CPU taken in its place without a word.
    """
    wanted = 0 if device == "cpu" else max(gpus, int(device == "cuda"))
    sharing = sharing or GpuSpec()
    with gpu_lease(wanted, sharing.jobs, lambda: needed_bytes(peaks(), sharing)) as names:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(names)
        if names:
            _require_usable(names)
            with tf32(False):
                yield "cuda"
        elif device == "cuda":
            raise TrainingError(
                "no usable GPU", why="none is visible", do="set device: auto to compute on the CPU"
            )
        else:
            keep_freed_memory()
            yield "cpu"


def needed_bytes(peaks: Iterable[int], gpu: GpuSpec) -> float | None:
    """Bytes of a GPU that a job takes; None: not known.

    Args:
        peaks: bytes that the same job took at most in other folds.
    """
    largest = max(peaks, default=0)
    if largest:
        return MARGIN * largest + CONTEXT
    return None if gpu.first_gb is None else gpu.first_gb * 1e9


def wants_bf16(precision: str, device: str) -> bool:
    """Whether a precision means bf16 there, before anything is measured; see `TrainSpec`."""
    return precision == "bf16" or (precision in ("auto", "fastest") and device == "cuda")


@contextmanager
def bf16(on: bool, device: str) -> Iterator[None]:
    """Within, what autocast rounds is computed in bf16; losses, codes and spectra are not."""
    import torch

    with torch.autocast(device, dtype=torch.bfloat16, enabled=on):
        yield


@contextmanager
def tf32(on: bool) -> Iterator[None]:
    """Within, a GPU may round products of float32 to TF32, or must not: by default torch lets
    convolutions be rounded. A CPU computes the same either way.
    """
    import torch

    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("high" if on else "highest")
    torch.backends.cudnn.allow_tf32 = on
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]


def _require_usable(names: list[str]) -> None:
    """Torch sees what was leased, and computes on it.

    Raises:
        TrainingError: with what torch says.
    """
    import torch

    try:
        for number in range(len(names)):
            torch.zeros(1, device=f"cuda:{number}").add_(1).item()
    # Built without CUDA it asserts; of drivers, memory and kernels it raises as it comes.
    except (AssertionError, RuntimeError) as error:
        raise TrainingError(
            "a GPU was leased and torch cannot use it",
            where=", ".join(names),
            why=f"torch {torch.__version__}: {' '.join(str(error).split())[:300]}",
            do="install the torch for your driver, or set device: cpu",
        ) from None
    if torch.cuda.device_count() != len(names):
        raise TrainingError(
            "torch sees other GPUs than were leased",
            where=", ".join(names),
            why=f"it sees {torch.cuda.device_count()}",
            do="lease before anything else in this process uses a GPU",
        )


class Interrupted(TrainingError):
    """Training was asked to stop; its state is saved, and the same command continues it."""

    def __init__(self, number: int, step: int):
        self.exit_code = 128 + number
        name = signal.Signals(number).name
        super().__init__(
            f"stopped by {name} after step {step}", do="run the same command to resume"
        )


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Collect SIGTERM and SIGINT instead of dying from them; the loop stops at a step boundary."""
    asked: list[int] = []
    watched = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, lambda n, _: asked.append(n)) for number in watched}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
