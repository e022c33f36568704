"""Fault 9: Gaps, flat line, clipping.

The window loses the modality, counted as `gap`, `flat`, `clipped`, `jump` or `outside`; stored as
NaN, never as zeros; windows are dropped by `incomplete_windows`.
"""

import numpy as np
import pytest
import wfdb
from nights import to_folds, to_shard
from waves import EEG, EOG, dataset, list_records, noise, write_good

from physiome.data.store.shards import read_windows

BAD, EMPTY = "bad", "empty"
LOST = {0: "gap", 1: "flat", 2: "clipped", 3: "outside", 4: "jump"}  # window -> reason
JUMP_UV = 300.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Seven sound recordings, one with five faulty windows, one with no sample at all."""
    folder = tmp_path_factory.mktemp("raw")
    write_good(folder)
    x = np.concatenate([noise(1), noise(2)[:3000]])  # seven windows
    x[1000:1300] = np.nan  # 3 s
    x[4000:4600] = 7.0  # 6 s; longer than max_flat_s
    x[6000:9000] = (4 * x[6000:9000]).clip(-150, 150)  # saturated every few samples
    x[6500:6700] = 150.0
    x[9000:9200] += 1500.0
    x[9200:12000] += np.linspace(1500, 0, 2800)
    x[13_000:15_000] += 600.0  # a step up, and slowly back
    x[15_000:18_000] += np.linspace(600, 0, 3000)
    x[20_000:20_050] = np.nan  # half a second is interpolated
    save(folder, BAD, x)
    save(folder, EMPTY, np.full(18_000, np.nan))
    list_records(folder)
    return folder


def save(folder, name, eeg):
    """A WFDB record, which unlike EDF can say that samples are missing."""
    eog = np.resize(noise(3), len(eeg))
    wfdb.wrsamp(
        name,
        fs=100,
        units=["uV", "uV"],
        sig_name=[EEG, EOG],
        fmt=["32", "16"],
        p_signal=np.stack([eeg, eog], axis=1),
        adc_gain=[1000.0, 100.0],
        baseline=[0, 0],
        write_dir=str(folder),
    )


def strict(folder):
    """The modality asks for jumps, too."""
    plain = dataset(folder)
    eeg = plain.modalities["eeg"].model_copy(update={"max_jump": JUMP_UV})
    return plain.model_copy(update={"modalities": plain.modalities | {"eeg": eeg}})


def test_fault_09_each_bad_window_loses_the_modality_under_its_reason(folder, tmp_path):
    entries = to_shard(strict(folder), folder, tmp_path)
    lost = entries[BAD]["lost"]["eeg"]
    assert {reason: n for reason, n in lost.items() if n} == dict.fromkeys(LOST.values(), 1)
    windows = read_windows([tmp_path / "shard"]).query(f"record == '{BAD}'")
    assert np.flatnonzero(~windows["has_eeg"]).tolist() == list(LOST)
    assert windows["has_eog"].all()
    assert entries["r0"]["lost"]["eeg"] == dict.fromkeys(lost, 0)


def test_fault_09_lost_windows_are_stored_as_nan_and_never_as_zeros(folder, tmp_path):
    to_shard(strict(folder), folder, tmp_path)
    windows = read_windows([tmp_path / "shard"])
    stored = np.load(tmp_path / "shard" / "eeg.npy")
    has = windows["has_eeg"].to_numpy()
    assert np.isnan(stored[~has]).all()
    assert np.isfinite(stored[has]).all()
    assert (np.abs(stored[has]).max(axis=1) > 50).all()


def test_fault_09_a_channel_without_a_sample_is_all_gap(folder, tmp_path):
    entries = to_shard(dataset(folder), folder, tmp_path)
    assert entries[EMPTY]["lost"]["eeg"]["gap"] == 6
    assert entries[EMPTY]["status"] == "used"  # its other channel is


def test_fault_09_windows_are_dropped_by_rule_and_the_summary_counts_them(folder, tmp_path):
    drop = strict(folder).model_copy(update={"incomplete_windows": "drop"})
    to_shard(drop, folder, tmp_path)
    windows = read_windows([tmp_path / "shard"])
    assert windows.query(f"record == '{BAD}'")["number"].tolist() == [5, 6]
    table = to_folds(drop, tmp_path)
    assert table.loc[BAD, "dropped_windows"] == "incomplete: 5"
    for reason in LOST.values():
        assert f"eeg {reason}: 1" in table.loc[BAD, "lost_windows"]
    assert table.loc[EMPTY, "status"] == "left_out"
    assert "eeg 6 gap" in table.loc[EMPTY, "reason"]
