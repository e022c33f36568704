"""Spectrogram images: their size, what they show, and what standardising them keeps."""

import math

import pytest
import torch

from physiome.config.image import Image
from physiome.errors import ConfigError
from physiome.nn.spectrogram import FLOOR, SpectrogramImage

SAMPLES, RATE_HZ = 3000, 100.0


def tone(hz, height=1.0, samples=SAMPLES):
    return height * torch.sin(2 * math.pi * hz * torch.arange(samples) / RATE_HZ)[None]


@pytest.mark.parametrize(("samples", "hop", "first"), [(3000, 21, 1), (6000, 45, 0)])
def test_both_tasks_give_an_image_of_96_x_128(samples, hop, first):
    image = SpectrogramImage(Image(), samples)
    assert image(torch.randn(2, samples)).shape == (2, 96, 128)
    assert image.hop == hop
    raw = (samples - 256) // hop + 1
    assert (raw - 128) // 2 == first


def test_a_tone_lights_the_bin_of_its_frequency_all_the_time():
    image = SpectrogramImage(Image(), SAMPLES)
    power = image.log_power(tone(10.0))[0]  # (96, 128)
    assert (power.argmax(dim=0) == round(10.0 / (RATE_HZ / 256))).all()


def test_a_signal_ten_times_as_high_adds_the_same_to_every_bin():
    image = SpectrogramImage(Image(), SAMPLES)
    noise = torch.randn(1, SAMPLES)
    added = image.log_power(10 * noise) - image.log_power(noise)
    torch.testing.assert_close(added, torch.full_like(added, math.log(100)), atol=1e-3, rtol=0)
    image.scale.fill_(10.0)
    before = torch.tensor(FLOOR).log()
    assert (image.log_power(torch.zeros(1, SAMPLES)) == before).all()


def test_the_offset_stays_so_pressures_above_and_below_the_mean_differ():
    image = SpectrogramImage(Image(), SAMPLES)
    image.scale.fill_(20.0)
    low, high = (image.log_power(torch.full((1, SAMPLES), level)) for level in (60.0, 100.0))
    assert (high[0, 0] - low[0, 0]).mean() == pytest.approx(2 * math.log(100 / 60), abs=1e-3)


def test_calibration_standardises_every_bin_over_windows_and_time():
    image = SpectrogramImage(Image(), SAMPLES)
    windows = torch.randn(16, SAMPLES).cumsum(dim=1)  # steep spectrum
    image.calibrate(windows)
    values = image(windows).transpose(0, 1).flatten(1)
    torch.testing.assert_close(values.mean(dim=1), torch.zeros(96), atol=1e-3, rtol=0)
    torch.testing.assert_close(values.std(dim=1), torch.ones(96), atol=1e-3, rtol=0)


def test_calibration_travels_with_the_weights():
    one, other = SpectrogramImage(Image(), SAMPLES), SpectrogramImage(Image(), SAMPLES)
    one.scale.fill_(3.0)
    one.calibrate(torch.randn(4, SAMPLES))
    other.load_state_dict(one.state_dict())
    x = torch.randn(2, SAMPLES)
    assert torch.equal(one(x), other(x))


@pytest.mark.parametrize("spec", [Image(frames=4000), Image(bins=130)])
def test_an_image_that_does_not_fit_the_window_is_refused(spec):
    with pytest.raises(ConfigError, match="does not fit"):
        SpectrogramImage(spec, SAMPLES)
