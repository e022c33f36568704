"""Locks that all runs of one user on a machine share: connection slots, one writer per file."""

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from physiome.errors import PhysioError
from physiome.locks import lock_if_free

POLL_S = 0.05


@contextmanager
def connection_slot(connections: int) -> Iterator[None]:
    """Hold one of `connections` slots; waits while all are taken by any process of this user."""
    while True:
        for i in range(connections):
            with lock_if_free(_folder() / f"connection-{i}.lock") as mine:
                if mine:
                    yield
                    return
        time.sleep(POLL_S)


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
