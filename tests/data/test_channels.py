"""Channels that are not there, or are in a unit of another kind than is wanted."""

import edfio
import numpy as np
import pytest

from physiome.config.data import Dataset, ShardSettings
from physiome.data.cutting.channels import Prepared, _difference
from physiome.data.cutting.cut import cut_windows
from physiome.data.cutting.marks import Marks
from physiome.data.cutting.picking import pick_channels
from physiome.data.formats import open_reader
from physiome.data.recording import RawRecord
from physiome.errors import DataError


def settings(channel, unit):
    plain = {
        "title": "Mine",
        "batches": 1,
        "source": {"kind": "recordings", "folder": "x"},
        "modalities": {"signal": {"channel": channel, "unit": unit}},
        "classes": ["a", "b"],
        "window": {"length_s": 30.0, "rate_hz": 100.0},
        "labels": {"rule": "column", "column": "c", "texts": {"a": "a", "b": "b"}},
    }
    return ShardSettings.parse(
        Dataset.parse(plain).shard_settings() | {"labels": None, "incomplete_windows": "keep"}
    )


def reader(folder, *names, unit="uV"):
    """A minute of each channel, of mean 13."""
    x = np.random.default_rng(0).normal(13, 2, 6000).clip(1, 25)
    edfio.Edf(
        [
            edfio.EdfSignal(x, 100, label=name, physical_dimension=unit, physical_range=(0, 26))
            for name in names
        ]
    ).write(folder / "a.edf")
    return open_reader(folder / "a.edf")


def cut(opened, *wanted):
    return cut_windows(RawRecord("a", "a", str(opened.path)), opened, settings(*wanted))


@pytest.mark.parametrize("wanted", ["EOG horizontal", "EEG Fpz-Cz"])
def test_a_channel_of_another_kind_is_never_suggested(tmp_path, wanted):
    known = reader(tmp_path, "Resp oro-nasal", "EEG Pz-Oz")
    strict = settings(wanted, "uV").model_copy(update={"strict_channels": True})
    with pytest.raises(DataError, match=f"{wanted}.* - known: EEG Pz-Oz, Resp oro-nasal"):
        pick_channels(known, strict)


def test_without_any_wanted_channel_all_there_are_named_once(tmp_path):
    known = reader(tmp_path, "Resp oro-nasal", "EEG Pz-Oz")
    said = r"none of the wanted .* - no channel 'ABP'; known: EEG Pz-Oz, Resp oro-nasal$"
    with pytest.raises(DataError, match=said):
        pick_channels(known, settings("ABP", "mmHg"))


def test_pressure_in_kilopascals_is_converted(tmp_path):
    rows, _, report = cut(reader(tmp_path, "ABP", unit="kPa"), "ABP", "mmHg")
    assert rows["signal"].mean() == pytest.approx(13 * 7.50062, rel=0.01)
    assert not report.notes


def test_a_pressure_is_never_taken_for_a_voltage(tmp_path):
    opened = reader(tmp_path, "ABP", unit="mmHg")
    with pytest.raises(DataError, match=r"'ABP' is in mmHg - uV is wanted - name another"):
        cut(opened, "ABP", "uV")
    assert len(cut(opened, "ABP", "")[0]["signal"]) == 2  # the way out that the message names


def test_faults_of_either_channel_are_faults_of_their_difference():
    nothing = np.zeros(4, bool)
    flat = np.array([[0.0, 2.0]]), np.array([[5.0, 9.0]])
    one, other = (
        Prepared(x, gap, Marks(stuck, clipped, levels), np.array([0, 2]))
        for x, gap, stuck, clipped, levels in (
            (np.arange(4.0), nothing, flat[0], np.array([0.1, 0.0]), 900),
            (np.ones(5), np.array([0, 0, 1, 0, 0], bool), flat[1], np.array([0.0, 0.4]), 3),
        )
    )
    for first, second, sign in ((one, other, 1.0), (other, one, -1.0)):
        found = _difference(first, second)
        np.testing.assert_array_equal(found.samples, sign * (np.arange(4.0) - 1.0))
        assert found.missing.tolist() == [False, False, True, False]
        assert sorted(found.marks.flat.tolist()) == [[0.0, 2.0], [5.0, 9.0]]
        assert found.marks.clipped.tolist() == [0.1, 0.4]
        assert found.marks.levels == 3


def test_a_folder_is_not_a_recording(tmp_path):
    with pytest.raises(DataError, match="a folder, not a recording"):
        open_reader(tmp_path)


def test_channels_that_differ_in_case_are_not_chosen_between(tmp_path):
    known = reader(tmp_path, "ECG", "ecg")
    with pytest.raises(DataError, match=r"several channels could be signal.*'ECG', 'ecg' differ"):
        pick_channels(known, settings("Ecg", "uV"))
    found, _ = pick_channels(known, settings("ecg", "uV"))
    assert found["signal"].name == "ecg"
