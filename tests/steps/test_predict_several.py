"""Many recordings at once, into files that other programs open."""

import datetime
import shutil
from types import SimpleNamespace

import edfio
import mne
import numpy as np
import pandas as pd
import pytest
from trained_nights import CLASSES

from physiome.errors import PhysioError
from physiome.evaluation.heads_file import load_facts, load_heads, save_heads
from physiome.files import read_json
from physiome.predict import asked, score, several
from physiome.predict.members import Pair, joint
from physiome.predict.output.annotations import edf_moment, runs, write_annotations
from physiome.predict.output.picture import picture
from physiome.predict.rescale import rescaled
from physiome.predict.score import Models
from physiome.predict.trained import open_trained

NIGHT = "n4-PSG"


def scored(nights, folder, *paths, name="handmade", **more):
    model = nights.model(name)
    models = Models((Pair(model["heads"], model.get("weights")),))
    several.run(list(paths), folder, models, device="cpu", **more)
    return pd.read_csv(folder / "summary.csv", keep_default_na=False).set_index("recording")


def test_each_recording_has_a_table_annotations_a_picture_and_a_row(nights, tmp_path, capsys):
    lacking = nights.altered("lacking.edf", drop="EOG horizontal")
    rows = scored(nights, tmp_path / "new" / "out", nights.recording, lacking)
    names = {path.name for path in (tmp_path / "new" / "out").iterdir()}
    kinds = (".csv", ".json", ".annotations.edf", ".png")
    assert names == {f"{n}{kind}" for n in (NIGHT, "lacking") for kind in kinds} | {"summary.csv"}
    assert rows["subsets"].tolist() == ["fpz+pz+eog 24", "fpz+pz 24"]
    assert rows["error"].tolist() == ["", ""]
    table = pd.read_csv(tmp_path / "new" / "out" / f"{NIGHT}.csv")
    for name in CLASSES:
        counted = (table["class"] == name).sum()
        assert int(rows.loc[str(nights.recording), f"windows_{name}"]) == counted
    picture = (tmp_path / "new" / "out" / f"{NIGHT}.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 10_000
    assert "[2/2] lacking.edf: 24 of 24 windows" in capsys.readouterr().out


def test_no_recording_is_written_over(nights, tmp_path):
    """A table has the name of its recording: beside it, it would take its place."""
    columns = {"EEG Fpz-Cz": np.zeros(3000), "EEG Pz-Oz": np.zeros(3000)}
    recording = tmp_path / "night.csv"
    pd.DataFrame(columns).to_csv(recording, index=False)
    beside = recording.with_suffix(".json")
    beside.write_text('{"SamplingFrequency": 100}')
    before = recording.read_bytes(), beside.read_bytes()
    with pytest.raises(PhysioError, match=r"over a recording .* file of .*night.csv"):
        scored(nights, tmp_path, recording)
    linked = tmp_path / "out" / "night.json"
    linked.parent.mkdir()
    linked.hardlink_to(beside)
    with pytest.raises(PhysioError, match=r"out/night.json.*file of .*night.csv"):
        scored(nights, tmp_path / "out", recording)
    model = nights.model("handmade")
    for output in (recording, tmp_path / "elsewhere" / ".." / "night.csv"):
        (tmp_path / "elsewhere").mkdir(exist_ok=True)
        with pytest.raises(PhysioError, match="over a recording"):
            score.run(recording, model["heads"], output, device="cpu")
    assert (recording.read_bytes(), beside.read_bytes()) == before
    with pytest.raises(PhysioError, match="as the summary of all"):
        scored(nights, tmp_path / "new", nights.altered("summary.edf"))


@pytest.mark.parametrize(
    ("year", "said"), [(1915, False), (1985, True), (2084, True), (2124, False)]
)
def test_a_date_that_edf_cannot_say_is_left_out(tmp_path, year, said):
    start = datetime.datetime(year, 6, 1, 22, tzinfo=datetime.UTC).timestamp()
    write_annotations(tmp_path / "a.edf", CLASSES, ["W"], 30.0, start)
    written = edfio.read_edf(tmp_path / "a.edf")
    assert written.annotations[0].text == "Sleep stage W"
    assert (written.starttime.hour == 22) == said


@pytest.mark.parametrize("start", [1.7e12, -1e14, 1e30])  # the first as milliseconds would be
def test_a_start_that_no_calendar_knows_is_left_out(start):
    assert edf_moment(start) is None


def test_annotations_open_in_mne_and_hold_the_table(nights, tmp_path):
    scored(nights, tmp_path, nights.recording)
    found = mne.read_annotations(tmp_path / f"{NIGHT}.annotations.edf")
    expanded = [t for t, s in zip(found.description, found.duration, strict=True)
                for _ in range(round(s / 30))]  # fmt: skip
    said = pd.read_csv(tmp_path / f"{NIGHT}.csv")["class"]
    texts = {name: f"Sleep stage {name}" for name in CLASSES} | {"REM": "Sleep stage R"}
    assert expanded == said.map(texts).tolist()
    assert np.diff(found.onset) == pytest.approx(found.duration[:-1])
    written, night = (
        edfio.read_edf(p) for p in (tmp_path / f"{NIGHT}.annotations.edf", nights.recording)
    )
    assert (written.startdate, written.starttime) == (night.startdate, night.starttime)


def test_runs_cover_all_windows_once():
    said = ["W", "W", "", "N1", "N1", "N1", "W"]
    found = list(runs(said))
    assert found == [("W", 0, 2), ("", 2, 1), ("N1", 3, 3), ("W", 6, 1)]
    assert list(runs([])) == []


def test_one_bad_recording_does_not_keep_the_others_from_being_scored(nights, tmp_path, capsys):
    folder = tmp_path / "in"
    folder.mkdir()
    whole = nights.recording.read_bytes()
    (folder / "a-cut.edf").write_bytes(whole[: len(whole) // 2])
    shutil.copy(nights.recording, folder / "b-whole.edf")
    shutil.copy(nights.folder / "n4-Hypnogram.edf", folder)  # no signals: not a recording to score
    with pytest.raises(PhysioError, match=r"summary.csv: 1 of 2 recordings .* - a-cut.edf: "):
        scored(nights, tmp_path / "out", folder)
    rows = pd.read_csv(tmp_path / "out" / "summary.csv", keep_default_na=False)
    assert rows["error"].ne("").tolist() == [True, False]
    assert [value.isdigit() for value in rows["windows"]] == [False, True]  # it was 12.0
    assert (tmp_path / "out" / "b-whole.csv").exists()
    assert not (tmp_path / "out" / "a-cut.csv").exists()
    assert "1 file without signals left out" in capsys.readouterr().out


def test_two_recordings_of_one_name_are_refused_before_any_is_scored(nights, tmp_path):
    twin = nights.altered(f"elsewhere/{NIGHT}.edf")
    with pytest.raises(PhysioError, match=f"2 recordings would be written as {NIGHT}.csv"):
        scored(nights, tmp_path / "out", nights.recording, twin)
    assert not (tmp_path / "out").exists()


def test_amplitudes_that_training_never_met_are_warned_of(nights, tmp_path, capsys):
    loud = nights.altered("loud.edf", gains={"EEG Fpz-Cz": 8.0})
    rows = scored(nights, tmp_path, nights.recording, loud)
    usual, warned = rows["warnings"]
    assert usual == ""
    assert warned.startswith("fpz is unlike training: sd ")
    assert " uV in the middle window" in warned
    assert "warning: fpz is unlike training" in capsys.readouterr().out
    assert read_json(tmp_path / "loud.json")["unlike_training"] == [warned]


def test_a_scaled_recording_is_scored_the_same_whatever_its_amplifiers_gain(nights, tmp_path):
    loud = nights.altered("loud.edf", gains={"EEG Fpz-Cz": 8.0})
    rows = scored(nights, tmp_path, nights.recording, loud, rescale="fpz,pz")
    assert rows["warnings"].tolist() == ["", ""]
    p = [f"p_{name}" for name in CLASSES]
    plain, louder = (pd.read_csv(tmp_path / f"{name}.csv")[p] for name in (NIGHT, "loud"))
    np.testing.assert_allclose(louder, plain, atol=0.01)  # but for the digits of the file
    factors = [read_json(tmp_path / f"{name}.json")["rescaled"] for name in (NIGHT, "loud")]
    assert set(factors[0]) == {"fpz", "pz"}
    assert factors[0]["fpz"] / factors[1]["fpz"] == pytest.approx(8.0, rel=1e-3)
    with pytest.raises(PhysioError, match="unknown modality"):
        scored(nights, tmp_path, nights.recording, rescale="fpzz")


def test_scaling_is_about_the_mean_of_what_is_carried_by_the_middle_of_its_spreads():
    rows = 50.0 + np.random.default_rng(0).normal(size=(4, 2, 8)).astype(np.float32)
    before, carried = rows.copy(), [0, 1, 3]
    rows[2] = 1e6  # what is lost may be anything
    windows = pd.DataFrame(
        {"has_a": [True, True, False, True], "var_a": [100.0, 4.0, np.nan, 1.0], "has_b": True}
    )
    trained = SimpleNamespace(spreads={"a": [0.0, 6.0, 99.0]})
    found, told, factors = rescaled(trained, {"a": rows, "b": before}, windows, ("a",))
    assert factors == {"a": 3.0}
    mean = before[carried].mean()
    np.testing.assert_allclose(found["a"][carried], mean + 3 * (before[carried] - mean), rtol=1e-5)
    assert told["var_a"].iloc[carried].tolist() == [900.0, 36.0, 9.0]
    assert found["b"] is before
    assert windows["var_a"].iloc[0] == 100.0


def test_what_is_not_there_to_be_scaled_is_named(nights, tmp_path, capsys):
    models = Models((Pair(nights.model("handmade")["heads"], None),))
    lacking = nights.altered("lacking.edf", drop="EOG horizontal")
    output = tmp_path / "lacking.csv"
    score.run_models(lacking, models, output, device="cpu", rescale="all")
    said = capsys.readouterr().out
    assert "scaled as in training: fpz by 1" in said
    assert "not scaled: eog, of which nothing that varies is seen, here or in training" in said
    assert read_json(output.with_suffix(".json"))["not_rescaled"] == ["eog"]


def test_what_training_never_saw_is_not_scaled_and_no_older_version(nights, tmp_path, capsys):
    """`--rescale all` was refused where a modality was missing throughout training."""
    known, heads = nights.model("handmade")["heads"], tmp_path / "h.npz"
    facts = load_facts(known)
    spreads = {m: ends for m, ends in facts["spreads"].items() if m != "eog"}
    save_heads(heads, load_heads(known), facts | {"spreads": spreads})
    models, output = Models((Pair(heads, None),)), tmp_path / "o.csv"
    score.run_models(nights.recording, models, output, device="cpu", rescale="all")
    assert read_json(output.with_suffix(".json"))["not_rescaled"] == ["eog"]
    assert "not scaled: eog, of which nothing" in capsys.readouterr().out
    both = joint([open_trained(heads), open_trained(known)])  # another fold has seen some
    assert both.spreads["eog"] == facts["spreads"]["eog"]
    save_heads(heads, load_heads(known), {k: v for k, v in facts.items() if k != "spreads"})
    with pytest.raises(PhysioError, match=r"no scale of fpz, pz, eog is known - .* older version"):
        score.run_models(nights.recording, models, output, device="cpu", rescale="all")


@pytest.fixture
def finished(nights, tmp_path):
    """A results folder with heads of a network and of a control, in two data sets."""
    for dataset, fold, name in (("nights", 2, "random"), ("nights", 3, "random"),
                                ("nights", 2, "handmade"), ("cases", 1, "handmade")):  # fmt: skip
        model = nights.model(name)
        for kind, key, suffix in (("scores", "heads", "heads.npz"),
                                  ("models", "weights", "safetensors")):  # fmt: skip
            if key in model:
                path = tmp_path / "run" / kind / dataset / f"fold{fold}" / f"{name}.{suffix}"
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(model[key], path)
    return tmp_path / "run"


def pairs(*given, **more):
    with asked.ModelFiles(*given, **more).opened() as models:
        return models.pairs


def test_a_run_knows_where_its_heads_and_weights_are(finished):
    ((heads, weights),) = pairs(finished, "nights", "random")
    assert heads == finished / "scores/nights/fold2/random.heads.npz"
    assert weights == finished / "models/nights/fold2/random.safetensors"
    ((heads, weights),) = pairs(finished, "nights", "random", 3)
    assert heads.parent.name == weights.parent.name == "fold3"
    ((heads, weights),) = pairs(finished, "cases", "handmade")
    assert weights is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "several data sets - add --dataset cases or nights"),
        ({"dataset": "night"}, "no data set 'night' - did you mean 'nights'"),
        ({"dataset": "nights"}, "no method 'physiome'.*known: handmade, random"),
        (
            {"dataset": "nights", "method": "random", "fold": 1},
            "no fold 1 of random - folds.* 2, 3",
        ),
        ({"heads": "h.npz"}, "which model"),
        ({"weights": "w.safetensors"}, "--weights goes with --heads"),
    ],
)
def test_a_model_that_is_not_there_is_named_with_what_is(finished, given, said):
    with pytest.raises(PhysioError, match=said):
        pairs(finished, **given)


def test_what_cannot_be_asked_is_said(finished, nights, tmp_path):
    model = asked.ModelFiles(finished, "nights", "handmade")
    with pytest.raises(PhysioError, match="written where"):
        asked.run([nights.recording], model, None, None, [], None, "cpu")
    with pytest.raises(PhysioError, match="--output is for one recording"):
        asked.run([nights.folder], model, tmp_path / "o.csv", None, [], None, "cpu")
    with pytest.raises(PhysioError, match="no fitted heads"):
        pairs(tmp_path / "none")
    with pytest.raises(PhysioError, match="go with --run"):
        pairs(None, "nights", heads=tmp_path / "h.npz")
    with pytest.raises(PhysioError, match="no device 'gpu' - give auto, cpu or cuda"):
        asked.run([nights.recording], model, tmp_path / "o.csv", None, [], None, "gpu")
    asked.run([nights.recording], model, tmp_path / "o.csv", None, [], None, "cpu")
    assert read_json(tmp_path / "o.json")["sleep"]["time_in_bed_min"] == 12.0


def test_a_long_name_leaves_the_picture_its_width():
    table = pd.DataFrame({"onset_s": [0.0, 30.0], "class": "no", "subset": "eeg"})
    table = table.assign(p_no=1.0, p_yes=0.0)
    figure = picture(table, ("no", "yes"), ["eeg"], 30.0, f"{'n' * 181}.edf, physiome (fold 1)")
    figure.draw_without_rendering()
    assert figure.axes[0].get_position().width > 0.7


@pytest.mark.parametrize(
    ("classes", "rows", "levels"),
    [
        (("W", "N1", "N2", "N3", "REM"), ["W", "REM", "N1", "N2", "N3"], [0.0, 3.0, 1.0]),
        (("W", "N2", "REM"), ["W", "N2", "REM"], [0.0, 1.0, 2.0]),
    ],
)
def test_a_hypnogram_has_rem_below_wake(classes, rows, levels):
    said = ["W", "N2", "REM"]
    table = pd.DataFrame({"onset_s": [0.0, 30.0, 60.0], "class": said, "subset": "eeg"})
    table = table.assign(**{f"p_{name}": 1 / len(classes) for name in classes})
    stage = picture(table, classes, ["eeg"], 30.0, "a night").axes[0]
    assert [text.get_text() for text in stage.get_yticklabels()] == rows
    assert stage.patches[0].get_data().values.tolist() == levels


def test_what_was_written_before_is_no_recording(nights, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(nights.recording, folder / "n.edf")
    model = nights.model("handmade")
    score.run(folder / "n.edf", model["heads"], folder / "n.csv", device="cpu")
    for _ in range(2):
        rows = scored(nights, folder / "scored", folder)
        assert rows.index.tolist() == [str(folder / "n.edf")]
