"""`physiome init`: a configuration that can be run, or a reason why there is none."""

import shutil
from pathlib import Path

import edfio
import numpy as np
import pandas as pd
import pytest
import yaml

from physiome.config.tree import load_files
from physiome.data.cutting.labels import read_scoring
from physiome.data.formats import read_annotations
from physiome.doctor import plan
from physiome.errors import DataError
from physiome.steps import init

CHANNELS = ("EEG F3", "EEG F4", "EEG Pz", "ECG")


def record(path, channels=CHANNELS, scored=None, moments=(), events=(), lasting=()):
    """A minute of noise; `scored`: texts of ten seconds each; `moments`: texts that do not last;
    `events`: texts of three seconds; `lasting`: of the whole minute.
    """
    rng = np.random.default_rng(0)
    lines = [
        edfio.EdfSignal(
            rng.normal(0, 30, 6000).clip(-190, 190),
            100,
            label=name,
            physical_dimension="uV",
            physical_range=(-200, 200),
        )
        for name in channels
    ]
    notes = [edfio.EdfAnnotation(10 * i, 10, text) for i, text in enumerate(scored or ())]
    notes += [edfio.EdfAnnotation(5, None, text) for text in moments]
    notes += [edfio.EdfAnnotation(8, 3, text) for text in events]
    notes += [edfio.EdfAnnotation(0, 60, text) for text in lasting]
    path.parent.mkdir(parents=True, exist_ok=True)
    edfio.Edf(lines, annotations=notes or None).write(path)


@pytest.fixture
def folder(tmp_path):
    """Six subjects, each at rest and at a task, with a table that says so."""
    folder = tmp_path / "My study 7"
    rows = []
    for subject in range(6):
        for task in ("rest", "task"):
            record(folder / f"s{subject}_{task}.edf")
            rows.append(f"s{subject}_{task},s{subject},{task},{subject}")
    text = "\n".join(["record,subject,task,age", *rows]) + "\n"
    (folder / "records.csv").write_text(text)
    return folder


@pytest.fixture
def shipped(repository, tmp_path, monkeypatch):
    """Where config.yaml lies, as in a clone."""
    shutil.copyfile(repository / "config.yaml", tmp_path / "config.yaml")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "config.yaml"


def test_what_it_writes_is_a_whole_configuration(folder, shipped, tmp_path):
    told = init.run(folder, tmp_path / "mine.yaml")
    config = load_files([shipped, tmp_path / "mine.yaml"])
    assert list(config.used) == ["my_study_7"]
    mine = config.datasets["my_study_7"]
    assert list(mine.modalities) == ["eeg", "ecg"]
    assert mine.modalities["eeg"].lead_names == CHANNELS[:3]
    assert mine.classes == ("rest", "task")
    assert mine.labels.plain() == {
        "rule": "column", "column": "task", "texts": {"rest": "rest", "task": "task"}
    }  # fmt: skip
    assert told[0] == "12 of 12 files read"
    assert "snakemake" in told[-1]
    assert "could be, too: age" in (tmp_path / "mine.yaml").read_text()


def test_what_is_next_is_the_same_in_the_file_and_works_in_the_clone(folder, shipped, tmp_path):
    outside = init.run(folder, Path("one.yaml"))
    assert "Next, in the clone" in outside[-3]
    assert outside[-2].strip() == f"physiome check config.yaml {tmp_path / 'one.yaml'}"
    (tmp_path / "Snakefile").touch()
    inside = init.run(folder, Path("two.yaml"))
    assert inside[-3] == "two.yaml: written. Next:"
    assert inside[-2].strip() == "physiome check config.yaml two.yaml"
    for told, file in ((outside, "one.yaml"), (inside, "two.yaml")):
        written = (tmp_path / file).read_text()
        assert all(f"#   {line.strip()}\n" in written for line in told[-2:])


def test_another_column_can_be_asked_for(folder, shipped, tmp_path):
    init.run(folder, tmp_path / "mine.yaml", label="age")
    found = yaml.safe_load((tmp_path / "mine.yaml").read_text())["datasets"]["my_study_7"]
    assert found["classes"] == ["0", "1", "2", "3", "4", "5"]
    with pytest.raises(DataError, match="'aeg' holds no classes"):
        init.run(folder, tmp_path / "other.yaml", label="aeg")
    assert not (tmp_path / "other.yaml").exists()


def test_nothing_is_overwritten(folder, tmp_path):
    (tmp_path / "mine.yaml").write_text("precious")
    with pytest.raises(DataError, match="is there already"):
        init.run(folder, tmp_path / "mine.yaml")
    assert (tmp_path / "mine.yaml").read_text() == "precious"


def test_without_a_table_of_records_it_says_what_it_would_write_and_does_on_request(
    folder, shipped, tmp_path
):
    (folder / "records.csv").unlink()
    with pytest.raises(DataError, match=r"s0_rest.edf would be that of s0, .* be 6 subjects"):
        init.run(folder, tmp_path / "mine.yaml")
    assert not (folder / "records.csv").exists()
    with pytest.raises(DataError, match="nothing says what to learn"):
        init.run(folder, tmp_path / "mine.yaml", records=True)
    assert not (folder / "records.csv").exists()


def test_two_nights_are_of_one_person_whatever_parts_their_names(folder, shipped, tmp_path):
    (folder / "records.csv").unlink()
    for old in folder.glob("*.edf"):
        old.rename(folder / old.name.replace("_", " "))
    with pytest.raises(DataError, match="there would be 6 subjects"):
        init.run(folder, tmp_path / "mine.yaml")
    for old in folder.glob("*.edf"):
        old.rename(folder / f"Patient {old.name}")
    with pytest.raises(DataError, match="there would be 6 subjects"):
        init.run(folder, tmp_path / "mine.yaml")


def test_a_bids_folder_is_read_with_its_participants(tmp_path, shipped):
    folder = tmp_path / "bids"
    for subject in ("01", "02", "03", "04"):
        record(folder / f"sub-{subject}/eeg/sub-{subject}_task-rest_eeg.edf")
    (folder / "participants.tsv").write_text(
        "participant_id\tgroup\nsub-01\tpatient\nsub-02\tcontrol\nsub-03\tpatient\nsub-04\tcontrol\n"
    )
    told = init.run(folder, tmp_path / "mine.yaml", records=True)
    assert any("look at them" in line for line in told)
    table = pd.read_csv(folder / "records.csv", dtype=str)
    assert table["subject"].tolist() == ["01", "02", "03", "04"]
    assert table["path"][0] == "sub-01/eeg/sub-01_task-rest_eeg.edf"
    mine = load_files([shipped, tmp_path / "mine.yaml"]).datasets["bids"]
    assert mine.classes == ("patient", "control")


def test_annotations_that_last_are_labels(tmp_path, shipped):
    folder = tmp_path / "nights"
    for subject in "abc":
        record(folder / f"{subject}.edf", scored=["W", "W", "N2", "REM"])
    init.run(folder, tmp_path / "mine.yaml", records=True)
    mine = load_files([shipped, tmp_path / "mine.yaml"]).datasets["nights"]
    assert mine.labels.rule == "annotations"
    assert mine.classes == ("W", "N2", "REM")
    assert mine.window.length_s == 30.0


def test_marks_of_a_moment_are_no_classes_and_leave_no_recording_out(tmp_path, shipped):
    folder = tmp_path / "nights"
    for subject in "abc":
        record(folder / f"{subject}.edf", scored=["W", "N2"], moments=["Lights off"])
    init.run(folder, tmp_path / "mine.yaml", records=True)
    labels = load_files([shipped, tmp_path / "mine.yaml"]).datasets["nights"].labels
    read_scoring(read_annotations(folder / "a.edf")[0], labels, ("W", "N2"), 60.0, "a")
    assert labels.unscored == ("Lights off",)


def test_events_within_stages_are_no_classes_and_leave_no_recording_out(tmp_path, shipped):
    folder = tmp_path / "nights"
    for subject in "abc":
        record(folder / f"{subject}.edf", scored=["W", "N2", "W", "N2"], events=["Arousal"])
    told = init.run(folder, tmp_path / "mine.yaml", records=True)
    assert "annotations that are no classes (labels.unscored): Arousal" in told
    mine = load_files([shipped, tmp_path / "mine.yaml"]).datasets["nights"]
    assert mine.classes == ("W", "N2")
    read_scoring(read_annotations(folder / "a.edf")[0], mine.labels, mine.classes, 60.0, "a")


def test_what_goes_on_through_all_stages_is_no_class(tmp_path, shipped):
    record(tmp_path / "nights/a.edf", scored=["W", "N2", "R"], lasting=["Supine"])
    told = init.run(tmp_path / "nights", tmp_path / "mine.yaml", records=True)
    assert "annotations that are no classes (labels.unscored): Supine" in told
    mine = load_files([shipped, tmp_path / "mine.yaml"]).datasets["nights"]
    assert mine.classes == ("W", "N2", "REM")


def test_annotations_without_a_duration_are_named(tmp_path, shipped):
    record(tmp_path / "nights/a.edf", moments=["W", "N2"])
    with pytest.raises(DataError, match=r"last: none of 'N2', 'W'; no column .*labels\.lasts"):
        init.run(tmp_path / "nights", tmp_path / "mine.yaml", records=True)


def test_more_texts_than_can_be_classes_are_named(tmp_path, shipped):
    record(tmp_path / "nights/a.edf", scored=list("ABCDEFGHI"))
    with pytest.raises(DataError, match=r"9 annotation texts last .* 'I' - say in a copy of"):
        init.run(tmp_path / "nights", tmp_path / "mine.yaml", records=True)
    assert not (tmp_path / "nights/records.csv").exists()


def test_stages_have_one_name_each_whatever_their_scorers_call_them(tmp_path, shipped):
    folder = tmp_path / "nights"
    for subject, texts in (
        ("a", "W N1 N2 N3 R"),
        ("b", "Wach S1 S2 S4 REM"),
        ("c", "W S3 Bad REM"),
    ):
        record(folder / f"{subject}.edf", scored=texts.split())
    told = init.run(folder, tmp_path / "mine.yaml", records=True)
    stages = "Wach = W, S1 = N1, S2 = N2, S3 = N3, S4 = N3, R = REM"
    assert f"stages of sleep (labels.texts): {stages}" in told
    mine = load_files([shipped, tmp_path / "mine.yaml"]).datasets["nights"]
    assert mine.classes == ("W", "N1", "N2", "N3", "REM")
    assert mine.labels.unscored == ("Bad",)
    scoring = read_scoring(
        read_annotations(folder / "b.edf")[0], mine.labels, mine.classes, 300, "b"
    )
    assert scoring.classes.tolist() == [0, 1, 2, 3, 4]


def test_nights_and_their_hypnograms_are_one_recording_each(tmp_path, shipped):
    folder = tmp_path / "cassette"
    for night in ("SC4001", "SC4002", "SC4011"):
        record(folder / f"{night}E0-PSG.edf")
        scored = ["Sleep stage W", "Sleep stage 2", "Movement time", "Sleep stage ?"]
        record(folder / f"{night}EC-Hypnogram.edf", channels=(), scored=scored)
    init.run(folder, tmp_path / "mine.yaml", records=True)
    table = pd.read_csv(folder / "records.csv", dtype=str)
    assert table["subject"].tolist() == ["SC400", "SC400", "SC401"]
    assert table["path"].tolist() == [f"SC40{n}E0-PSG.edf" for n in ("01", "02", "11")]
    assert table["annotations"].str.removesuffix("EC-Hypnogram.edf").tolist() == [
        "SC4001", "SC4002", "SC4011",
    ]  # fmt: skip
    written = (tmp_path / "mine.yaml").read_text()
    assert "3 recordings of 2 subjects, 6 windows" in written  # hypnograms last a minute, too
    config = load_files([shipped, tmp_path / "mine.yaml"])
    labels = config.datasets["cassette"].labels
    assert config.datasets["cassette"].classes == ("W", "N2")
    assert labels.unscored == ("Movement time", "Sleep stage ?")
    assert [line.text for line in plan.data(config, "cassette") if line.topic == "labels"] == []


def test_annotations_beside_are_those_of_the_recording_with_the_name(tmp_path, shipped):
    folder = tmp_path / "nights"
    for night in ("Ä 1", "B"):
        record(folder / f"{night}.edf")
    record(folder / "Ä 1_Nacht2.edf", moments=["Recording starts"])  # marks of its own, no stages
    record(folder / "C.edf", moments=["Recording starts"], events=["Apnoea"])
    record(folder / "D.edf", scored=["W", "N2"])
    for name in ("Ä 1_Nacht2_Hypnogramm", "B-scored", "B_events", "C_scored", "D_scored"):
        record(folder / f"{name}.edf", channels=(), scored=["W", "N2"])
    (folder / "Ä 1_cut.edf").write_bytes(b"0")
    (folder / "Ä 1_parts.edf").mkdir()
    init.run(folder, tmp_path / "mine.yaml", records=True)
    table = pd.read_csv(folder / "records.csv", dtype=str).set_index("record")["annotations"]
    beside = {"Ä 1_Nacht2": "Ä 1_Nacht2_Hypnogramm.edf", "C": "C_scored.edf"}
    assert table.dropna().to_dict() == beside  # B has two, D stages of its own


def test_a_folder_without_recordings_says_so(tmp_path):
    record(tmp_path / "scored/a-Hypnogram.edf", channels=(), scored=["W", "N2"])
    with pytest.raises(DataError, match="no recording has signals - all 1 that were read hold"):
        init.run(tmp_path / "scored", tmp_path / "mine.yaml", records=True)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no recording can be read"):
        init.run(tmp_path / "empty", tmp_path / "mine.yaml")
    with pytest.raises(DataError, match="folder is not there"):
        init.run(tmp_path / "nowhere", tmp_path / "mine.yaml")
