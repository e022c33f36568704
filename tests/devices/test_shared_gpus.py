"""Several jobs on one pretended device: as many as its memory holds, first come first served."""

import logging
import threading
import time
from contextlib import ExitStack

import pretend_gpus
import pytest
from pretend_gpus import PARTITIONED, SLICES, TWO

from physiome.devices import leases
from physiome.devices.leases import gpu_lease, locks_of
from physiome.devices.listing import memory_of
from physiome.locks import lock_if_free

GB = 2**30


@pytest.fixture
def one(tmp_path, monkeypatch):
    """One device of 80 GiB, and locks of the test's own."""
    pretend_gpus.machine(monkeypatch, tmp_path, pretend_gpus.LISTING, mib=str(80 * 1024))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", TWO[0])
    (tmp_path / "locks").mkdir()
    monkeypatch.setattr(leases, "lock_folder", lambda: tmp_path / "locks")
    return monkeypatch


def lease(jobs, gb, n=1):
    """A lease for a job that takes so many GiB; None: it does not know."""
    return gpu_lease(n, jobs, lambda: None if gb is None else gb * GB, poll_s=0.01)


class Waiting:
    """A lease that another thread wants; `got` is set once it has it, and it ends on `close`."""

    def __init__(self, jobs, gb):
        self.got, self.ended = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._run, args=(jobs, gb), daemon=True)
        self.thread.start()

    def _run(self, jobs, gb):
        with lease(jobs, gb):
            self.got.set()
            self.ended.wait(600)

    def waits(self):
        time.sleep(0.2)
        return not self.got.is_set()

    def close(self):
        assert self.got.wait(600)
        self.ended.set()
        self.thread.join(600)


def test_a_device_tells_its_memory_and_a_slice_does_not(one, tmp_path):
    assert memory_of(TWO[0]) == 80 * GB
    assert memory_of(SLICES[0]) is None
    pretend_gpus.machine(one, tmp_path, pretend_gpus.LISTING)
    assert memory_of(TWO[0]) is None  # it says nothing that is a number


def test_as_many_jobs_share_a_device_as_its_memory_holds(one, tmp_path):
    with lease(4, 30), lease(4, 30):
        third = Waiting(4, 30)
        assert third.waits()
        somebody_is_next(tmp_path / "locks")
        small = Waiting(4, 1)
        assert small.waits()  # behind the third: nobody is overtaken
    third.close()
    small.close()


def somebody_is_next(folder):
    """Return once a process or thread has its turn to look for a device."""
    while True:
        for path in folder.glob("queue-*.lock"):
            with lock_if_free(path) as mine:
                if not mine:
                    return
        time.sleep(0.01)


def test_no_more_jobs_share_a_device_than_are_allowed(one):
    with lease(2, 1), lease(2, 1):
        third = Waiting(2, 1)
        assert third.waits()
    third.close()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((1, 1), (4, 1)),
        ((4, 1), (1, 1)),
        ((4, None), (4, 1)),
        ((4, 1), (4, None)),
        ((4, 900), (4, 1)),
    ],
)
def test_a_job_that_wants_all_or_does_not_know_is_alone(one, first, second):
    with lease(*first):
        other = Waiting(*second)
        assert other.waits()
    other.close()


def test_jobs_spread_over_devices_once_one_is_full(one):
    one.delenv("CUDA_VISIBLE_DEVICES")
    with ExitStack() as held:
        got = [held.enter_context(lease(4, 30)) for _ in range(4)]
        assert sorted(name for (name,) in got) == sorted(TWO * 2)


def test_two_devices_at_once_share_with_jobs_on_either(one):
    one.delenv("CUDA_VISIBLE_DEVICES")
    with lease(4, 50) as (first,), lease(4, 20, n=2) as both:
        assert first in both
        assert both == list(TWO)


def test_a_slice_is_not_shared(one, tmp_path):
    pretend_gpus.machine(one, tmp_path, PARTITIONED, mib=str(80 * 1024))
    one.setenv("CUDA_VISIBLE_DEVICES", SLICES[0])
    with lease(4, 1):
        second = Waiting(4, 1)
        assert second.waits()
    second.close()


def test_a_slot_that_a_killed_job_left_is_free_whatever_it_noted(one):
    with lease(4, 50), lease(4, 10):
        pass
    notes = sorted(path.with_suffix(".share") for path in locks_of(TWO[0]))
    assert [round(float(note.read_text()), 3) for note in notes] == [0.625, 0.125]
    notes[0].write_text("1.0")
    with lease(4, 40), lease(4, 40):
        assert len(locks_of(TWO[0])) == 2


def test_a_holder_that_noted_nothing_readable_has_all(one):
    with lease(4, 10):
        locks_of(TWO[0])[0].with_suffix(".share").write_text("")
        second = Waiting(4, 10)
        assert second.waits()
    second.close()


def test_a_need_that_becomes_known_while_waiting_counts(one):
    known = []
    with lease(4, 10):
        asked = gpu_lease(1, 4, lambda: known[0] if known else None, poll_s=0.01)
        got = threading.Event()

        def wait():
            with asked:
                got.set()

        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        time.sleep(0.2)
        assert not got.is_set()
        known.append(10.0 * GB)
        assert got.wait(600)
        thread.join(600)


def test_who_waits_says_so_once(one, caplog):
    with caplog.at_level(logging.INFO), lease(4, None):
        second = Waiting(4, None)
        assert second.waits()
    second.close()
    assert [r.message for r in caplog.records] == ["waiting for 1 of 1 GPUs: others hold them"]
