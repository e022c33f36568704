"""Channels that a map names, and what is subtracted from them."""

import numpy as np
import pytest
from test_leads import LENGTH_S, RATE_HZ, WINDOWS, settings, write

from physiome.data.cutting.unlabelled import cut_unlabelled, map_keys, parse_map
from physiome.errors import DataError, PhysioError

ONE = settings((), channel="C3", minus="M2")
LISTED = settings([{"channel": "C3", "minus": "M2"}])  # the same, as the one lead of a list
LEADS = settings([{"channel": "F3", "minus": "M2"}, "F4"])


def recording(folder, *names):
    """Writes a file of these channels; their samples (W, L)."""
    rng = np.random.default_rng(0)
    shape = WINDOWS, int(LENGTH_S * RATE_HZ)
    signals = {name: rng.normal(0, 30, shape).clip(-90, 90) for name in names}
    write(folder, [(name, x.ravel()) for name, x in signals.items()])
    return signals


def cut(folder, names, plan, channels):
    """Windows of the EEG and what carries it, of a file of these channels."""
    signals = recording(folder, *names)
    rows, _, report = cut_unlabelled(folder / "a.edf", plan, channels, ["eeg"])
    return rows["eeg"], signals, [c.name for c in report.channels.values()]


@pytest.mark.parametrize("plan", [ONE, LISTED])
def test_another_channel_keeps_what_is_subtracted(tmp_path, plan):
    eeg, x, carriers = cut(tmp_path, ("C4", "M2"), plan, {"eeg": "C4"})
    assert carriers == ["C4 - M2"]
    np.testing.assert_allclose(eeg, x["C4"] - x["M2"], atol=0.02)


@pytest.mark.parametrize("plan", [ONE, LISTED])
def test_another_reference_can_be_named(tmp_path, plan):
    eeg, x, carriers = cut(tmp_path, ("C4", "A1", "M2"), plan, {"eeg": "C4", "eeg/minus": "a1"})
    assert carriers == ["C4 - A1"]
    np.testing.assert_allclose(eeg, x["C4"] - x["A1"], atol=0.02)


def test_nothing_is_subtracted_from_a_channel_that_is_the_difference_already(tmp_path):
    eeg, x, carriers = cut(tmp_path, ("C3-M2", "M2"), ONE, {"eeg": "C3-M2", "eeg/minus": "none"})
    assert carriers == ["C3-M2"]
    np.testing.assert_allclose(eeg, x["C3-M2"], atol=0.01)


def test_a_reference_can_be_added_for_a_lead_that_had_none(tmp_path):
    names = ("F3", "F4", "M1", "M2")
    eeg, x, carriers = cut(tmp_path, names, LEADS, {"eeg/F4/minus": "M1"})
    assert carriers == ["F3 - M2", "F4 - M1"]
    np.testing.assert_allclose(eeg[:, 0], x["F3"] - x["M2"], atol=0.02)
    np.testing.assert_allclose(eeg[:, 1], x["F4"] - x["M1"], atol=0.02)


def test_a_reference_that_is_not_there_is_what_is_lacking(tmp_path):
    recording(tmp_path, "C3-M2")
    says = r"no channel 'M2'; known: C3-M2 - .* its reference with modality/minus=CHANNEL or none"
    with pytest.raises(DataError, match=says):
        cut_unlabelled(tmp_path / "a.edf", ONE, {"eeg": "C3-M2"}, ["eeg"])


def test_only_what_is_subtracted_can_be_none(tmp_path):
    recording(tmp_path, "C3", "M2")
    for key, name in (("eeg", "none"), ("eeg/minus", "A1")):
        with pytest.raises(DataError, match=f"no channel '{name}' for {key}"):
            cut_unlabelled(tmp_path / "a.edf", ONE, {key: name}, ["eeg"])


def test_a_map_names_modalities_leads_and_what_is_subtracted_from_each():
    keys = map_keys(LEADS.modalities)
    assert keys == ["eeg/F3", "eeg/F4", "ecg", "eeg/F3/minus", "eeg/F4/minus", "ecg/minus"]
    assert parse_map(["eeg/F3/minus = none"], keys) == {"eeg/F3/minus": "none"}
    with pytest.raises(PhysioError, match="unknown modality 'eeg/minus'"):
        parse_map(["eeg/minus=none"], keys)
