"""Where a job computes: leases of devices, and what a process keeps of its memory."""

import ctypes
import logging
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from physiome.devices.listing import visible_devices
from physiome.errors import TrainingError
from physiome.locks import lock_if_free

log = logging.getLogger(__name__)

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of glibc's malloc.h


def lock_folder() -> Path:
    """One folder per machine and user: two checkouts, and two Slurm jobs, share the GPUs."""
    folder = Path(tempfile.gettempdir()) / f"physiome-gpu-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    return folder


def lock_of(device: str) -> Path:
    """The lock that whoever computes on a device holds."""
    return lock_folder() / f"{device.replace('/', '_')}.lock"


@contextmanager
def gpu_lease(n: int, poll_s: float = 0.2) -> Iterator[list[str]]:
    """Hold `n` GPUs that no other leasing process holds; yield their UUIDs. 0: the CPU.

    Waits until enough are free. The kernel frees a lease when its holder dies. In a Slurm
    allocation its own GPUs are leased, so that several jobs within it share them. With no GPU on
    the machine the CPU is used, with a warning.

    Raises:
        TrainingError: if there are fewer, or none can be told.
    """
    devices = visible_devices() if n else []
    if n and not devices:
        log.warning("no GPU on this machine: computing on the CPU")
    if not devices:
        yield []
        return
    if n > len(devices):
        raise TrainingError(f"{n} GPUs wanted, {len(devices)} are visible", do="ask for fewer")
    waits = False
    while True:
        with ExitStack() as held:
            got: list[str] = []
            for device in devices:
                if len(got) < n and held.enter_context(lock_if_free(lock_of(device))):
                    got.append(device)
            if len(got) == n:
                yield got
                return
        if not waits:
            log.info("waiting for %d of %d GPUs: others hold them", n, len(devices))
        waits = True
        time.sleep(poll_s)  # what was taken so far is released: no deadlock for n > 1


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
def compute_device(gpus: int, device: str = "auto") -> Iterator[str]:
    """Lease GPUs, hide the others from torch, and yield "cuda" or "cpu".

    Enter it before torch first touches a GPU: later nothing can be hidden.

    Args:
        device: "auto" computes on the CPU where there is no GPU; "cuda" refuses to; "cpu" never
            leases.

    Raises:
        TrainingError: if device is "cuda" and there is none; if one is there and was leased, and
            torch cannot use it: never is the CPU taken in its place without a word.
    """
    with gpu_lease(0 if device == "cpu" else max(gpus, int(device == "cuda"))) as names:
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
