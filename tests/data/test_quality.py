import numpy as np
import pytest

from physiome.config.data import Modality, Quality
from physiome.data.quality import judge

MODALITY = Modality(channel="x", unit="uV", low=-200.0, high=200.0, min_sd=0.5)
NO_FLAT = np.empty((0, 2))


def verdict(windows, missing=None, flat=NO_FLAT, modality=MODALITY, quality=None):
    windows = np.asarray(windows, dtype=np.float32)
    missing = np.zeros(windows.shape, dtype=bool) if missing is None else missing
    onsets_s = 30.0 * np.arange(len(windows))
    return judge(windows, missing, np.asarray(flat), onsets_s, 30.0, modality, quality or Quality())


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
    noise[3, :151] = 999.0  # 5.03 % outside
    noise[4, :149] = 999.0  # 4.97 %
    v = verdict(noise, missing, flat=[[30.0 + 10, 30.0 + 16]])
    assert v.good.tolist() == [False, False, False, False, True, True]
    assert v.counts == {"gap": 1, "flat": 2, "outside": 1}
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
