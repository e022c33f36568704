"""Exclusive locks on files, between processes: the kernel frees those of a killed one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def lock_if_free(path: Path) -> Iterator[bool]:
    """Hold the lock on a file, if nobody holds it; yield whether it is held now. Never waits."""
    from filelock import FileLock, Timeout  # slow to import

    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
