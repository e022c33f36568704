"""A modality is one channel or several leads, and says so in one way only."""

import pytest

from physiome.config.modality import Modality, carriers
from physiome.errors import ConfigError


def parse(**plain):
    return Modality.parse(plain, "eeg")


def test_leads_are_named_by_their_channels_in_order():
    eeg = parse(channels=["F4", {"channel": "F3", "aliases": ["EEG F3"], "minus": "M2"}])
    assert eeg.lead_names == ("F4", "F3")
    assert [lead.names for lead in eeg.leads] == [("F4",), ("F3", "EEG F3")]
    assert eeg.leads[1].minus == "M2"


@pytest.mark.parametrize("one", [{"channel": "F3"}, {"channels": ["F3"]}])
def test_a_single_lead_has_no_axis_of_leads(one):
    assert parse(**one).lead_names == ()
    assert carriers({"eeg": parse(**one)}).keys() == {"eeg"}


@pytest.mark.parametrize(
    ("plain", "said"),
    [
        ({}, "either channel or channels"),
        ({"channel": "F3", "channels": ["F4"]}, "either channel or channels"),
        ({"channels": []}, "either channel or channels"),
        ({"channels": ["F3", "F4"], "aliases": ["C3"]}, "belong to each lead"),
        ({"channels": ["F3", "F4"], "minus": "M2"}, "belong to each lead"),
        ({"channels": ["F3", "F3"]}, "'F3' is named twice"),
        ({"channels": ["F3", {"channel": "F4", "aliases": ["F3"]}]}, "'F3' is named twice"),
        ({"channels": ["F3", {"channel": "C3", "name": "F3"}]}, "lead 'F3' is named twice"),
        ({"channel": "F3", "low": 100.0, "high": -100.0}, "above low 100.0 and below high -100.0"),
        ({"channels": ["F3", "F4"], "min_leads": 3}, "min_leads 3 of 2"),
        ({"channel": "F3", "min_leads": 2}, "min_leads 2 of 1"),
        ({"channels": ["F3", "F4", "C3"], "reference": "average"}, "min_leads of at least 3"),
        ({"channels": ["F3", {"chanel": "F4"}]}, "chanel"),
    ],
)
def test_what_cannot_be_meant_is_refused(plain, said):
    with pytest.raises(ConfigError, match=said):
        parse(**plain)


def test_keys_that_only_leads_have_do_not_show_in_the_settings_of_others():
    """What nobody set makes no job of an older configuration run again."""
    plain = parse(channel="F3", unit="uV", title="F3").job_settings()
    assert plain == {
        "channel": "F3", "aliases": [], "unit": "uV", "low": None, "high": None, "min_sd": 0.0,
        "max_jump": None,
    }  # fmt: skip
    several = parse(channels=["F3", "F4"], min_leads=2)
    assert several.job_settings().keys() >= {"channels", "min_leads"}
    assert Modality.parse(several.job_settings()) == several
