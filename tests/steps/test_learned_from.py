"""Predicting a recording that the model learned from says so."""

import shutil

import pytest
from tiny_run import METHOD

from physiome.files import read_json
from physiome.predict import asked
from physiome.predict.learned import is_learned, told_of_several


@pytest.fixture
def run(tiny_run, nights, tmp_path):
    """The finished run with its shards, in which fold 1 tests night n4."""
    shutil.copytree(tiny_run, tmp_path / "run")
    shutil.copytree(nights.folder / "shard", tmp_path / "run" / "shards" / "nights" / "batch0")
    return tmp_path / "run"


def predict(run, files, output=None, folder=None, method=METHOD):
    model = asked.ModelFiles(run=run, method=method, fold=1)
    asked.run(files, model, output, folder, [], None, "cpu")


@pytest.mark.slow
def test_a_recording_that_was_learned_from_is_told_from_one_that_was_tested(
    run, nights, tmp_path, capsys
):
    for night, method, seen in (
        ("n4", METHOD, False), ("n1", METHOD, True), ("n0", METHOD, True), ("n0", "majority", False)
    ):  # fmt: skip
        predict(run, [nights.folder / f"{night}-PSG.edf"], tmp_path / "o.csv", method=method)
        assert read_json(tmp_path / "o.json")["learned_from"] is seen
        assert ("learned from this recording" in capsys.readouterr().out) == seen
    files = [nights.folder / f"n{i}-PSG.edf" for i in (0, 1, 4)]
    predict(run, files, folder=tmp_path / "scored")
    assert "warning: 2 of these 3 were learned from" in capsys.readouterr().out


def test_where_nothing_is_known_nothing_is_said(tmp_path):
    assert is_learned(["a"], []) is None
    assert is_learned(["a"], [frozenset({"a", "b"})]) is True
    assert is_learned(["a", "c"], [frozenset({"a", "b"})]) is False
    rows = [{"error": "", "learned_from": None}, {"error": "cut short"}]
    assert told_of_several(rows, tmp_path) == []
