"""The trivial controls."""

import pytest
import torch
from tiny import NAMES, RATE_HZ, SAMPLES, waves

from physiome.config.image import Image
from physiome.config.systems.controls import ImageRowMeansSpec
from physiome.config.window import Window
from physiome.methods.base import Inputs
from physiome.methods.controls import HandMade, Majority, PresentPressure, features
from physiome.methods.row_means import ImageRowMeans


def test_hand_made_features_of_a_known_wave():
    t = torch.arange(3000) / RATE_HZ
    x = 80.0 + 20.0 * torch.sin(2 * torch.pi * 1.2 * t)[None]
    mean, spread, log_spread, low, _, middle, _, high, slope, *bands, rate = features(x, RATE_HZ)[0]
    assert float(mean) == pytest.approx(80.0, abs=1e-3)
    assert float(spread) == pytest.approx(20.0 / 2**0.5, rel=1e-3)
    assert float(log_spread.exp()) == pytest.approx(float(spread), rel=1e-4)
    assert (float(low), float(middle), float(high)) == pytest.approx((60.0, 80.0, 100.0), abs=0.1)
    # A sine runs four times its height in a period.
    assert float(slope) == pytest.approx(4 * 20.0 * 1.2, rel=1e-2)
    assert len(bands) == 6
    assert bands.index(max(bands)) == 0
    assert float(rate) == pytest.approx(1.2, abs=1 / 30)


@pytest.mark.parametrize("hz", [1.0, 3.0, 6.0, 10.0, 14.0, 20.0])
def test_each_rhythm_raises_its_own_band(hz):
    t = torch.arange(SAMPLES) / RATE_HZ
    bands = features(torch.sin(2 * torch.pi * hz * t)[None], RATE_HZ)[0, 9:15]
    assert int(bands.argmax()) == [1.0, 3.0, 6.0, 10.0, 14.0, 20.0].index(hz)


def test_a_flat_signal_has_finite_features():
    assert torch.isfinite(features(torch.full((1, SAMPLES), 5.0), RATE_HZ)).all()


@pytest.mark.parametrize(("samples", "rate_hz"), [(60, 1.0), (20, 100.0)], ids=["slow", "short"])
def test_signals_without_a_line_of_the_pulse_have_no_rate(samples, rate_hz):
    found = features(waves(3)["a"][:, :samples], rate_hz)
    assert torch.isfinite(found).all()
    assert found[:, -1].tolist() == [0.0, 0.0, 0.0]


def test_hand_made_features_stand_in_the_modalities_order():
    method, signals = HandMade(NAMES, RATE_HZ), waves(2)
    for subset in (("c", "a"), ("b",), NAMES):
        ordered = [features(signals[m], RATE_HZ) for m in NAMES if m in subset]
        found = method.embed({m: signals[m] for m in subset})
        assert torch.equal(found, torch.cat(ordered, dim=1))
    assert not HandMade.comparable


def test_the_majority_control_says_the_same_of_every_window():
    assert Majority(NAMES).embed(waves(4, ("b",))).unique().tolist() == [0.0]


def test_the_present_pressure_is_the_windows_mean_and_nothing_without_it():
    method = PresentPressure(("abp", "ecg"), "abp")
    level = torch.tensor([60.0, 90.0])
    said = method.embed({"abp": level[:, None].expand(2, 8), "ecg": level[:, None]})
    assert said.flatten().tolist() == [60.0, 90.0]
    assert method.refuses(("abp", "ecg")) == method.refuses(("abp",)) == ""
    assert method.refuses(("ecg",)) == "no abp"


def test_image_row_means_forget_when_but_not_how_fast():
    window = Window(length_s=SAMPLES / RATE_HZ, rate_hz=RATE_HZ, lowpass_hz=None)
    spec = ImageRowMeansSpec(image=Image(n_fft=64, bins=16, frames=16))
    method = ImageRowMeans(spec, Inputs(("a", "b"), window))
    t = torch.arange(SAMPLES) / RATE_HZ
    slow, fast = (torch.sin(2 * torch.pi * hz * t)[None] for hz in (5.0, 15.0))
    assert method.embed({"a": slow}).shape == (1, 16)
    assert method.embed({"a": slow, "b": fast}).shape == (1, 32)
    peaks = [int(method.embed({"a": x}).argmax()) for x in (slow, fast)]
    assert peaks == [round(5.0 * 64 / RATE_HZ), round(15.0 * 64 / RATE_HZ)]
    torch.testing.assert_close(
        method.embed({"a": slow.flip(1)}), method.embed({"a": slow}), atol=0.05, rtol=0.05
    )
