"""The step `folds`, and the steps that read what it wrote."""

import json

import numpy as np
import pandas as pd
import pytest

from physiome.config.folds import FoldSpec
from physiome.data.folds.fold_windows import open_fold
from physiome.data.store.shards import window_columns, write_shard
from physiome.errors import DataError
from physiome.files import canonical_json, write_json
from physiome.steps import embed, folds, pretrain, train

TRAINING = {"epochs": 1, "batch": 4, "learning_rate": 1.0e-3}
MODEL = {
    "dataset": "d",
    "modalities": ["a"],
    "window": {"length_s": 1.0, "rate_hz": 20.0},
    "encoder": {"name": "neuronet", "frame_s": 0.5, "step_s": 0.5},
}


def shard(folder, subjects, left_out=()):
    """A shard with a record of 4 windows per subject, and some records that could not be used."""
    parts = []
    for subject in subjects:
        part = pd.DataFrame({name: [0] * 4 for name in window_columns({"a": (20,)})})
        part["record"], part["subject"] = f"{subject}-1", subject
        part["number"], part["label"], part["has_a"] = range(4), [0, 1, -1, 0], True
        parts.append(part)
    with write_shard(folder, {"a": (20,)}, {"settings_digest": "same"}) as writer:
        for part in parts:
            writer.add({"a": np.zeros((4, 20))}, part)
            record, subject = part.loc[0, ["record", "subject"]]
            entry = {
                "record": record,
                "subject": subject,
                "windows": 4,
                "lost": {"a": {"flat": 2, "gap": 0}},
            }
            writer.note({**entry, "status": "used", "reason": ""})
        for record in left_out:
            writer.note({"record": record, "subject": "x", "status": "left_out", "reason": "cut"})
    return folder


def settings(max_left_out=0.5, classes=("p", "q"), **changes):
    spec = FoldSpec(**{"count": 3, **changes}).plain()
    return canonical_json({"folds": spec, "classes": classes, "max_left_out": max_left_out})


@pytest.fixture
def shards(tmp_path):
    first = shard(tmp_path / "batch0", [f"s{i}" for i in range(0, 12, 2)], left_out=["r-bad"])
    second = shard(tmp_path / "batch1", [f"s{i}" for i in range(1, 12, 2)])
    return [first, second]


@pytest.fixture
def paths(tmp_path):
    return tmp_path / "folds.json", tmp_path / "records.csv"


def test_every_record_is_accounted_for(shards, paths):
    folds.run(settings(), shards, *paths)
    records = pd.read_csv(paths[1])
    assert len(records) == 13
    assert records["record"].is_monotonic_increasing
    assert records["status"].value_counts().to_dict() == {"used": 12, "left_out": 1}
    assert records.set_index("record").loc["r-bad", "reason"] == "cut"
    assert set(records.query("status == 'used'")["lost_windows"]) == {"a flat: 2"}


def test_the_file_states_what_was_divided(shards, paths):
    folds.run(settings(), shards, *paths)
    content = json.loads(paths[0].read_text(encoding="utf-8"))
    assert content["windows"] == 48
    assert content["classes"] == {"none": 12, "p": 24, "q": 12}
    assert content["settings"]["folds"]["count"] == 3
    assert len(content["folds"]) == 3


def test_the_order_of_shards_changes_nothing(shards, paths, tmp_path):
    folds.run(settings(), shards, *paths)
    folds.run(settings(), shards[::-1], tmp_path / "again.json", tmp_path / "again.csv")
    assert (tmp_path / "again.json").read_bytes() == paths[0].read_bytes()
    assert (tmp_path / "again.csv").read_bytes() == paths[1].read_bytes()


def test_a_record_of_two_batches_is_refused_with_both(tmp_path, paths):
    """Its windows would be seen twice."""
    folders = [
        shard(tmp_path / "batch0", [f"s{i}" for i in range(12)]),
        shard(tmp_path / "batch1", ["s13", "s7"]),
    ]
    with pytest.raises(DataError) as caught:
        folds.run(settings(), folders, *paths)
    said = str(caught.value)
    assert "batch1: record 's7-1' is there twice" in said
    assert "batch0 holds it, too" in said
    assert "--forcerun fetch" in said
    assert not paths[0].exists()
    assert not paths[1].exists()


def test_too_many_unusable_records_stop_with_the_reason_and_leave_the_list(shards, paths):
    with pytest.raises(DataError, match=r"1 of 13 records.*0\.05.*cut"):
        folds.run(settings(max_left_out=0.05), shards, *paths)
    assert paths[1].exists()
    assert not paths[0].exists()


def test_too_few_subjects_leave_no_folds_file(shards, paths):
    with pytest.raises(DataError, match="too few"):
        folds.run(settings(count=11), shards, *paths)
    assert not paths[0].exists()


def test_a_class_without_windows_leaves_no_folds_file(shards, paths):
    with pytest.raises(DataError, match=r"fold 1, labelled: no subjects with class 'r' \(0 in all"):
        folds.run(settings(classes=("p", "q", "r")), shards, *paths)
    assert not paths[0].exists()


def test_what_is_short_is_noted_in_the_file_and_the_log(shards, paths, caplog):
    classes = ("p", "q", "r")
    folds.run(settings(classes=classes, allow_missing_classes=True), shards, *paths)
    notes = json.loads(paths[0].read_text(encoding="utf-8"))["notes"]
    assert notes == [
        f"fold {fold}, {role}: no subjects with class 'r' (0 in all)"
        for fold in (1, 2, 3)
        for role in ("labelled", "test")
    ]
    assert all(note in caplog.text for note in notes)
    folds.run(settings(), shards, *paths)
    assert json.loads(paths[0].read_text(encoding="utf-8"))["notes"] == []


def spoilt(shards, paths):
    """The folds file with one test subject of fold 2 put among its train subjects as well."""
    folds.run(settings(), shards, *paths)
    content = json.loads(paths[0].read_text(encoding="utf-8"))
    content["folds"][1]["train"].append(content["folds"][1]["test"][0])
    write_json(paths[0], content)
    return paths[0]


def steps(shards, path, output):
    """Each step that reads folds, on fold 1."""
    trained = canonical_json(
        {**MODEL, "name": "handmade", "base": "handmade", "method": {}, "train": TRAINING}
    )
    embedded = {
        **MODEL,
        "name": "handmade",
        "base": "handmade",
        "method": {},
        "classes": ["p", "q"],
        "batch": 4,
    }
    return {
        "pretrain": lambda: pretrain.run(
            canonical_json({**MODEL, "pretrain": TRAINING}), shards, path, 1, "a", output
        ),
        "train": lambda: train.run(trained, shards, path, 1, [], output),
        "embed": lambda: embed.run(canonical_json(embedded), shards, path, 1, output),
        "open_fold": lambda: open_fold(shards, ["a"], path, 1),
    }


@pytest.mark.parametrize("step", ["pretrain", "train", "embed", "open_fold"])
def test_every_later_step_refuses_a_subject_with_two_roles(shards, paths, tmp_path, step):
    path = spoilt(shards, paths)
    with pytest.raises(DataError, match="is in both train and test"):
        steps(shards, path, tmp_path / "out" / "x.npy")[step]()
    assert not (tmp_path / "out").exists()


def test_folds_of_other_shards_are_refused(shards, paths):
    folds.run(settings(), shards, *paths)
    with pytest.raises(DataError, match="has no windows in the shards"):
        open_fold(shards[:1], ["a"], paths[0], 1)


def test_the_roles_of_windows_are_those_of_their_subjects(shards, paths):
    folds.run(settings(), shards, *paths)
    store, roles = open_fold(shards, ["a"], paths[0], 2)
    content = json.loads(paths[0].read_text(encoding="utf-8"))["folds"][1]
    for role in ("pretrain", "train", "test"):
        assert sorted(set(store.table["subject"][roles == role])) == content[role]
