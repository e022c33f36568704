"""Locks where the file system has none: what flock refuses there is simulated."""

import errno
import fcntl
import os
import subprocess
import sys
import warnings

import pytest

from physiome.locks import lock_if_free

REFUSALS = [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP]
KILLED = """
import errno, fcntl, os, signal, sys
from pathlib import Path

def refuse(*_):
    raise OSError(errno.ENOLCK, "none here")

fcntl.flock = refuse
from physiome.locks import lock_if_free

with lock_if_free(Path(sys.argv[1])) as mine:
    assert mine
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def without(monkeypatch):
    """`without(number)`: every flock fails with this error."""

    def refuse_with(number):
        def refuse(*_):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(fcntl, "flock", refuse)

    return refuse_with


@pytest.mark.parametrize("number", REFUSALS, ids=[errno.errorcode[n] for n in REFUSALS])
def test_one_process_holds_a_lock_where_the_file_system_has_none(without, tmp_path, number):
    without(number)
    path = tmp_path / "lock"
    with warnings.catch_warnings(record=True) as told:  # the library's own, of ENOSYS
        warnings.simplefilter("always")
        with lock_if_free(path) as first, lock_if_free(path) as second:
            assert (first, second) == (True, False)
        with lock_if_free(path) as again:
            assert again
    assert bool(told) == (number == errno.ENOSYS)
    assert all("flock not supported" in str(warning.message) for warning in told)


def test_what_a_killed_process_of_the_same_machine_left_is_no_lock(without, tmp_path):
    without(errno.ENOLCK)
    path = tmp_path / "lock"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)])
    assert done.returncode < 0
    left = tmp_path / "lock.held"
    assert left.exists()
    with lock_if_free(path) as mine:
        assert mine
    left.write_text("1\nanother-machine\n")
    with lock_if_free(path) as mine:
        assert not mine


def test_another_refusal_is_an_error(without, tmp_path):
    without(errno.EIO)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)), lock_if_free(tmp_path / "lock"):
        pass
