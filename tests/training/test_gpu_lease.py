"""Leases of devices between processes, with pretend devices."""

import os
import signal
import subprocess
import sys

import pytest

from physiome.errors import TrainingError
from physiome.training.runtime import compute_device, gpu_lease, lock_folder, visible_devices

WORK = """
import os, sys, time
from physiome.training.runtime import gpu_lease

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
from physiome.training.runtime import gpu_lease

with gpu_lease(1):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def devices(tmp_path, monkeypatch):
    """Two pretend devices and a folder of locks of their own."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)  # so that TMPDIR is read again
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
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
    assert set(turns) == {"0", "1"}


def test_a_lease_takes_no_more_than_it_was_asked_for(devices):
    with gpu_lease(1) as first, gpu_lease(1) as second:
        assert sorted([*first, *second]) == ["0", "1"]
    with gpu_lease(2) as both:
        assert both == ["0", "1"]


def test_a_killed_holder_frees_its_device(devices):
    devices.setenv("CUDA_VISIBLE_DEVICES", "0")
    process = start(HOLD)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    with gpu_lease(1) as names:
        assert names == ["0"]


def test_an_error_inside_frees_the_device(devices):
    with pytest.raises(RuntimeError, match="inside"), gpu_lease(2):
        raise RuntimeError("inside")
    with gpu_lease(2) as names:
        assert names == ["0", "1"]


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


def test_trainings_in_one_slurm_allocation_share_out_its_devices(devices):
    devices.setenv("SLURM_JOB_ID", "7")
    with gpu_lease(1) as first, gpu_lease(1) as second:
        assert sorted([*first, *second]) == ["0", "1"]
    with pytest.raises(TrainingError, match="3 GPUs wanted, 2 are visible"), gpu_lease(3):
        pass


def test_a_device_of_another_slurm_job_on_the_machine_is_another_one(devices):
    devices.setenv("CUDA_VISIBLE_DEVICES", "0")  # each job's first, as where Slurm hides the others
    devices.setenv("SLURM_JOB_ID", "7")
    with gpu_lease(1) as mine:
        devices.setenv("SLURM_JOB_ID", "8")
        with gpu_lease(1) as others:
            assert mine == others == ["0"]


def test_a_slurm_job_that_was_given_no_device_leases_from_the_whole_machine(devices):
    devices.delenv("CUDA_VISIBLE_DEVICES")
    outside = lock_folder()
    devices.setenv("SLURM_JOB_ID", "7")
    assert lock_folder() == outside


def test_names_of_partitions_make_valid_lock_files(devices):
    devices.setenv("CUDA_VISIBLE_DEVICES", "MIG-1/2, GPU-a")
    with gpu_lease(2) as names:
        assert names == ["MIG-1/2", "GPU-a"]


def test_the_cpu_never_leases(devices):
    with gpu_lease(2), compute_device(1, "cpu") as device:
        assert device == "cpu"
        assert os.environ["CUDA_VISIBLE_DEVICES"] == ""


def test_asking_for_cuda_where_there_is_none_is_an_error(devices):
    devices.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(TrainingError, match="no usable GPU"), compute_device(1, "cuda"):
        pass
