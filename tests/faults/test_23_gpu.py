"""Fault 23: No GPU, a wrong one, or one taken by another job.

`device: cuda` is an error, `auto` computes on the CPU with a warning; a lease keeps a GPU to one
job.
"""

import fcntl
import logging
import os
import threading
import time

import pytest
from small import settings_of

from physiome.errors import TrainingError
from physiome.files import canonical_json
from physiome.steps import pretrain
from physiome.training import runtime
from physiome.training.runtime import compute_device, gpu_lease


@pytest.fixture
def pretend(tmp_path, monkeypatch):
    """`pretend("0,1")`: devices that are named and are not there; locks of the test's own."""
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setattr(runtime, "lock_folder", lambda: tmp_path)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    return lambda devices: monkeypatch.setenv("CUDA_VISIBLE_DEVICES", devices)


@pytest.mark.parametrize("devices", ["", "0"], ids=["none", "one that torch cannot use"])
def test_fault_23_a_gpu_that_is_asked_for_and_cannot_be_used_is_an_error(
    pretend, tmp_path, devices
):
    pretend(devices)
    plain = settings_of("neuronet") | {"dataset": "d"}
    plain = {k: plain[k] for k in ("dataset", "modalities", "window", "encoder")}
    text = canonical_json(plain | {"pretrain": {"epochs": 1, "batch": 4, "learning_rate": 1.0e-3}})
    output = tmp_path / "models/a.safetensors"
    with pytest.raises(TrainingError, match=r"no usable GPU - .*torch.* - set device: auto"):
        pretrain.run(text, [], tmp_path / "folds.json", 1, "a", output, gpus=1, device="cuda")
    assert not output.parent.exists()


@pytest.mark.parametrize(
    ("devices", "warning"), [("", "no GPU on this machine"), ("0", "cannot use it")]
)
def test_fault_23_if_a_cpu_will_do_it_is_used_with_a_warning(pretend, caplog, devices, warning):
    pretend(devices)
    with caplog.at_level(logging.WARNING), compute_device(1, "auto") as chosen:
        assert chosen == "cpu"
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert warning in caplog.text


def test_fault_23_more_gpus_than_there_are_is_an_error(pretend):
    pretend("0,1")
    with pytest.raises(TrainingError, match="3 GPUs wanted, 2 are visible"), gpu_lease(3):
        pass


def test_fault_23_a_gpu_serves_one_job_and_the_second_waits_for_it(pretend, tmp_path):
    pretend("0")
    got = []

    def second():
        with gpu_lease(1, poll_s=0.01) as names:
            got.extend(names)

    with open(tmp_path / "0.lock", "w") as first:  # as another process's lease
        fcntl.flock(first, fcntl.LOCK_EX)
        waiting = threading.Thread(target=second, daemon=True)
        waiting.start()
        time.sleep(0.2)
        assert got == []
    waiting.join(timeout=600)
    assert got == ["0"]
    assert os.listdir(tmp_path) == ["0.lock"]
