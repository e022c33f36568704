import pytest

from physiome.config.modality import Modality
from physiome.data.cutting.channel_kinds import candidates, kind_of
from physiome.data.recording import Channel
from physiome.inspect.propose import merge, propose


def channels(**rates):
    return {name: Channel(name, rate, "", 60.0) for name, rate in rates.items()}


@pytest.mark.parametrize(
    ("kind", "names"),
    {
        "ecg": ["EKG", "ECG II", "II", "SNUADC/ECG_II", "MLII", "V", "ecg1-ecg2 ECG"],
        "eeg": ["Fpz-Cz", "EEG Fpz-Cz", "C3-M2", "O2", "eeg(sec)", "EEG1"],
        "eog": ["EOG horizontal", "E1-M2", "EOG(L)", "EOGl", "EOG2:M1"],
        "emg": ["EMG1", "Chin1-Chin2", "EMG Kinn"],
        "abp": ["ABP", "ART", "SNUADC/ART"],
        "ppg": ["PLETH", "Pleth", "Intellivue/PLETH"],
        None: ["Temp rectal", "Event marker", "SpO2", "NIBP", "C", "F", ""],
    }.items(),
)
def test_names_suggest_kinds(kind, names):
    assert {name: kind_of(name) for name in names} == dict.fromkeys(names, kind)


def test_the_most_alike_and_fastest_channel_comes_first():
    known = channels(V=250, **{"Monitor/ECG_II": 500, "ECG III": 500, "ECG slow": 1})
    assert candidates("SNUADC/ECG_II", known.values()) == ["Monitor/ECG_II", "ECG III", "V"]
    assert candidates("Temp", known.values()) == []


def test_another_electrode_is_not_taken_for_the_wanted_one():
    known = channels(**{"Fpz-Cz": 100, "EEG Pz-Cz": 100})
    assert candidates("EEG Fpz-Cz", known.values()) == ["Fpz-Cz"]
    assert candidates("EEG Pz-Oz", known.values()) == []


def test_every_eeg_and_one_channel_of_other_kinds_are_proposed():
    known = channels(**{"EEG Fpz-Cz": 100, "Pz-Oz": 100, "EKG": 200, "II": 250, "EMG": 1, "X": 9})
    section = propose(known)
    assert {m: s["channel"] for m, s in section.items()} == {
        "eeg_fpz_cz": "EEG Fpz-Cz",
        "eeg_pz_oz": "Pz-Oz",
        "ecg": "II",
    }
    assert section["ecg"]["unit"] == "mV"


def test_many_eeg_channels_are_proposed_as_leads_of_one_modality():
    one = channels(**{"EEG F3": 100, "EEG F4": 100, "EEG Pz": 100, "ECG": 100})
    other = channels(**{"F3": 100, "EEG F4": 100, "EEG Pz": 100, "ECG": 100})
    section = merge([propose(one), propose(one), propose(other)])
    assert list(section) == ["eeg", "ecg"]
    f3 = {"channel": "EEG F3", "aliases": ["F3"]}
    assert section["eeg"]["channels"] == [f3, "EEG F4", "EEG Pz"]
    assert Modality.parse(section["eeg"]).lead_names == ("EEG F3", "EEG F4", "EEG Pz")
    assert list(merge([propose(channels(**{"Fpz-Cz": 100, "Pz-Oz": 100}))])) == [
        "eeg_fpz_cz", "eeg_pz_oz"
    ]  # fmt: skip
