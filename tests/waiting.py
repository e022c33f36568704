"""Waiting for another process, however slow the machine is, and killing it."""

import subprocess
import time
from collections.abc import Callable

import psutil

LIMIT_S = 600.0  # says that nothing will come; no claim about speed


def wait_until(happened: Callable[[], bool], process: subprocess.Popen, what: str) -> None:
    """Return as soon as `happened()` while `process` runs.

    Raises:
        RuntimeError: if the process ended before, or nothing came within `LIMIT_S`.
    """
    end = time.monotonic() + LIMIT_S
    while not happened():
        if process.poll() is not None:
            raise RuntimeError(f"the process ended before {what}")
        if time.monotonic() > end:
            raise RuntimeError(f"waited {LIMIT_S:.0f} s for {what}")
        time.sleep(0.01)


def stop_tree(process: subprocess.Popen) -> None:
    """SIGSTOP to a process and all that it started: they hold what they hold, and do no more."""
    parent = psutil.Process(process.pid)
    for member in [parent, *parent.children(recursive=True)]:
        member.suspend()


def kill_tree(process: subprocess.Popen) -> None:
    """SIGKILL to a process and all that it started, as a power cut would."""
    parent = psutil.Process(process.pid)
    family = [parent, *parent.children(recursive=True)]
    for member in family:
        member.kill()
    process.wait()
    psutil.wait_procs(family, timeout=10)
