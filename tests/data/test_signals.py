import mne
import numpy as np
import pytest

from physiome.data.cutting import signals

RATE = 100.0


def gain(frequency_hz, cutoff_hz=40.0):
    t = np.arange(6000) / RATE
    x = np.sin(2 * np.pi * frequency_hz * t + 0.3)
    y = signals.lowpass(x, RATE, cutoff_hz)
    return np.std(y[1000:-1000]) / np.std(x[1000:-1000])


@pytest.mark.parametrize(
    ("frequency_hz", "expected"), [(0.5, 1), (20, 1), (41, 0.97), (44, 0.67), (49, 0.03)]
)
def test_lowpass_has_the_reference_gains(frequency_hz, expected):
    assert gain(frequency_hz) == pytest.approx(expected, abs=0.02)


def test_lowpass_keeps_a_constant_up_to_both_ends():
    np.testing.assert_allclose(signals.lowpass(np.full(500, 93.0), RATE, 40.0), 93.0)


@pytest.mark.parametrize("rate_hz", [100.0, 249.89, 125.0, 90.0])
def test_lowpass_equals_mnes_default_design(rate_hz):
    x = np.random.default_rng(0).normal(size=5000).cumsum()
    expected = mne.filter.filter_data(x, rate_hz, None, 40.0, verbose="WARNING")
    np.testing.assert_allclose(signals.lowpass(x, rate_hz, 40.0), expected, atol=1e-8)


def test_lowpass_in_blocks_equals_all_at_once(monkeypatch):
    x = np.random.default_rng(0).normal(size=5000)
    whole = signals.lowpass(x, RATE, 40.0)
    monkeypatch.setattr(signals, "BLOCK", 777)
    np.testing.assert_allclose(signals.lowpass(x, RATE, 40.0), whole, atol=1e-12)


def test_lowpass_leaves_signals_that_hold_nothing_above_it():
    x = np.random.default_rng(0).normal(size=100)
    assert signals.lowpass(x, 80.0, 40.0) is x
    assert signals.lowpass(x, 100.0, None) is x


def test_short_gaps_are_interpolated_and_long_ones_remembered():
    x = np.arange(1000.0)
    x[100:200] = np.nan  # 1 s: repaired
    x[300:401] = np.nan  # longer: not
    x[:20] = np.nan  # nothing before to interpolate from
    x[990:] = np.nan  # nothing beyond to interpolate towards
    filled, missing = signals.fill_gaps(x, RATE, 1.0)
    np.testing.assert_allclose(filled[20:990], np.arange(20.0, 990.0))
    assert np.isfinite(filled).all()
    expected = np.zeros(1000, dtype=bool)
    expected[:20] = expected[300:401] = expected[990:] = True
    np.testing.assert_array_equal(missing, expected)


def test_a_channel_of_nothing_is_all_missing():
    filled, missing = signals.fill_gaps(np.full(10, np.nan), RATE, 1.0)
    assert missing.all()
    assert np.isfinite(filled).all()


@pytest.mark.parametrize("rate_hz", [249.89, 124.945, 62.4725, 500.0, 128.0, 256.0, 62.5])
def test_resampling_keeps_a_slow_wave_in_time(rate_hz):
    n = int(60 * rate_hz)
    wave = 80 + 10 * np.sin(2 * np.pi * 1.3 * np.arange(n) / rate_hz)
    y = signals.resample(wave, rate_hz, 100.0)
    assert abs(len(y) - 6000) <= 1
    t = np.arange(len(y)) / 100.0
    expected = 80 + 10 * np.sin(2 * np.pi * 1.3 * t)
    np.testing.assert_allclose(y[200:-200], expected[200:-200], atol=0.1)


def test_resampling_keeps_a_constant_up_to_both_ends():
    np.testing.assert_allclose(signals.resample(np.full(3000, 93.0), 500.0, 100.0), 93.0)


def test_resampling_removes_what_would_alias():
    t = np.arange(30000) / 500.0
    y = signals.resample(np.sin(2 * np.pi * 80 * t), 500.0, 100.0)
    assert np.std(y[100:-100]) < 0.01


def test_a_mask_keeps_its_place_at_another_rate():
    mask = np.zeros(500, dtype=bool)
    mask[100:103] = True  # 0.2 s to 0.206 s
    out = signals.resample_mask(mask, 500.0, 100.0, 100)
    np.testing.assert_array_equal(np.flatnonzero(out), [20])


def test_flat_runs_are_found_with_their_times():
    x = np.random.default_rng(0).normal(size=3000)
    x[1000:1700] = 4.0
    x[2000:2400] = 4.0  # 4 s only
    np.testing.assert_allclose(signals.flat_runs(x, RATE, 5.0), [[10.0, 17.0]])


def test_a_flat_run_is_longer_than_the_limit_by_a_sample_at_least():
    x = np.random.default_rng(0).normal(size=3000)
    x[1000:1500] = 4.0  # 5 s, the limit itself
    x[2000:2501] = 4.0
    np.testing.assert_allclose(signals.flat_runs(x, RATE, 5.0), [[20.0, 25.01]])


def test_missing_samples_are_not_a_flat_run():
    assert len(signals.flat_runs(np.full(3000, np.nan), RATE, 5.0)) == 0


# found, wanted -> factor
FACTORS = {
    ("uV", "uV"): 1,
    ("mV", "uV"): 1e3,
    ("V", "uV"): 1e6,
    ("µV", "mV"): 1e-3,
    ("μV", "uV"): 1,
    ("", "uV"): 1,
    ("NU", ""): 1,
    ("kPa", "mmHg"): 7.500617,
    ("mm Hg", "mmHg"): 1,
    ("cmH2O", "mmHg"): 0.735559,
    ("NU", "mmHg"): None,
    ("mV", "mmHg"): None,
}


def test_voltages_and_pressures_convert_and_other_units_do_not():
    found = {units: signals.unit_factor(*units) for units in FACTORS}
    assert found == {units: factor and pytest.approx(factor) for units, factor in FACTORS.items()}
