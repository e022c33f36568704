"""Leases of GPUs: who computes on which, and how many jobs share one.

A device has numbered slots, each a lock that its job holds and a note of the share of the device's
memory that the job takes. A job takes a slot where the shares, its own included, make at most 1.
"""

import hashlib
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from physiome.devices.listing import memory_of, visible_devices
from physiome.errors import TrainingError
from physiome.locks import lock_if_free

log = logging.getLogger(__name__)

MOST = 16  # jobs on one device
ROUNDING = 1e-9  # of shares that add up to 1


def lock_folder() -> Path:
    """One folder per machine and user: two checkouts, and two Slurm jobs, share the GPUs."""
    folder = Path(tempfile.gettempdir()) / f"physiome-gpu-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    return folder


def lock_of(device: str, slot: int = 0) -> Path:
    """The lock that whoever computes on a device holds: of its first slot, or of a further one."""
    return lock_folder() / f"{device.replace('/', '_')}.{slot}.lock"


def locks_of(device: str) -> list[Path]:
    """Locks of all slots that a device was ever leased by."""
    every = (lock_of(device, slot) for slot in range(MOST))
    return [path for path in every if path.exists()]


@contextmanager
def gpu_lease(
    n: int,
    jobs: int = 1,
    needs: Callable[[], float | None] = lambda: None,
    poll_s: float = 0.2,
) -> Iterator[list[str]]:
    """Hold a slot of each of `n` GPUs; yield their UUIDs. 0: the CPU.

    Waits until there are such slots, first come first served among processes that may use the same
    GPUs. The kernel frees a lease when its holder dies. In a Slurm allocation its own GPUs are
    leased, so that several jobs within it share them. With no GPU on the machine the CPU is used,
    with a warning.

    Args:
        jobs: the most that share a GPU, this one included.
        needs: bytes of a GPU's memory that this job takes, asked at every attempt; None: all of it.

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
    with _Request(devices, n, jobs, needs, poll_s).granted() as got:
        yield got


class _Request:
    """See `gpu_lease`."""

    def __init__(
        self,
        devices: list[str],
        n: int,
        jobs: int,
        needs: Callable[[], float | None],
        poll_s: float,
    ):
        self.devices, self.n, self.jobs, self.needs, self.poll_s = devices, n, jobs, needs, poll_s
        self.totals = {device: memory_of(device) for device in devices} if jobs > 1 else {}
        self.waits = False

    @contextmanager
    def granted(self) -> Iterator[list[str]]:
        """Within, slots of so many devices are held."""
        with self._turn():
            while (found := self._attempt()) is None:
                self._wait()
        got, held = found
        with held:
            yield got

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Within, no other process takes one of these devices: who wants much is not overtaken."""
        name = hashlib.sha256(" ".join(sorted(self.devices)).encode()).hexdigest()[:16]
        while True:
            with lock_if_free(lock_folder() / f"queue-{name}.lock") as mine:
                if mine:
                    yield
                    return
            self._wait()

    def _attempt(self) -> tuple[list[str], ExitStack] | None:
        """What was taken, and what holds it; all or nothing, so that none waits for another."""
        need = self.needs() if self.jobs > 1 else None
        with ExitStack() as tried:
            got: list[str] = []
            for device in self.devices:
                share = self._share(device, need)
                if len(got) < self.n and _take(device, self.jobs, share, tried):
                    got.append(device)
            return (got, tried.pop_all()) if len(got) == self.n else None

    def _share(self, device: str, need: float | None) -> float:
        """Of a device's memory; all of it where nothing is known."""
        total = self.totals.get(device)
        return 1.0 if need is None or total is None else min(1.0, need / total)

    def _wait(self) -> None:
        if not self.waits:
            log.info("waiting for %d of %d GPUs: others hold them", self.n, len(self.devices))
        self.waits = True
        time.sleep(self.poll_s)


def _take(device: str, jobs: int, share: float, held: ExitStack) -> bool:
    """Hold a slot of a device until `held` closes, if there is room for such a share."""
    with lock_if_free(lock_folder() / f"{device.replace('/', '_')}.choice.lock") as alone:
        if not alone:
            return False
        free, shares = None, []
        for path in (lock_of(device, slot) for slot in range(MOST)):
            if free is not None and not path.exists():
                break  # no further slot was ever needed
            with lock_if_free(path) as unheld:
                if not unheld:
                    shares.append(_noted(path))
                free = path if unheld and free is None else free
        full = shares and sum(shares) + share > 1.0 + ROUNDING
        if free is None or full or len(shares) >= jobs:
            return False
        free.with_suffix(".share").write_text(repr(share))
        return held.enter_context(lock_if_free(free))


def _noted(lock: Path) -> float:
    """The share that the holder of a slot takes; all of the device if it has not said."""
    try:
        return float(lock.with_suffix(".share").read_text())
    except (OSError, ValueError):
        return 1.0
