"""Modalities of several leads, from files to windows: what is there and what is lost."""

import edfio
import numpy as np
import pytest

from physiome.config.data import Dataset, ShardSettings
from physiome.data.cutting.cut import cut_record
from physiome.data.recording import RawRecord
from physiome.errors import ConfigError, DataError

NAMES = ("F3", "F4", "C3", "C4")
WINDOWS, LENGTH_S, RATE_HZ = 6, 10.0, 100


def settings(channels=NAMES, **changes):
    eeg = {"channels": list(channels), "unit": "uV", "low": -500, "high": 500, "min_sd": 0.5}
    plain = {
        "title": "Leads",
        "batches": 1,
        "source": {"kind": "recordings", "folder": "x"},
        "modalities": {"eeg": eeg | changes, "ecg": {"channel": "ECG", "unit": "uV"}},
        "classes": ["rest", "task"],
        "window": {"length_s": LENGTH_S, "rate_hz": float(RATE_HZ), "lowpass_hz": None},
        "labels": {"rule": "column", "column": "k", "texts": {"rest": "rest", "task": "task"}},
    }
    return ShardSettings.parse(Dataset.parse(plain).shard_settings())


def samples(names=(*NAMES, "ECG")):
    rng = np.random.default_rng(0)
    n = int(WINDOWS * LENGTH_S * RATE_HZ)
    return {name: rng.normal(0, 30, n).clip(-190, 190) for name in names}


def write(folder, signals, name="a", rates=None):
    """A recording with these channels in this order; names may come twice."""
    lines = [
        edfio.EdfSignal(
            x,
            (rates or {}).get(label, RATE_HZ),
            label=label,
            physical_dimension="uV",
            physical_range=(-200, 200),
        )
        for label, x in signals
    ]
    edfio.Edf(lines, data_record_duration=1).write(folder / f"{name}.edf")
    return RawRecord(name, name, str(folder / f"{name}.edf"), columns={"k": "rest"})


def test_windows_have_an_axis_of_leads_and_single_channels_have_none(tmp_path):
    signals = samples()
    rows, windows, report = cut_record(write(tmp_path, signals.items()), settings())
    assert rows["eeg"].shape == (WINDOWS, 4, 1000)
    assert rows["ecg"].shape == (WINDOWS, 1000)
    for i, name in enumerate(NAMES):
        expected = signals[name].reshape(WINDOWS, 1000)
        np.testing.assert_allclose(rows["eeg"][:, i], expected, atol=0.01)
    assert windows["leads_eeg"].tolist() == [4] * WINDOWS
    assert {*report.channels} == {"eeg/F3", "eeg/F4", "eeg/C3", "eeg/C4", "ecg"}
    np.testing.assert_allclose(windows["mean_eeg"], rows["eeg"].mean(axis=(1, 2)), atol=1e-3)
    np.testing.assert_allclose(windows["var_eeg"], rows["eeg"].var(axis=(1, 2)), rtol=1e-4)


def test_the_order_in_the_file_does_not_matter(tmp_path):
    signals = samples()
    one = cut_record(write(tmp_path, signals.items()), settings())
    turned = cut_record(write(tmp_path, reversed(signals.items()), "b"), settings())
    np.testing.assert_array_equal(one[0]["eeg"], turned[0]["eeg"])


def test_a_lead_that_dies_in_the_middle_is_absent_from_there_on_and_nowhere_zero(tmp_path):
    signals = samples()
    signals["C3"][2300:] = 7.0
    rows, windows, report = cut_record(write(tmp_path, signals.items()), settings())
    assert windows["leads_eeg"].tolist() == [4, 4, 3, 3, 3, 3]
    assert windows["has_eeg"].all()
    assert np.isnan(rows["eeg"][2:, 2]).all()
    assert np.isfinite(rows["eeg"][:2]).all()
    assert np.isfinite(rows["eeg"][:, [0, 1, 3]]).all()
    assert report.lost["eeg/C3"]["flat"] == 4
    assert report.lost["eeg"] == {"leads": 0}
    np.testing.assert_allclose(windows["mean_eeg"], np.nanmean(rows["eeg"], axis=(1, 2)), atol=1e-3)
    np.testing.assert_allclose(windows["var_eeg"], np.nanvar(rows["eeg"], axis=(1, 2)), rtol=1e-4)


def test_too_few_leads_are_none(tmp_path):
    signals = samples()
    signals["C3"][2300:] = 7.0
    rows, windows, report = cut_record(write(tmp_path, signals.items()), settings(min_leads=4))
    assert windows["has_eeg"].tolist() == [True, True, False, False, False, False]
    assert np.isnan(rows["eeg"][2:]).all()
    assert windows["leads_eeg"].tolist() == [4, 4, 0, 0, 0, 0]
    assert windows["mean_eeg"].isna().tolist() == [False, False, True, True, True, True]
    assert report.lost["eeg"] == {"leads": 4}


def test_a_lead_that_the_file_lacks_is_absent_and_named(tmp_path):
    signals = samples(("F3", "F4", "C4", "ECG"))
    rows, windows, report = cut_record(write(tmp_path, signals.items()), settings())
    assert np.isnan(rows["eeg"][:, 2]).all()
    assert windows["leads_eeg"].tolist() == [3] * WINDOWS
    assert "no channel 'C3'" in report.absent["eeg/C3"]
    assert report.lost["eeg/C3"] == {"absent": WINDOWS}


def test_a_file_with_no_lead_of_a_modality_does_not_have_it(tmp_path):
    rows, windows, _ = cut_record(write(tmp_path, samples(("ECG",)).items()), settings())
    assert not windows["has_eeg"].any()
    assert np.isnan(rows["eeg"]).all()


def test_a_lead_that_is_there_twice_is_refused_or_told(tmp_path):
    """Which of two channels of one name is meant nobody can know."""
    signals = [*samples().items(), ("F3", samples()["F4"])]
    with pytest.raises(DataError, match="F3"):
        cut_record(write(tmp_path, signals), settings())


def test_a_reference_is_subtracted_and_its_faults_count(tmp_path):
    signals = samples((*NAMES, "M2", "ECG"))
    signals["M2"][2300:] = 0.0
    referred = [{"channel": "F3", "minus": "M2"}, "F4", "C3", "C4"]
    rows, windows, report = cut_record(write(tmp_path, signals.items()), settings(referred))
    expected = (signals["F3"] - signals["M2"]).reshape(WINDOWS, 1000)
    np.testing.assert_allclose(rows["eeg"][:2, 0], expected[:2], atol=0.02)
    assert np.isnan(rows["eeg"][2:, 0]).all()
    assert windows["leads_eeg"].tolist() == [4, 4, 3, 3, 3, 3]
    assert report.channels["eeg/F3"].name == "F3 - M2"


def test_a_montage_that_lacks_the_reference_lacks_the_lead(tmp_path):
    referred = [{"channel": "F3", "minus": "M2"}, "F4", "C3", "C4"]
    rows, _, report = cut_record(write(tmp_path, samples().items()), settings(referred))
    assert np.isnan(rows["eeg"][:, 0]).all()
    assert "no channel 'M2', which 'F3' is measured against" in report.absent["eeg/F3"]


def test_a_reference_of_another_rate_is_refused(tmp_path):
    signals = samples((*NAMES, "M2", "ECG"))
    signals["M2"] = signals["M2"][::2]
    referred = [{"channel": "F3", "minus": "M2"}, "F4"]
    with pytest.raises(DataError, match="F3 - M2: the two have different sampling rates"):
        cut_record(write(tmp_path, signals.items(), rates={"M2": 50}), settings(referred))


def test_a_common_average_leaves_out_what_is_lost(tmp_path):
    signals = samples()
    signals["C3"][2300:] = 7.0
    rows, windows, _ = cut_record(
        write(tmp_path, signals.items()), settings(min_leads=3, reference="average")
    )
    raw = np.stack([signals[n].reshape(WINDOWS, 1000) for n in NAMES], axis=1)
    np.testing.assert_allclose(
        rows["eeg"][:2], (raw - raw.mean(axis=1, keepdims=True))[:2], atol=0.02
    )
    three = raw[2:, [0, 1, 3]]
    np.testing.assert_allclose(
        rows["eeg"][2:, [0, 1, 3]], three - three.mean(axis=1, keepdims=True), atol=0.02
    )
    np.testing.assert_allclose(windows["var_eeg"], np.nanvar(rows["eeg"], axis=(1, 2)), rtol=1e-3)


def test_a_pressure_that_decides_labels_is_one_channel():
    plain = {
        "title": "P", "batches": 1, "source": {"kind": "recordings", "folder": "x"},
        "modalities": {"abp": {"channels": ["ABP", "ART"]}}, "classes": ["no", "yes"],
        "window": {"length_s": 10.0, "rate_hz": 100.0}, "labels": {"rule": "hypotension"},
    }  # fmt: skip
    with pytest.raises(ConfigError, match="'abp' must be a single channel"):
        Dataset.parse(plain)
