import json

from physiome.data.report import Carrier, Report

USED = Report(
    "r",
    "s",
    duration_s=60.0,
    channels={"eeg": Carrier("EEG Fpz-Cz", 100.0, "uV")},
    lost={"eeg": {"flat": 1}},
    notes=["odd"],
    windows=2,
)


def test_a_report_survives_the_manifest():
    assert Report.parse(json.loads(json.dumps(USED.plain()))) == USED
    left_out = Report.left_out("r", "s", "cut")
    assert Report.parse(left_out.plain()) == left_out


def test_a_channel_is_noted_by_name_rate_and_unit():
    channel = {"name": "EEG Fpz-Cz", "rate_hz": 100.0, "unit": "uV"}
    assert USED.plain()["channels"] == {"eeg": channel}


def test_what_was_left_out_says_why_and_nothing_else():
    assert Report.left_out("r", "s", "cut").plain() == {
        "record": "r",
        "subject": "s",
        "status": "left_out",
        "reason": "cut",
        "windows": 0,
    }
