"""Locks that all runs of one user on a machine share: connection slots, one writer per file."""

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from physiome.errors import PhysioError

POLL_S = 0.05


@contextmanager
def connection_slot(connections: int) -> Iterator[None]:
    """Hold one of `connections` slots; waits while all are taken by any process of this user.

    The kernel frees the slot of a killed process.
    """
    locks = [FileLock(_folder() / f"connection-{i}.lock") for i in range(connections)]
    held = _first_free(locks)
    while held is None:
        time.sleep(POLL_S)
        held = _first_free(locks)
    try:
        yield
    finally:
        held.release()


def _first_free(locks: list[FileLock]) -> FileLock | None:
    for lock in locks:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        return lock
    return None


def writer_lock(path: Path) -> FileLock:
    """A lock for writing `path`; kept outside its folder, where no one would clean it up."""
    name = hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:32]
    return FileLock(_folder() / f"file-{name}.lock")


def _folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"physiome-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise PhysioError("folder belongs to someone else", where=folder, do="set TMPDIR")
    return folder
