"""Where a job computes: device leases, precision, and what to say when memory runs out."""

import ctypes
import glob
import logging
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from physiome.errors import TrainingError
from physiome.locks import lock_if_free

log = logging.getLogger(__name__)

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of glibc's malloc.h


def visible_devices() -> list[str]:
    """Names of the GPUs this process may use, without importing torch."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip()]
    return sorted(path.removeprefix("/dev/nvidia") for path in glob.glob("/dev/nvidia[0-9]*"))


def lock_folder() -> Path:
    """One folder per machine and user: two checkouts share the GPUs.

    One per job step where Slurm gave out the GPUs: another job's device may have the same name.
    """
    folder = Path(tempfile.gettempdir()) / f"physiome-gpu-{os.getuid()}"
    if "SLURM_JOB_ID" in os.environ and "CUDA_VISIBLE_DEVICES" in os.environ:
        step = os.environ.get("SLURM_STEP_ID", "batch")
        folder /= f"slurm-{os.environ['SLURM_JOB_ID']}.{step}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def gpu_lease(n: int, poll_s: float = 0.2) -> Iterator[list[str]]:
    """Hold `n` GPUs that no other leasing process holds; yield their names. 0: the CPU.

    Waits until enough are free. The kernel frees a lease when its holder dies. Under Slurm only
    the allocation's own are leased. With no GPU on the machine the CPU is used, with a warning.
    """
    devices = visible_devices()
    if n == 0:
        yield []
    elif not devices:
        log.warning("no GPU on this machine: computing on the CPU")
        yield []
    elif n > len(devices):
        raise TrainingError(f"{n} GPUs wanted, {len(devices)} are visible", do="ask for fewer")
    else:
        while True:
            with ExitStack() as held:
                got: list[str] = []
                for device in devices:
                    lock = lock_folder() / f"{device.replace('/', '_')}.lock"
                    if len(got) < n and held.enter_context(lock_if_free(lock)):
                        got.append(device)
                if len(got) == n:
                    yield got
                    return
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

    Enter it before torch is imported for the first time.

    Args:
        device: "auto" falls back to the CPU; "cuda" refuses to; "cpu" never leases.

    Raises:
        TrainingError: if device is "cuda" and there is none.
    """
    with gpu_lease(0 if device == "cpu" else max(gpus, int(device == "cuda"))) as names:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(names)
        import torch

        usable = bool(names) and torch.cuda.is_available()
        if names and not usable:
            log.warning("GPU %s is there, but torch %s cannot use it", names, torch.__version__)
        if device == "cuda" and not usable:
            raise TrainingError(
                "no usable GPU",
                why=f"torch {torch.__version__}, devices {names}",
                do="set device: auto to compute on the CPU",
            )
        torch.set_float32_matmul_precision("high")
        if not usable:
            keep_freed_memory()
        yield "cuda" if usable else "cpu"
