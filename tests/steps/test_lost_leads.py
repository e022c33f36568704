"""Leads lost at test time: scored by what is left, counted over the same windows, drawn."""

import json
from itertools import pairwise
from types import SimpleNamespace

import edfio
import numpy as np
import pandas as pd
import pytest
import torch
from trained_nights import DATASET, ROLES, Nights

from physiome.errors import DataError
from physiome.evaluation import lost_leads as scored
from physiome.evaluation.heads import LinearHead
from physiome.evaluation.heads_file import load_facts, save_heads
from physiome.evaluation.lost_leads import COLUMNS, by_leads, numbers_left
from physiome.files import write_json
from physiome.methods.base import Method
from physiome.nn.leads import there
from physiome.predict import lost_leads, score
from physiome.steps import lost_leads_figure

EEG = {"channels": ["EEG Fpz-Cz", "EEG Pz-Oz"], "unit": "uV", "low": -2000.0, "high": 2000.0}
MODALITIES = {"eeg": EEG | {"min_sd": 0.1}, "eog": DATASET["modalities"]["eog"]}


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    return Nights(tmp_path_factory.mktemp("leads"), DATASET | {"modalities": MODALITIES})


def lost(nights, name, output, batch=None):
    model = nights.model(name)
    lost_leads.run(
        [nights.folder / "shard"],
        nights.folder / "folds.json",
        1,
        model["heads"],
        output,
        model.get("weights"),
        batch=batch,
    )
    return pd.read_parquet(output)


def test_as_many_windows_are_embedded_at_a_time_as_is_asked_for(nights, tmp_path, monkeypatch):
    given, score = [], scored.score_lost_leads

    def noted(*arguments):
        given.append(arguments[-1])
        return score(*arguments)

    monkeypatch.setattr(scored, "score_lost_leads", noted)
    tables = [lost(nights, "handmade", tmp_path / "l.parquet", batch) for batch in (None, 3)]
    assert given == [16, 3]  # as the embedding's own facts say; as is asked for
    rows = ["modality", "subset", "left", "record", "number"]
    a, b = (table.sort_values(rows, ignore_index=True) for table in tables)
    pd.testing.assert_frame_equal(a, b, rtol=1e-5)


@pytest.mark.parametrize("name", ["handmade", "crossl"])
def test_with_all_leads_left_windows_score_as_the_evaluation_scored_them(nights, name, tmp_path):
    table = lost(nights, name, tmp_path / "l.parquet")
    assert set(table["left"]) == {1, 2}
    assert set(table["subset"]) == {"eeg+eog", "eeg"}
    p = [column for column in table if column.startswith("p") and column[1:].isdigit()]
    scored = pd.read_parquet(nights.model(name)["scores"])
    for subset in ("eeg+eog", "eeg"):
        mine = table[(table["left"] == 2) & (table["subset"] == subset)].sort_values("number")
        theirs = scored[(scored["subset"] == subset) & (scored["head"] == "logistic")]
        theirs = theirs.sort_values("number")
        assert len(mine) > 0
        np.testing.assert_allclose(mine[p], theirs[p], atol=1e-5)
        fewer = table[(table["left"] == 1) & (table["subset"] == subset)].sort_values("number")
        assert fewer["number"].tolist() == mine["number"].tolist()  # the same windows
        assert not np.allclose(fewer[p], mine[p], atol=1e-3)


def test_the_leads_of_a_smaller_number_are_among_those_of_a_larger():
    seen = []

    class Noting(Method):
        def encode(self, observed):
            seen.append(there(observed["eeg"]))
            return {"eeg": observed["eeg"].nan_to_num().mean(dim=2)}

        def fuse(self, encoded):
            return encoded["eeg"]

    table = pd.DataFrame({"record": "r", "subject": "s", "number": range(5), "label": 0})
    store = SimpleNamespace(
        shapes={"eeg": (8, 4)},
        table=table,
        read=lambda rows, names: {"eeg": np.ones((len(rows), 8, 4), np.float32)},
    )
    heads = {"eeg": LinearHead(np.zeros(8), np.ones(8), np.zeros((2, 8)), np.zeros(2))}
    scored.score_lost_leads(
        Noting(("eeg",)), store, np.arange(5), "eeg", [("eeg",)], heads, 2, batch=3
    )
    left = [torch.cat(seen[i : i + 2]) for i in range(0, 8, 2)]  # of five windows, in two batches
    assert [n.sum(dim=1).tolist() for n in left] == [[number] * 5 for number in (8, 4, 2, 1)]
    assert all(not (fewer & ~more).any() for more, fewer in pairwise(left))
    assert len(left[1].unique(dim=0)) > 1  # each window loses its own


def test_a_figure_and_a_table_are_made_of_them(nights, tmp_path):
    lost(nights, "handmade", tmp_path / "l.parquet")
    settings = {
        "dataset": "nights", "title": "N", "modalities": {"eeg": "EEG", "eog": "EOG"},
        "methods": {"handmade": {"title": "Hand-made", "scope": "control"}},
    }  # fmt: skip
    classes = DATASET["classes"]
    lost_leads_figure.run(
        json.dumps(settings),
        classes,
        [tmp_path / "l.parquet"],
        tmp_path / "l.csv",
        tmp_path / "l.svg",
    )
    table = pd.read_csv(tmp_path / "l.csv")
    assert list(table) == COLUMNS
    assert set(table["left"]) == {1, 2}
    svg = (tmp_path / "l.svg").read_text()
    assert "leads of EEG left" in svg
    assert "Hand-made" in svg


def without_a_row(nights, model, tmp_path, folds="folds.json"):
    """The step's table, which has no row; the figure and its table are made of it all the same."""
    output = tmp_path / "none.parquet"
    lost_leads.run([nights.folder / "shard"], nights.folder / folds, 1, model["heads"], output)
    settings = {
        "dataset": "nights", "title": "N", "modalities": {"eeg": "EEG", "eog": "EOG"},
        "methods": {"handmade": {"title": "Hand-made", "scope": "control"}},
    }  # fmt: skip
    files = tmp_path / "l.csv", tmp_path / "l.svg"
    lost_leads_figure.run(json.dumps(settings), DATASET["classes"], [output], *files)
    assert list(pd.read_csv(files[0])) == COLUMNS
    assert pd.read_csv(files[0]).empty
    assert "No score with leads taken away is defined" in files[1].read_text()
    return pd.read_parquet(output)


def test_without_a_whole_test_window_the_table_is_empty_and_adds_nothing(nights, tmp_path):
    model = nights.model("handmade")
    fold = {"fold": 1, **ROLES, "test": []}
    write_json(nights.folder / "untested.json", {"folds": [fold]})
    none = without_a_row(nights, model, tmp_path, "untested.json")
    some = lost(nights, "handmade", tmp_path / "l.parquet")
    assert list(none) == list(some)
    classes = DATASET["classes"]
    both = by_leads(pd.concat([none.assign(fold=2), some], ignore_index=True), classes)
    pd.testing.assert_frame_equal(both, by_leads(some, classes))


def test_heads_of_labelled_windows_that_taught_none_lose_no_leads(nights, tmp_path):
    model = nights.model("handmade")
    none = tmp_path / "none.heads.npz"
    save_heads(none, {}, load_facts(model["heads"]))
    table = without_a_row(nights, {"heads": none}, tmp_path)
    assert list(table) == list(lost(nights, "handmade", tmp_path / "l.parquet"))
    with pytest.raises(DataError, match="no head was fitted that could predict"):
        score.run(nights.recording, none, tmp_path / "never.csv")


def test_half_of_the_leads_go_until_one_is_left():
    assert numbers_left(8) == [8, 4, 2, 1]
    assert numbers_left(3) == [3, 1]


def test_scores_are_means_over_folds_in_percent():
    rows = [
        ("d", "m", "eeg", "eeg", left, fold, f"s{fold}", 0, label, 1.0 - p, p)
        for left, sharp in ((2, 1.0), (1, 0.0))
        for fold in (1, 2)
        for label, p in ((0, 0.5 - 0.4 * sharp), (1, 0.5 + 0.4 * sharp))
    ]
    columns = ["dataset", "method", "modality", "subset", "left", "fold", "subject", "number"]
    table = by_leads(pd.DataFrame(rows, columns=[*columns, "label", "p0", "p1"]), ["no", "yes"])
    auc = table[table["metric"] == "auc"].set_index("left")
    assert auc["mean"].to_dict() == {2: 100.0, 1: 50.0}
    assert auc["folds"].tolist() == [2, 2]
    assert auc["subjects"].tolist() == [2, 2]


def test_a_night_is_scored_from_the_leads_that_are_left(nights, tmp_path):
    """One electrode falls off: every window is still scored with EEG."""
    model = nights.model("handmade")
    one = nights.altered("dead.edf", flat={"EEG Pz-Oz": slice(None)})
    score.run(one, model["heads"], tmp_path / "dead.csv")
    table = pd.read_csv(tmp_path / "dead.csv", keep_default_na=False)
    assert set(table["subset"]) == {"eeg+eog"}
    both = nights.altered("none.edf", flat={"EEG Pz-Oz": slice(None), "EEG Fpz-Cz": slice(None)})
    score.run(both, model["heads"], tmp_path / "none.csv")
    table = pd.read_csv(tmp_path / "none.csv", keep_default_na=False)
    assert set(table["subset"]) == {"eog"}
    assert table["missing"].str.contains("eeg: 0 of 2 leads (flat)", regex=False).all()


def test_a_lead_can_be_mapped(nights, tmp_path):
    model = nights.model("handmade")
    lacking = nights.altered("lacking.edf", drop="EEG Pz-Oz")
    score.run(lacking, model["heads"], tmp_path / "m.csv", channels=["eeg/EEG Pz-Oz=EMG submental"])
    told = json.loads((tmp_path / "m.json").read_text())
    assert told["channels"]["eeg/EEG Pz-Oz"]["name"] == "EMG submental"


def test_a_modality_without_any_of_its_leads_is_one_line(nights, tmp_path, capsys):
    model = nights.model("majority")
    nights.altered("one.edf", drop="EEG Pz-Oz")
    bare = edfio.read_edf(nights.folder / "one.edf")
    bare.drop_signals(["EEG Fpz-Cz"])
    bare.write(tmp_path / "bare.edf")
    score.run(tmp_path / "bare.edf", model["heads"], tmp_path / "o.csv")
    said = capsys.readouterr().out
    assert "missing: eeg, none of its 2 leads is there: EEG Fpz-Cz, EEG Pz-Oz - name one" in said
    assert said.count("missing:") == 1
    assert "no channel" not in said
    assert said.count("note: every window was predicted as '") == 1
