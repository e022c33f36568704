from typing import Any

import numpy as np
import pytest

from physiome.config.data import Quality
from physiome.config.modality import Modality
from physiome.data.cutting.marks import Marker, Marks
from physiome.data.cutting.quality import judge
from physiome.data.cutting.stretches import Stretch

MODALITY = Modality(channel="x", unit="uV", low=-200.0, high=200.0, min_sd=0.5)
WHOLE = Stretch(0, 0, None, None)
NO_FLAT = np.empty((0, 2))


def mark(x, *timing):
    marker = Marker(len(x), *timing)
    marker.look(x, WHOLE)
    return marker.marks()


def verdict(
    windows, missing=None, flat: Any = NO_FLAT, modality=MODALITY, quality=None, levels=1000
):
    windows = np.asarray(windows, dtype=np.float32)
    missing = np.zeros(windows.shape, dtype=bool) if missing is None else missing
    onsets_s = 30.0 * np.arange(len(windows))
    quality = quality or Quality()
    clipped = mark(windows.ravel(), 100.0, 0.0, onsets_s, 30.0, quality).clipped
    marks = Marks(np.asarray(flat), clipped, levels)
    return judge(windows, missing, marks, onsets_s, 30.0, modality, quality)


@pytest.fixture
def noise():
    return np.random.default_rng(0).normal(0, 30, (6, 3000)).astype(np.float32)


def test_plausible_windows_pass_with_their_moments(noise):
    v = verdict(noise)
    assert v.good.all()
    np.testing.assert_allclose(v.mean, noise.astype(float).mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(v.variance, noise.astype(float).var(axis=1), rtol=1e-5)


def test_each_fault_marks_its_window_and_no_other(noise):
    missing = np.zeros(noise.shape, dtype=bool)
    missing[0, 17] = True
    noise[2] = 3.0  # standard deviation 0
    noise[3, :151] += 999.0  # 5.03 % outside
    noise[4, :149] += 999.0  # 4.97 %
    v = verdict(noise, missing, flat=[[30.0 + 10, 30.0 + 16]])
    assert v.good.tolist() == [False, False, False, False, True, True]
    assert v.counts == {"gap": 1, "flat": 2, "scale": 0, "clipped": 0, "jump": 0, "outside": 1}
    assert np.isnan(v.mean[:4]).all()


def test_nan_samples_never_pass(noise):
    noise[1] = np.nan
    assert not verdict(noise).good[1]


def test_a_flat_run_counts_only_by_its_share_of_a_window(noise):
    # 4 s in the first window, 6 s in the second
    assert verdict(noise, flat=[[26.0, 36.0]]).good.tolist()[:3] == [True, False, True]


def test_variance_keeps_its_digits_beside_a_large_offset():
    x = 5e4 + np.random.default_rng(0).normal(0, 1, (3, 3000)).astype(np.float32)
    modality = Modality(channel="x", min_sd=0.5)
    v = verdict(x, modality=modality)
    np.testing.assert_allclose(v.variance, x.astype(float).var(axis=1), rtol=1e-3)


@pytest.mark.parametrize("factor", [1e3, 1e6, 1e-3, 1e-6])
def test_a_wrong_unit_names_the_likely_factor(noise, factor):
    v = verdict(noise / factor)
    assert not v.good.any()
    assert v.unit_factor == factor


def test_a_right_unit_or_a_dead_channel_suggests_none(noise):
    assert verdict(noise).unit_factor is None
    assert verdict(np.zeros((4, 3000))).unit_factor is None


def test_no_windows_are_no_trouble():
    assert len(verdict(np.empty((0, 3000))).good) == 0


def test_a_saturated_window_is_clipped_and_a_tall_wave_is_not(noise):
    v = verdict(np.concatenate([noise[:2], noise[2:4].clip(-45, 45), noise[4:]]).round(2))
    assert v.good.all()  # single samples at the rail: a run has three
    slow = 60 * np.sin(2 * np.pi * np.arange(3000) / 200) + noise[:1] / 30
    v = verdict(np.stack([slow[0], slow[0].clip(-50, 50), slow[0].clip(-50, None)]))
    assert v.good.tolist() == [True, False, False]
    assert v.counts["clipped"] == 2


def test_saturation_is_counted_to_the_sample_and_does_not_cross_windows():
    x = np.random.default_rng(0).normal(0, 1, 3000)
    x[900:1200] = 9.0  # 100 samples in window 0, 200 in window 1
    x[2000:2002] = 9.0  # two in a row are no run
    x[2500:2503] = np.nan
    found = mark(x, 100.0, 0.0, np.array([0.0, 10.0, 20.0]), 10.0, Quality()).clipped
    assert found.tolist() == [0.1, 0.2, 0.0]
    late = mark(x, 100.0, 5.0, np.array([5.0, 15.0, 31.0, 40.0]), 10.0, Quality()).clipped
    assert late.tolist() == [0.1, 0.2, 0.0, 0.0]  # the last two begin near and past the end
    alone = mark(x, 100.0, 0.0, np.array([10.5]), 10.0, Quality()).clipped
    assert alone.tolist() == [0.15]


@pytest.mark.parametrize("sign", [1, -1])
def test_one_step_that_is_too_large_is_a_jump(noise, sign):
    modality = MODALITY.model_copy(update={"max_jump": 300.0, "low": None, "high": None})
    noise[1, 1500:] += sign * 700
    noise[2, 1500:] += sign * np.linspace(0, 700, 1500)  # the same rise, slowly
    v = verdict(noise, modality=modality)
    assert np.flatnonzero(~v.good).tolist() == [1]
    assert v.counts["jump"] == 1


def test_large_waves_in_a_wrong_unit_do_not_slip_through(noise):
    noise[:2] *= 20  # 600 uV in mV: 0.6, more than min_sd
    modality = MODALITY.model_copy(update={"low": -5000.0, "high": 5000.0})
    v = verdict(noise / 1e3, modality=modality)
    assert v.unit_factor == 1e3
    assert v.counts["scale"] == len(noise)


def test_a_channel_that_was_detached_for_most_of_the_time_is_not_in_a_wrong_unit(noise):
    noise[:4] /= 1e3
    v = verdict(noise)
    assert v.unit_factor is None
    assert v.good.tolist() == [False] * 4 + [True] * 2


def test_the_few_levels_of_a_dead_channel_suggest_no_unit(noise):
    assert verdict(noise / 1e3, levels=5).unit_factor is None
    assert verdict(noise / 1e3, levels=5).counts["flat"] == len(noise)
