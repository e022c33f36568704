"""Fault 30: Prediction: nothing to predict from, unknown or foreign input.

Refused in one line that names the nearest name, or what each modality lacks; nothing is written. A
window without a usable modality or a head for what it carries has a reason instead of a class.
"""

import json
import subprocess
import sys

import edfio
import numpy as np
import pandas as pd
import pytest

from physiome.errors import PhysioError
from physiome.evaluation.heads_file import load_heads, save_heads
from physiome.predict import score as predict


def given(trained, **changed):
    return {key: trained[key] for key in ("heads", "weights") if key in trained} | changed


def refused(recording, output, **arguments):
    """The one line of the error; nothing may lie at or beside the output."""
    with pytest.raises(PhysioError) as error:
        predict.run(recording, output=output, device="cpu", **arguments)
    assert error.value.exit_code == 2
    assert "\n" not in str(error.value)
    assert list(output.parent.iterdir()) == []
    return str(error.value)


@pytest.fixture
def output(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "o.csv"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"modalities": ""}, "empty subset - name some of fpz, pz, eog"),
        ({"modalities": " , "}, "empty subset - name some of fpz, pz, eog"),
        ({"modalities": "fpz,eoog"}, "unknown modality 'eoog' - did you mean 'eog'?"),
        ({"modalities": "fpz,fpz"}, "a modality is named twice"),
        ({"channels": ["eogg=EOG horizontal"]}, "unknown modality 'eogg' - did you mean 'eog'?"),
        ({"channels": ["eog=EOG horizontl"]}, "no channel 'EOG horizontl' for eog - did you mean"),
        ({"channels": ["EOG horizontal"]}, "not modality=CHANNEL"),
        ({"channels": ["eog="]}, "not modality=CHANNEL"),
        ({"channels": ["eog=a", "eog=b"]}, "eog is mapped twice"),
        ({"channels": ["pz=EEG Fpz-Cz"]}, "channel 'EEG Fpz-Cz' would be both fpz and pz"),
        ({"channels": ["eog=a"], "modalities": "fpz"}, "eog has a --map, but is not used"),
    ],
)
def test_fault_30_what_is_asked_for_does_not_exist(nights, output, arguments, said):
    trained = nights.model("handmade")
    assert said in refused(nights.recording, output, **given(trained), **arguments)


def write_edf(path, seconds, **channels):
    samples = {name: 30 * np.random.default_rng(0).normal(size=seconds * 100) for name in channels}
    samples = {name: x if channels[name] else 0 * x for name, x in samples.items()}
    signals = [
        edfio.EdfSignal(
            x,
            100,
            label=name.replace("_", " "),
            physical_dimension="uV",
            physical_range=(-500, 500),
        )
        for name, x in samples.items()
    ]
    edfio.Edf(signals).write(path)
    return path


def test_fault_30_a_recording_to_predict_nothing_from(nights, tmp_path, output):
    trained = given(nights.model("random"))
    short = write_edf(tmp_path / "short.edf", 10, EOG_horizontal=True)
    said = refused(short, output, **trained)
    assert "recording is shorter than one window - 10 s, a window has 30 s" in said
    foreign = write_edf(tmp_path / "foreign.edf", 60, Fpz=True, Pleth=True)
    said = refused(foreign, output, **trained)
    assert "none of the wanted channels is there" in said
    assert "--map modality=CHANNEL" in said
    flat = write_edf(tmp_path / "flat.edf", 60, EOG_horizontal=False)
    said = refused(flat, output, **trained)
    assert "no window can be scored - 2 windows: no usable modality" in said
    assert "eog flat 2" in said
    cut = tmp_path / "cut.edf"
    cut.write_bytes(nights.recording.read_bytes()[:-5000])
    assert "bytes expected" in refused(cut, output, **trained)
    assert "file is missing" in refused(tmp_path / "none.edf", output, **trained)
    assert "must end in .csv" in refused(nights.recording, output.with_suffix(".txt"), **trained)


def test_fault_30_weights_and_heads_of_different_models(nights, tmp_path, output):
    one, other, third = nights.model("random"), nights.model("random", 1), nights.model("contrawr")
    said = refused(nights.recording, output, **given(one, weights=other["weights"]))
    assert "these are not the weights that the heads were fitted on" in said
    said = refused(nights.recording, output, **given(one, weights=third["weights"]))
    assert "heads and weights do not belong together" in said
    assert "('random', 'nights', 1), weights of ('contrawr', 'nights', 1)" in said
    assert "needs its weights" in refused(nights.recording, output, heads=one["heads"])
    plain = given(nights.model("handmade"), weights=one["weights"])
    assert "handmade (nights, fold 1) has no weights" in refused(nights.recording, output, **plain)
    said = refused(nights.recording, output, **given(one, heads=one["weights"]))
    assert "not a file of heads" in said
    said = refused(nights.recording, output, **given(one, weights=one["heads"]))
    assert "not a weights file of physiome" in said


@pytest.mark.parametrize("damage", ["cut", "empty", "silent"])
def test_fault_30_heads_that_are_damaged_or_do_not_say_whose_they_are(
    nights, tmp_path, output, damage
):
    trained = nights.model("handmade")
    heads = tmp_path / "h.npz"
    if damage == "silent":
        save_heads(heads, load_heads(trained["heads"]), {})
    else:
        whole = trained["heads"].read_bytes()
        heads.write_bytes(whole[: len(whole) // 2 if damage == "cut" else 0])
    said = refused(nights.recording, output, **given(trained, heads=heads))
    expected = "do not say what model" if damage == "silent" else "not a file of heads"
    assert expected in said


def test_fault_30_a_window_without_a_head_has_a_reason_and_no_class(nights, output):
    """Heads of chosen subsets only, and a night whose windows carry others in part."""
    trained = given(nights.model("handmade", subsets=["fpz+pz+eog"]))
    still = nights.altered("part.edf", flat={"EOG horizontal": slice(0, 10 * 3000)})
    predict.run(still, output=output, device="cpu", **trained)
    table = pd.read_csv(output).fillna({"reason": ""})
    reason = "no head for fpz+pz; there are fpz+pz+eog"
    assert table["reason"].tolist() == [reason] * 10 + [""] * 14
    assert table["class"].isna().tolist() == [True] * 10 + [False] * 14
    assert table.filter(like="p_").isna().all(axis=1).tolist() == [True] * 10 + [False] * 14
    assert json.loads(output.with_suffix(".json").read_text())["scored"] == 14


def test_fault_30_a_window_is_scored_from_the_largest_part_that_has_a_head(nights, output, capsys):
    trained = given(nights.model("handmade", subsets=["fpz+pz+eog", "fpz", "fpz+eog"]))
    still = nights.altered("part.edf", flat={"EOG horizontal": slice(0, 10 * 3000)})
    predict.run(still, output=output, device="cpu", **trained)
    table = pd.read_csv(output)
    assert table["subset"].tolist() == ["fpz"] * 10 + ["fpz+pz+eog"] * 14
    assert "not used: 10 windows of pz: no head for fpz+pz" in capsys.readouterr().out
    assert table["reason"].isna().all()
    assert "pz: no head for fpz+pz" in table["missing"][0]
    assert table["class"].notna().all()


def test_fault_30_no_window_has_a_head(nights, output):
    trained = given(nights.model("handmade", subsets=["fpz+pz+eog"]))
    said = refused(nights.recording, output, **trained, modalities="fpz")
    assert "no window can be scored - 24 windows: no head for fpz; there are fpz+pz+eog" in said


def test_fault_30_ends_with_exit_code_2_and_one_line(nights, tmp_path, output):
    short = write_edf(tmp_path / "short.edf", 10, EOG_horizontal=True)
    heads = nights.model("handmade")["heads"]
    command = ["physiome", "predict", short, "--heads", heads, "--output", output]
    said = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True)
    assert (said.returncode, said.stdout) == (2, "")
    (line,) = said.stderr.splitlines()
    assert line.startswith("physiome: error: ")
    assert not output.exists()
