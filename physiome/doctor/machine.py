"""Python and packages, CPU cores, memory: what there is against what is wanted."""

import os
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from physiome.config.output import Threads
from physiome.doctor.finding import Finding, several, size

ENOUGH_BYTES = 4e9  # a training step of PhysioME at batch 32 on a CPU was measured with 3.5 GB
LEAST_BYTES = 1e9  # below it torch and one recording do not fit side by side


def versions() -> Iterator[Finding]:
    """Packages that are missing or older than this version of physiome asks for."""
    python = sys.version.split()[0]
    wanted = [Requirement(text) for text in metadata.requires("physiome") or ()]
    wanted = [r for r in wanted if r.marker is None or r.marker.evaluate({"extra": ""})]
    wrong = [text for r in wanted if (text := _complaint(r))]
    for text in wrong:
        yield Finding("FAIL", "packages", text, "pip install -c constraints.txt -e .")
    if not wrong:
        yield Finding("ok", "packages", f"Python {python}, {len(wanted)} packages as wanted")


def _complaint(wanted: Requirement) -> str:
    try:
        found = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return f"{wanted.name} is not installed ({wanted.specifier or 'any version'} is wanted)"
    if wanted.specifier.contains(found, prereleases=True):
        return ""
    return f"{wanted.name} {found} is installed, {wanted.specifier} is wanted"


def cores(threads: Threads, root: Path = Path("/")) -> Iterator[Finding]:
    """Cores this process may use, against the threads of one job."""
    found: float = len(os.sched_getaffinity(0))
    quota, period = _words(root / "sys/fs/cgroup/cpu.max") or ["max", "100000"]
    if quota != "max":
        found = min(found, int(quota) / int(period))
    most = max(threads.plain().values())
    text = f"{found:g} {'core' if found == 1 else 'cores'}, jobs of up to {several(most, 'thread')}"
    if most > found:
        yield Finding("warn", "cores", text, f"set threads to at most {max(1, int(found))}")
    else:
        yield Finding("ok", "cores", text)


def memory(root: Path = Path("/")) -> Iterator[Finding]:
    """Memory that is available to this process, its control group's limit included."""
    lines = (root / "proc/meminfo").read_text().splitlines()
    found = next(int(x.split()[1]) * 1024 for x in lines if x.startswith("MemAvailable:"))
    limit = _words(root / "sys/fs/cgroup/memory.max")
    if limit and limit[0] != "max":
        used = int((_words(root / "sys/fs/cgroup/memory.current") or ["0"])[0])
        found = min(found, max(0, int(limit[0]) - used))
    text = f"{size(found)} available"
    if found < LEAST_BYTES:
        yield Finding("FAIL", "memory", text, f"at least {size(LEAST_BYTES)} is needed")
    elif found < ENOUGH_BYTES:
        yield Finding("warn", "memory", text, "run few jobs at once, or set micro_batch")
    else:
        yield Finding("ok", "memory", text)


def _words(path: Path) -> list[str]:
    return path.read_text().split() if path.is_file() else []
