"""Leases of devices between processes, with pretend devices."""

import os
import signal
import subprocess
import sys

import pretend_gpus
import pytest
from pretend_gpus import PARTITIONED, SLICES, TWO

from physiome.devices.leases import gpu_lease, lock_of
from physiome.devices.listing import visible_devices
from physiome.errors import TrainingError
from physiome.training.runtime import compute_device

WORK = """
import os, sys, time
from physiome.devices.leases import gpu_lease

folder = sys.argv[1]
for _ in range(3):
    with gpu_lease(1, poll_s=0.01) as (device,):
        marker = os.path.join(folder, "busy-" + device)
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))  # fails if another holds the device
        while not os.path.exists(os.path.join(folder, "together")):  # the first two meet
            if sum(name.startswith("busy-") for name in os.listdir(folder)) == 2:
                open(os.path.join(folder, "together"), "w").close()
            time.sleep(0.01)
        time.sleep(0.05)
        os.unlink(marker)
    print(device)
"""
HOLD = """
import time
from physiome.devices.leases import gpu_lease

with gpu_lease(1):
    print("held", flush=True)
    time.sleep(60)
"""

WAITED = """
import logging, sys
from physiome.devices.leases import gpu_lease

logging.basicConfig(level=logging.INFO, stream=sys.stdout)
with gpu_lease(1, poll_s=0.01):
    print("got it")
"""
# A process whose parent has asked for devices can use none.
IMPORTS = """
import importlib, torch
from physiome import warm

for name in ("is_available", "device_count", "init", "current_device", "get_device_capability"):
    setattr(torch.cuda, name, lambda *_, name=name: print(name))
for module in warm.IMPORTED:
    importlib.import_module(module)
"""


@pytest.fixture
def devices(tmp_path, monkeypatch):
    """Two pretend devices and a folder of locks of their own."""
    pretend_gpus.machine(monkeypatch, tmp_path, pretend_gpus.LISTING)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)  # so that TMPDIR is read again
    # A lease that never comes is a failure, not a test that hangs.
    before = signal.signal(signal.SIGALRM, _give_up)
    signal.alarm(600)
    yield monkeypatch
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def _give_up(*_) -> None:
    raise TimeoutError("waited too long for a lease")


def start(script: str, *arguments: str) -> subprocess.Popen:
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    )


def test_four_processes_share_two_devices_and_never_one(devices, tmp_path):
    folder = tmp_path / "markers"
    folder.mkdir()
    processes = [start(WORK, str(folder)) for _ in range(4)]
    try:
        said = [process.communicate() for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0] * 4, said
    turns = [line for out, _ in said for line in out.splitlines()]
    assert len(turns) == 12
    assert set(turns) == set(TWO)


def test_a_lease_takes_no_more_than_it_was_asked_for(devices):
    with gpu_lease(1) as first, gpu_lease(1) as second:
        assert sorted([*first, *second]) == sorted(TWO)
    with gpu_lease(2) as both:
        assert both == list(TWO)


def test_a_killed_holder_frees_its_device(devices):
    devices.setenv("CUDA_VISIBLE_DEVICES", TWO[0])
    process = start(HOLD)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    with gpu_lease(1) as names:
        assert names == [TWO[0]]


def test_an_error_inside_frees_the_device(devices):
    with pytest.raises(RuntimeError, match="inside"), gpu_lease(2):
        raise RuntimeError("inside")
    with gpu_lease(2) as names:
        assert names == list(TWO)


def test_zero_gpus_mean_the_cpu_and_more_than_there_are_an_error(devices):
    with gpu_lease(0) as names:
        assert names == []
    with pytest.raises(TrainingError, match="3 GPUs wanted, 2 are visible"), gpu_lease(3):
        pass


def test_without_a_gpu_the_cpu_is_used_with_a_warning(devices, caplog):
    devices.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_devices() == []
    with gpu_lease(1) as names:
        assert names == []
    assert "no GPU on this machine" in caplog.text


def test_two_jobs_in_one_allocation_get_a_device_each_and_none_outside_it(devices):
    devices.setenv("SLURM_JOB_ID", "7")
    with gpu_lease(1) as first, gpu_lease(1) as second:
        assert sorted([*first, *second]) == sorted(TWO)
    devices.setenv("CUDA_VISIBLE_DEVICES", "1")
    with gpu_lease(1) as names:
        assert names == [TWO[1]]


def test_one_device_by_its_number_and_by_its_uuid_is_one_lease(devices):
    devices.setenv("CUDA_VISIBLE_DEVICES", "1")
    with gpu_lease(1) as names:
        held = lock_of(names[0])
        devices.setenv("CUDA_VISIBLE_DEVICES", TWO[1])
        assert [lock_of(name) for name in visible_devices()] == [held]


def test_slices_of_a_gpu_are_leased_one_by_one(devices, tmp_path):
    pretend_gpus.machine(devices, tmp_path, PARTITIONED)
    with gpu_lease(2) as names, gpu_lease(1) as other:
        assert names == list(SLICES)
        assert other == [TWO[1]]


def test_a_job_that_waits_says_so_once(devices, caplog):
    caplog.set_level("INFO")
    with gpu_lease(2):
        process = start(WAITED)
        assert process.stdout is not None
        assert "waiting for 1 of 2 GPUs" in process.stdout.readline()
    said, _ = process.communicate()
    assert said == "got it\n"


def test_a_device_that_torch_cannot_use_is_an_error_and_never_the_cpu(devices):
    def broken(*_, **__):
        raise RuntimeError("CUDA error: no kernel image is available")

    devices.setattr("torch.zeros", broken)
    with (
        pytest.raises(TrainingError, match=f"{TWO[0]}.*no kernel image.*device: cpu"),
        compute_device(1, "auto"),
    ):
        pass
    with gpu_lease(1) as names:  # and it is free again
        assert names == [TWO[0]]


@pytest.mark.slow
def test_nothing_that_is_imported_before_a_fork_touches_a_gpu():
    assert start(IMPORTS).communicate() == ("", "")


def test_the_cpu_never_leases(devices):
    with gpu_lease(2), compute_device(1, "cpu") as device:
        assert device == "cpu"
        assert os.environ["CUDA_VISIBLE_DEVICES"] == ""


def test_asking_for_cuda_where_there_is_none_is_an_error(devices):
    devices.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(TrainingError, match="no usable GPU"), compute_device(1, "cuda"):
        pass
