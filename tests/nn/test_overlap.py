"""Frames that overlap share what they have in common, and nothing else changes."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from physiome.nn.neuronet_frames import FrameNetwork
from physiome.nn.overlap import Frames, Layout, convolve, max_pool, overlapping

# Frame, step and window, and widths of the blocks
CASES = {
    "the paper's frames": (400, 100, 900, (4, 4, 6, 6)),
    "a shortcut that widens": (400, 100, 900, (4, 6, 6, 8)),
    "two strides shared": (400, 200, 1000, (4, 4, 6, 6)),
    "all strides shared": (400, 160, 1040, (4, 4, 6, 6)),
    "an odd frame, samples left over": (401, 100, 777, (4, 4, 6, 6)),
    "the shortest frame, next to each other": (289, 4, 309, (4, 4, 6, 6)),
    "ends of frames that meet, as of 5 s at 64 Hz": (320, 64, 448, (4, 4, 6, 6)),
}


@pytest.fixture(params=list(CASES.values()), ids=list(CASES))
def twins(request):
    """A network that shares, and its twin that cuts frames out at once, and their windows."""
    frame, step, samples, channels = request.param
    torch.manual_seed(0)
    network = FrameNetwork(frame, step, channels, samples).double()
    assert network.layout
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    plain = copy.deepcopy(network)
    plain.layout = None
    return network, plain, torch.randn(2, samples, dtype=torch.float64)


def test_features_gradients_and_statistics_are_those_of_frames_cut_out(twins):
    results = []
    for network in twins[:2]:
        x = twins[2].clone().requires_grad_()
        features = network(x)
        (
            features * torch.linspace(-1.0, 1.0, features.numel()).reshape(features.shape)
        ).sum().backward()
        weights = {name: weight.grad for name, weight in network.named_parameters()}
        results.append(
            {"features": features, "x": x.grad, **weights, **dict(network.named_buffers())}
        )
    for name, value in results[0].items():
        torch.testing.assert_close(value, results[1][name], rtol=1e-9, atol=1e-11, msg=name)


def test_running_statistics_are_used_alike(twins):
    network, plain, x = twins
    for one in (network, plain):
        one(x)
        one.eval()
    torch.testing.assert_close(network(x), plain(x), rtol=1e-9, atol=1e-11)


def test_in_bf16_features_differ_as_by_its_rounding(twins):
    network, plain, x = twins[0].float(), twins[1].float(), twins[2].float()
    exact = plain(x).detach()
    with torch.autocast("cpu", torch.bfloat16):
        errors = [(one(x) - exact).norm() / exact.norm() for one in (network, plain)]
    assert 0.0 < errors[0] < 3.0 * errors[1]


def test_windows_of_another_length_are_cut_at_once(twins):
    network, plain, x = twins
    torch.testing.assert_close(network(x[:, :-4]), plain(x[:, :-4]), rtol=0.0, atol=0.0)


def test_at_the_papers_sizes_a_third_of_the_work_is_saved():
    x, done = torch.randn(2, 3000), []
    for samples in (3000, None):
        network = FrameNetwork(400, 100, (48, 48, 64, 64), samples)
        with FlopCounterMode(display=False) as counter:
            network(x).sum().backward()
        done.append(counter.get_total_flops())
    assert done[0] < 0.67 * done[1]


def test_on_another_device_training_cuts_frames_out_at_once(monkeypatch):
    network = FrameNetwork(400, 100, (4, 4, 6, 6), 900).to("meta")
    x, ways = torch.empty(2, 900, device="meta"), []
    for way in ("_apart", "_overlapping"):
        plain = getattr(network, way)
        monkeypatch.setattr(network, way, lambda x, w=way, p=plain: (ways.append(w), p(x))[1])
    network.train()(x)
    network.eval()(x)
    assert ways == ["_apart", "_overlapping"]


@pytest.mark.parametrize(
    ("frame", "step", "samples"),
    [(400, 400, 3000), (400, 230, 3000), (400, 102, 3000), (400, 100, 400)],
    ids=["none overlap", "less than half", "not in step with the stem", "a single frame"],
)
def test_other_frames_are_cut_out(frame, step, samples):
    network = FrameNetwork(frame, step, (4, 4, 6, 6), samples)
    assert network.layout is None
    assert all(norm.counts is None for norm in network.modules() if hasattr(norm, "counts"))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_sliding_and_cutting_out_commute(data):
    kernel, stride = data.draw(st.integers(2, 7)), data.draw(st.integers(1, 3))
    padding = data.draw(st.integers(1, kernel // 2))
    step, apart = stride * data.draw(st.integers(1, 4)), data.draw(st.integers(2, 4))
    frame = data.draw(st.integers(max(24, step * apart), 50))
    frames, rest = data.draw(st.integers(1, 5)), data.draw(st.integers(0, step - 1))
    layout = Layout(frames, frame, step, frame + (frames - 1) * step + rest)
    x = torch.randn(2, layout.whole, dtype=torch.float64)
    apart_frames = x.unfold(-1, frame, step).reshape(-1, 1, 1, frame)
    conv = nn.Conv2d(1, 3, (1, kernel), (1, stride), (0, padding), bias=False).double()
    for slide, plain in [
        (lambda y: convolve(y, conv), conv),
        (
            lambda y: max_pool(y, kernel, stride, padding),
            nn.MaxPool2d((1, kernel), (1, stride), (0, padding)),
        ),
    ]:
        found: Frames = slide(overlapping(x, layout))
        torch.testing.assert_close(found.cut_out(), plain(apart_frames))
        counted = found.layout.counts().sum() + 2 * found.layout.edge * frames
        assert counted == frames * found.layout.length  # every place of every frame, once
