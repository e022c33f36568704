"""Fault 8: Values in V or mV where uV are stated.

Left out with the likely factor and unit; beside a plausible voltage only the one modality is lost,
counted as `scale`; a dead channel is `flat`.
"""

import pytest
from nights import left_out, to_folds, to_shard
from waves import EEG, EOG, dataset, list_records, noise, write, write_good

from physiome.data.store.shards import read_windows

VOLTS, MILLIVOLTS, ONE, DEAD = "volts", "millivolts", "one", "dead"


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Sound recordings; one all in V, one all in mV; beside a sound EOG an EEG in mV, or dead.

    Returns the manifest entries and the folder of the steps' results.
    """
    folder, out = tmp_path_factory.mktemp("raw"), tmp_path_factory.mktemp("out")
    write_good(folder)
    for name, scale in ((VOLTS, 1e-6), (MILLIVOLTS, 1e-3)):
        write(folder / f"{name}.edf", {EEG: noise(5), EOG: noise(6)}, scale=scale)
    write(folder / f"{ONE}.edf", {EEG: noise(5) / 1e3, EOG: noise(6)})
    dead = (noise(5) / 30).round() / 50  # a few steps of a converter
    write(folder / f"{DEAD}.edf", {EEG: dead, EOG: noise(7)})
    list_records(folder)
    return to_shard(dataset(folder), folder, out), out


@pytest.mark.parametrize(
    ("record", "factor", "unit"), [(VOLTS, "1e+06", "V"), (MILLIVOLTS, "1000", "mV")]
)
def test_fault_08_the_record_is_left_out_with_the_likely_factor(done, record, factor, unit):
    reason = left_out(done[0])[record]
    assert reason.startswith(f"{record}: voltages have the wrong scale - values of 'EEG Fpz-Cz'")
    assert f"are plausible after multiplying by {factor}: the unit 'uV' may be wrong" in reason
    assert f"they look like {unit}" in reason
    assert "\n" not in reason


def test_fault_08_no_window_of_them_is_stored_and_the_others_go_on(done):
    entries, out = done
    assert set(left_out(entries)) == {VOLTS, MILLIVOLTS}
    windows = read_windows([out / "shard"])
    assert not windows["record"].isin([VOLTS, MILLIVOLTS]).any()
    for modality in ("eeg", "eog"):
        assert windows[f"var_{modality}"].dropna().between(15**2, 45**2).all()
    table = to_folds(dataset(out), out, allow_missing_classes=True)
    assert table.loc[[VOLTS, MILLIVOLTS], "status"].tolist() == ["left_out"] * 2


def test_fault_08_one_channel_beside_a_sound_one_is_lost_and_counted(done):
    entries, out = done
    assert entries[ONE]["lost"]["eeg"]["scale"] == 6
    assert sum(entries[ONE]["lost"]["eog"].values()) == 0
    table = to_folds(dataset(out), out, allow_missing_classes=True)
    assert "eeg scale: 6" in table.loc[ONE, "lost_windows"]
    assert "plausible after multiplying by 1000" in table.loc[ONE, "notes"]


def test_fault_08_a_dead_channel_is_flat_and_not_in_a_wrong_unit(done):
    entry = done[0][DEAD]
    assert entry["lost"]["eeg"]["flat"] == 6
    assert entry["implausible"] == {}
