"""Fault 10: Extreme but valid: one window, one class, one record.

One window a record runs; a record shorter than a window is left out with both lengths; too few
subjects or a class too few is an error before training.
"""

import pytest
from nights import left_out, to_folds, to_shard
from waves import EEG, EOG, dataset, list_records, noise, write

from physiome.data.store.shards import read_windows
from physiome.errors import DataError


def write_short(folder, count, seconds=30.0):
    folder.mkdir()
    for i in range(count):
        x = noise(i, minutes=seconds / 60)
        write(folder / f"r{i}.edf", {EEG: x, EOG: x[::-1].copy()})
    list_records(folder)
    return folder


def test_fault_10_records_of_one_window_run_to_the_folds(tmp_path):
    folder = write_short(tmp_path / "raw", 8)
    assert left_out(to_shard(dataset(folder), folder, tmp_path)) == {}
    assert len(read_windows([tmp_path / "shard"])) == 8
    assert to_folds(dataset(folder), tmp_path)["windows"].tolist() == [1] * 8


def test_fault_10_less_than_one_window_says_both_lengths(tmp_path):
    folder = write_short(tmp_path / "raw", 2, seconds=29.0)
    reasons = left_out(to_shard(dataset(folder), folder, tmp_path))
    assert "shorter than one window - 29 s, a window has 30 s" in reasons["r0"]
    with pytest.raises(DataError, match="2 of 2 records cannot be used"):
        to_folds(dataset(folder), tmp_path)
    assert not (tmp_path / "folds.json").exists()


def test_fault_10_one_record_shards_and_the_folds_say_what_they_lack(tmp_path):
    folder = write_short(tmp_path / "raw", 1, seconds=90.0)
    entries = to_shard(dataset(folder), folder, tmp_path)
    assert entries["r0"]["windows"] == 3
    with pytest.raises(DataError, match=r"1 .*subject") as caught:
        to_folds(dataset(folder), tmp_path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "folds.json").exists()


def test_fault_10_one_class_is_refused_before_training_and_named(tmp_path):
    folder = write_short(tmp_path / "raw", 6)
    table = folder / "records.csv"
    table.write_text(table.read_text().replace(",w\n", ",s\n"))
    to_shard(dataset(folder), folder, tmp_path)
    windows = read_windows([tmp_path / "shard"])
    assert (windows["label"] == 0).all()
    with pytest.raises(DataError, match="well"):
        to_folds(dataset(folder), tmp_path)
