"""Fault 6: Another sampling rate than wanted.

Each channel is resampled from the rate its file states, which the manifest keeps; a rate too low
for the windows is noted; with `strict_rates` the record is left out with both rates.
"""

import numpy as np
import pytest
from nights import left_out, to_folds, to_shard
from waves import EEG, EOG, dataset, list_records, noise, write, write_good

FAST, SLOW = "fast", "slow"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Seven recordings of 100 Hz, and a 10 Hz wave recorded at 128 Hz and at 50 Hz."""
    folder = tmp_path_factory.mktemp("raw")
    write_good(folder)
    for name, rate_hz in ((FAST, 128), (SLOW, 50)):
        wave = 100 * np.sin(2 * np.pi * 10 * np.arange(180 * rate_hz) / rate_hz)
        write(folder / f"{name}.edf", {EEG: wave, EOG: noise(9, rate_hz)}, rate_hz)
    list_records(folder)
    return folder


def test_fault_06_another_rate_is_resampled_in_time_and_the_manifest_says_so(folder, tmp_path):
    entries = to_shard(dataset(folder), folder, tmp_path)
    assert left_out(entries) == {}
    assert entries[FAST]["channels"]["eeg"]["rate_hz"] == 128
    assert entries[FAST]["notes"] == []
    expected = 100 * np.sin(2 * np.pi * 10 * np.arange(3000) / 100)
    first = list(entries).index(FAST) * 6
    window = np.load(tmp_path / "shard" / "eeg.npy")[first + 2]  # 10 Hz fits whole into 30 s
    np.testing.assert_allclose(window, expected, atol=1.0)


def test_fault_06_a_rate_too_low_for_the_windows_is_noted_in_the_summary(folder, tmp_path):
    to_shard(dataset(folder), folder, tmp_path)
    table = to_folds(dataset(folder), tmp_path)
    assert (
        "recorded at 50 Hz, brought up to 100 Hz; holds nothing above 25 Hz"
        in (table.loc[SLOW, "notes"])
    )


def test_fault_06_with_strict_rates_the_record_is_left_out_with_both_rates(folder, tmp_path):
    strict = dataset(folder, strict_rates=True)
    reasons = left_out(to_shard(strict, folder, tmp_path))
    assert set(reasons) == {FAST, SLOW}
    assert (
        "channel 'EEG Fpz-Cz' has another sampling rate - 128 Hz, wanted are 100 Hz - set"
        in (reasons[FAST])
    )
    assert "50 Hz, wanted are 100 Hz" in reasons[SLOW]
    assert to_folds(strict, tmp_path)["status"].value_counts().to_dict() == {
        "used": 7,
        "left_out": 2,
    }
