"""Frame features of frozen encoders kept on the device: computed once, and then the same."""

import json
import logging

import numpy as np
import pytest
import torch
from small import job_of
from tiny import neuronet, physiome
from tinyshards import tiny_store
from toys import train

from physiome.config.gpu import GpuSpec
from physiome.config.monitor import MonitorSpec
from physiome.methods.build import build_method, fresh_parents
from physiome.nn.kept import KeptFrames
from physiome.nn.neuronet_frames import FrameNetwork
from physiome.training.checkpoint import read_weights

WINDOWS, EPOCHS = 12, 3


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tiny_store(tmp_path_factory.mktemp("store"), windows=WINDOWS)


@pytest.fixture
def computed(monkeypatch):
    """Sizes of the batches that frame networks computed in training."""
    sizes, forward = [], FrameNetwork.forward

    def noted(self, x):
        sizes.append(len(x))
        return forward(self, x)

    monkeypatch.setattr(FrameNetwork, "forward", noted)
    return sizes


def synthsleepnet():
    torch.manual_seed(0)
    settings = job_of("synthsleepnet")
    return build_method(settings, fresh_parents(settings))


@pytest.mark.parametrize("build", [physiome, synthsleepnet])
@pytest.mark.parametrize("micro", [None, 2])
def test_a_window_is_computed_in_the_first_epoch_alone(build, micro, store, tmp_path, computed):
    def trained(gpu):
        method = build()
        computed.clear()
        output = tmp_path / f"{gpu.keep_gb}.safetensors"
        spec = {"micro_batch": micro, "learning_rate": 1e-6}
        train(lambda: method, store, output, gpu=gpu, **spec)
        lines = output.with_suffix(".metrics.jsonl").read_text().splitlines()
        return [json.loads(line)["loss"] for line in lines]

    anew = trained(GpuSpec())
    assert sum(computed) == 3 * WINDOWS * EPOCHS  # of three modalities
    kept = trained(GpuSpec(keep_gb=1.0))
    assert sum(computed) == 3 * WINDOWS
    # A row may be rounded otherwise in the company of other windows.
    assert kept == pytest.approx(anew, rel=1e-3)
    assert len({round(loss, 3) for loss in anew}) > 3  # other windows would be seen


def test_kept_rows_are_those_that_were_computed(store):
    method = physiome()
    frames = KeptFrames(method, np.array([3, 5, 7, 8]), WINDOWS, 1e9)
    encoder = method.encoders["a"]
    x = torch.from_numpy(store.read(np.arange(WINDOWS), ("a",))["a"])
    with frames.of(np.array([3, 7])):
        first = encoder.features(x[[3, 7]])
    with frames.of(np.array([5, 8])):
        second = encoder.features(x[[5, 8]])
    with frames.of(np.array([8, 3, 5])):
        again = encoder.features(torch.full((3, x.shape[1]), torch.nan))  # it is not looked at
    assert torch.equal(again, torch.stack([second[1], first[0], second[0]]))


def test_a_batch_with_one_new_window_is_looked_at(store):
    method = physiome()
    frames = KeptFrames(method, np.arange(4), WINDOWS, 1e9)
    encoder, x = method.encoders["a"], torch.from_numpy(store.read(np.arange(4), ("a",))["a"])
    with frames.of(np.array([0, 1])):
        encoder.features(x[[0, 1]])
    with frames.of(np.array([1, 2])):
        found = encoder.features(x[[1, 2]])
    torch.testing.assert_close(found, encoder.features(x[[1, 2]]))


def test_outside_of_a_step_windows_are_looked_at(store):
    method = physiome()
    frames = KeptFrames(method, np.arange(4), WINDOWS, 1e9)
    a, b = torch.randn(2, 4, 900)
    with frames.of(np.arange(4)):
        method.encoders["a"].features(a)
    assert not torch.equal(method.encoders["a"].features(a), method.encoders["a"].features(b))


def test_what_does_not_fit_is_computed_and_said(store, tmp_path, computed, caplog):
    method = physiome()
    with caplog.at_level(logging.INFO, "physiome"):
        # Of three modalities' features, each 12 windows x 5 frames x 56 numbers, one fits.
        bytes_each = WINDOWS * 5 * 4 * method.encoders["a"].frame_network.features
        gpu = GpuSpec(keep_gb=1.5 * bytes_each / 1e9)
        computed.clear()
        train(lambda: method, store, tmp_path / "w.safetensors", gpu=gpu)
    assert sum(computed) == WINDOWS * (1 + 2 * EPOCHS)
    assert caplog.text.count("kept on the device") == 1
    assert caplog.text.count("gpu.keep_gb is too little") == 2


def test_windows_that_change_and_encoders_that_learn_are_left_alone(store, tmp_path, computed):
    gpu, method = GpuSpec(keep_gb=1.0), physiome()
    computed.clear()
    train(lambda: method, store, tmp_path / "thin.safetensors", gpu=gpu, max_leads=1)
    assert sum(computed) == 3 * WINDOWS * EPOCHS
    computed.clear()
    train(neuronet, store, tmp_path / "learns.safetensors", gpu=gpu)
    assert sum(computed) == 2 * WINDOWS * EPOCHS  # two views


def test_the_monitor_sees_its_own_windows(store, tmp_path):
    looks = []
    for gpu in (GpuSpec(), GpuSpec(keep_gb=1.0)):
        output = tmp_path / "w.safetensors"
        train(physiome, store, output, monitor=MonitorSpec(), gpu=gpu, epochs=1)
        looks.append(read_weights(output)[1]["monitor"])
        output.unlink()
    for facts in looks:
        facts.pop("seconds")
    assert looks[0] == looks[1]
