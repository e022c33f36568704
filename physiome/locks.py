"""Exclusive locks on files, between processes: the kernel frees those of a killed one."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# What file systems without locks say; of ENOSYS filelock itself makes the same
WITHOUT = (errno.ENOLCK, errno.EOPNOTSUPP)


@contextmanager
def lock_if_free(path: Path) -> Iterator[bool]:
    """Hold the lock on a file, if nobody holds it; yield whether it is held now. Never waits.

    Where the file system has no locks, a file that is there is the lock. It stays after a kill, and
    only a process on the same machine can tell that its maker is gone.
    """
    from filelock import FileLock, SoftFileLock, Timeout  # slow to import

    lock = FileLock(path)
    try:
        try:
            lock.acquire(timeout=0)
        except OSError as error:
            if error.errno not in WITHOUT:
                raise
            lock = SoftFileLock(path.with_name(f"{path.name}.held"))
            lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
