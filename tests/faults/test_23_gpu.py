"""Fault 23: No GPU, a wrong one, or one taken by another job.

Without one `device: cuda` is an error, `auto` computes on the CPU with a warning. One that is there
and cannot be used is an error with its cause. A lease keeps a GPU to one job.
"""

import fcntl
import logging
import os
import threading
import time

import pretend_gpus
import pytest
from pretend_gpus import TWO
from small import settings_of

from physiome.devices import leases
from physiome.devices.leases import gpu_lease
from physiome.errors import TrainingError
from physiome.files import canonical_json
from physiome.steps import pretrain
from physiome.training.runtime import compute_device


@pytest.fixture
def pretend(tmp_path, monkeypatch):
    """`pretend(TWO)`: devices that are listed and are not there; locks of the test's own."""
    pretend_gpus.machine(monkeypatch, tmp_path, pretend_gpus.LISTING)
    (tmp_path / "locks").mkdir()
    monkeypatch.setattr(leases, "lock_folder", lambda: tmp_path / "locks")
    monkeypatch.setattr("torch.zeros", _broken)
    return lambda devices: monkeypatch.setenv("CUDA_VISIBLE_DEVICES", ",".join(devices))


def _broken(*_, **__):
    raise RuntimeError("CUDA driver version is insufficient")


@pytest.mark.parametrize(
    ("devices", "said"),
    [
        ((), r"no usable GPU - .*none is visible - set device: auto"),
        (
            TWO[:1],
            f"{TWO[0]}.*cannot use it - torch.*driver version is insufficient - .*device: cpu",
        ),
    ],
    ids=["none", "one that torch cannot use"],
)
def test_fault_23_a_gpu_that_is_asked_for_and_cannot_be_used_is_an_error(
    pretend, tmp_path, devices, said
):
    pretend(devices)
    plain = settings_of("neuronet") | {"dataset": "d"}
    plain = {k: plain[k] for k in ("dataset", "modalities", "window", "encoder")}
    text = canonical_json(plain | {"pretrain": {"epochs": 1, "batch": 4, "learning_rate": 1.0e-3}})
    output = tmp_path / "models/a.safetensors"
    with pytest.raises(TrainingError, match=said):
        pretrain.run(text, [], tmp_path / "folds.json", 1, "a", output, gpus=1, device="cuda")
    assert not output.parent.exists()


def test_fault_23_without_a_gpu_the_cpu_is_used_with_a_warning(pretend, caplog):
    pretend(())
    with caplog.at_level(logging.WARNING), compute_device(1, "auto") as chosen:
        assert chosen == "cpu"
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert "no GPU on this machine" in caplog.text


def test_fault_23_a_gpu_that_cannot_be_used_is_never_replaced_by_the_cpu(pretend):
    pretend(TWO[:1])
    with pytest.raises(TrainingError, match="cannot use it"), compute_device(1, "auto"):
        pass


def test_fault_23_more_gpus_than_there_are_is_an_error(pretend):
    pretend(TWO)
    with pytest.raises(TrainingError, match="3 GPUs wanted, 2 are visible"), gpu_lease(3):
        pass


def test_fault_23_a_gpu_serves_one_job_and_the_second_waits_for_it(pretend, tmp_path):
    pretend(TWO[:1])
    got = []

    def second():
        with gpu_lease(1, poll_s=0.01) as names:
            got.extend(names)

    with open(leases.lock_of(TWO[0]), "w") as first:  # as another process's lease
        fcntl.flock(first, fcntl.LOCK_EX)
        waiting = threading.Thread(target=second, daemon=True)
        waiting.start()
        time.sleep(0.2)
        assert got == []
    waiting.join(timeout=600)
    assert got == list(TWO[:1])
    assert f"{TWO[0]}.0.lock" in os.listdir(tmp_path / "locks")
