"""Who holds a lock, and which Snakemake works in a folder: as the kernel says, touching nothing."""

import os
from pathlib import Path


def holder(path: Path, root: Path = Path("/")) -> int | None:
    """Process that holds a lock on `path`; None if there is none.

    Asked of the kernel: to try the lock would take it from a job that begins at that moment.
    """
    table = root / "proc/locks"
    if not (path.exists() and table.exists()):
        return None
    inode = str(path.stat().st_ino)
    for line in table.read_text().splitlines():
        words = line.replace("->", "").split()
        if len(words) > 5 and words[5].rpartition(":")[2] == inode:
            return int(words[4])
    return None


def command(pid: int, root: Path = Path("/")) -> str:
    """The beginning of a process's command line."""
    try:
        raw = (root / f"proc/{pid}/cmdline").read_bytes()
    except OSError:
        return "ended meanwhile"
    return raw.replace(b"\0", b" ").decode(errors="replace").strip()[:80]


def snakemakes(folder: Path, root: Path = Path("/")) -> list[int]:
    """Processes that run Snakemake in a folder."""
    found = []
    for process in (root / "proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            here = os.path.realpath(process / "cwd") == os.path.realpath(folder)
        except OSError:
            continue  # ended meanwhile, or someone else's
        if here and any(Path(os.fsdecode(w)).name == "snakemake" for w in words[:3]):
            found.append(int(process.name))
    return found


def since(pid: int, root: Path = Path("/")) -> float:
    """When a process began, in seconds since the epoch; 0 where that cannot be told."""
    try:
        ticks = int((root / f"proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
        lines = (root / "proc/stat").read_text().splitlines()
        boot = next(int(line.split()[1]) for line in lines if line.startswith("btime "))
    except (OSError, ValueError, IndexError, StopIteration):
        return 0.0
    return boot + ticks / os.sysconf("SC_CLK_TCK")
