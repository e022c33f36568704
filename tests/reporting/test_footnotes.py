"""Footnotes of methods and reasons of cells: from manifest and class to CSV, LaTeX, terminal."""

import json
import re

import pandas as pd
import pytest
from model_manifests import model_manifest
from small import settings_of
from tiny import NAMES
from tinyshards import tiny_store

from physiome.errors import DataError
from physiome.files import canonical_json, read_json, write_json
from physiome.methods.controls import HandMade
from physiome.reporting.footnotes import Numbered
from physiome.reporting.notes import Notes, read_notes, with_folds
from physiome.reporting.scores import read_scores
from physiome.steps import embed, probe, scores, show, table

SETTINGS = {
    "dataset": "toy",
    "title": "Toy",
    "modalities": {"a": "EEG A", "b": "EOG"},
    "methods": {m: {"title": m.upper(), "scope": "single"} for m in ("m", "n")},
}
MINE = "reads rows of the image, as means over all lose 50 % of it"
CHANCE = "fold 1: ended at chance"


def facts(method="m", fold=0, **more):
    return {"dataset": "toy", "method": method, "fold": fold} | more


@pytest.fixture
def noted(tmp_path, probe):
    """Scores of two methods and folds; m departs from its original and its fold 1 has warned."""
    probes = [probe("m", fold, departure=MINE) for fold in (0, 1)]
    write_json(
        probes[1].with_suffix(".json"),
        read_json(probes[1].with_suffix(".json")) | {"warnings": ["ended at chance"]},
    )
    probes += [probe("n", fold, departure=MINE) for fold in (0, 1)]
    scores.run(probes, tmp_path / "s.csv", tmp_path / "b.csv")
    return tmp_path


def make(folder, **changes):
    settings = json.dumps(SETTINGS | changes)
    table.run(settings, folder / "s.csv", folder / "t.csv", folder / "t.tex")
    return pd.read_csv(folder / "t.long.csv"), (folder / "t.tex").read_text()


# --- gathering


def test_warnings_name_their_folds_and_come_after_the_departure():
    notes = Notes()
    for fold in (2, 1, 3):
        warned = {1: ["collapsed"], 3: ["collapsed", "at its start"]}.get(fold, [])
        notes.add_fold(facts(fold=fold, departure="not as published", warnings=warned))
    assert notes.plain() == {
        "toy/m": ["not as published", "folds 1, 3: collapsed", "fold 3: at its start"]
    }


def test_a_reason_of_every_fold_names_none_and_others_name_theirs():
    notes = Notes()
    for fold in (1, 2):
        notes.add_fold(facts(fold=fold))
        for _ in ("logistic", "paper"):  # once per head
            notes.add_reason(facts(fold=fold), "a", "needs b")
    notes.add_reason(facts(fold=2), "b", "no test window of k1")
    assert notes.plain() == {"toy/m/a": "needs b", "toy/m/b": "fold 2: no test window of k1"}


def test_nothing_to_say_is_nothing_and_another_data_set_says_nothing_here(tmp_path):
    notes = Notes()
    notes.add_fold(facts())
    assert notes.plain() == {}
    write_json(tmp_path / "s.notes.json", {"other/m": ["x"], "toy/m/a": "y", "toy/n": ["z"]})
    assert read_notes(tmp_path / "s.csv", "toy") == ({("m", "a"): "y"}, {"n": ["z"]})
    assert read_notes(tmp_path / "absent.csv", "toy") == ({}, {})
    assert with_folds("x", [3, 1]) == "folds 1, 3: x"


# --- tables


def test_footnotes_reach_the_csv(noted):
    found, _ = make(noted)
    told = found.groupby("title")["footnote"].unique()
    assert list(told["M"]) == [f"{MINE}; {CHANCE}"]
    assert list(told["N"]) == [MINE]


@pytest.mark.parametrize(
    "layout", [{}, {"layout": "variants", "subsets": ["a", "a+b"]}], ids=["subsets", "variants"]
)
def test_footnotes_stand_under_the_latex_table_once_and_rows_carry_their_numbers(noted, layout):
    _, tex = make(noted, **layout)
    below = tex.split(r"\bottomrule")[1]
    assert below.count(r"lose 50 \% of it") == 1
    assert rf"\textsuperscript{{2}} {CHANCE}" in below
    above = tex.split(r"\bottomrule")[0]
    assert r"M\textsuperscript{1,2}" in above
    assert r"N\textsuperscript{1}" in above
    plain = re.sub(r"\\[{}&%_$#]", "", tex)
    assert plain.count("{") == plain.count("}")
    assert sorted(re.findall(r"\\begin{(.*?)}", tex)) == sorted(re.findall(r"\\end{(.*?)}", tex))
    assert plain.count("$") % 2 == 0


def test_without_footnotes_there_are_no_marks_and_no_lines():
    numbered = Numbered(["m"], None)
    assert numbered.mark("m") == ""
    assert numbered.lines(r"\textwidth", str) == ""


def test_footnotes_are_printed_at_the_terminal(noted, capsys):
    make(noted)
    show.run([noted / "t.csv"], "logistic")
    said = " ".join(capsys.readouterr().out.split())
    assert f"* M: {MINE}; {CHANCE}" in said
    assert "M*" in said


def test_why_a_cell_has_no_score_is_printed_at_the_terminal(noted, capsys):
    write_json(noted / "s.notes.json", {"toy/m/b": "one labelled subject only"})
    found = read_scores(noted / "s.csv")
    found[found["subset"] != "b"].to_csv(noted / "s.csv", index=False)
    make(noted)
    show.run([noted / "t.csv"], "logistic")
    said = capsys.readouterr().out
    assert "- M: one labelled subject only\n" in said
    assert "no score for" not in said  # of the mean over subsets


def test_titles_in_brackets_are_printed_as_they_are(noted, capsys):
    methods = {"m": {"title": "M [ours]", "scope": "single"}}
    make(noted, modalities={"a": "A [uV]", "b": "[/b]"}, methods=methods)
    show.run([noted / "t.csv"], "logistic")
    said = capsys.readouterr().out
    assert all(title in said for title in ("M [ours]", "A [uV]", "[/b]"))


def test_the_terminal_shows_the_metrics_that_are_asked_for(noted, capsys):
    found, _ = make(noted)
    show.run([noted / "t.csv"], "logistic", ["kappa", "ece"])
    said = capsys.readouterr().out
    assert "KAPPA" in said
    ece = found.query("title == 'M' and metric == 'ece'")["mean"].iloc[0]
    assert f"{ece:.1f}" in said
    assert "AUC" not in said
    with pytest.raises(DataError, match=r"'kapa'.*did you mean 'kappa'"):
        show.run([noted / "t.csv"], "logistic", ["kapa"])


def test_a_tables_companion_is_not_shown_as_a_table(noted):
    (noted / "t.costs.csv").write_text("method,parameters\nm,3\n")
    with pytest.raises(DataError, match="not a table of scores"):
        show.run([noted / "t.costs.csv"], "logistic")
    with pytest.raises(DataError, match=r"t\.tex: not a table of scores.* give .*t\.csv$"):
        show.run([noted / "t.tex"], "logistic")
    (noted / "t.costs.csv").write_text("")
    with pytest.raises(DataError, match="cannot be read"):
        show.run([noted / "t.costs.csv"], "logistic")
    with pytest.raises(DataError, match=r"give .*/<table>\.csv$"):
        show.run([noted], "logistic")


def test_the_terminal_shows_what_the_table_shows_and_knows_an_electrode_from_a_score(noted, capsys):
    make(noted, modalities={"a": "EEG F1", "b": "B"}, metrics=["auc", "f1"])
    show.run([noted / "t.csv"], "logistic")
    said = capsys.readouterr().out
    assert "AUC" in said
    assert "ACC" not in said
    assert "EEG F1" in said
    table = pd.read_csv(noted / "t.csv")
    assert table["M AUC"].map(lambda value: f"{value:.1f}").isin(said.split()).all()
    every = pd.read_csv(noted / "t.long.csv")
    every[every["metric"] != "acc"].to_csv(noted / "t.long.csv", index=False)
    with pytest.raises(DataError, match="no rows of ACC"):
        show.run([noted / "t.csv"], "logistic", ["acc"])


def test_a_table_has_no_more_columns_than_people_read(noted):
    make(noted)
    scores = [f"{title} {metric}" for title in "MN" for metric in ("ACC", "AUC")]
    titles = list(SETTINGS["modalities"].values())
    assert list(pd.read_csv(noted / "t.csv")) == ["head", "subset", *titles, *scores, "note"]


def test_where_one_class_holds_most_windows_scores_that_mind_it_stand_beside(tmp_path, probe):
    path = probe("m", 0, classes=2)
    rows = pd.read_parquet(path)
    few = rows.groupby(["subset", "head"]).cumcount() < 3
    rows.assign(label=few.astype(int)).to_parquet(path, index=False)
    scores.run([path], tmp_path / "s.csv", tmp_path / "b.csv")
    own = {"methods": {"m": SETTINGS["methods"]["m"]}}
    make(tmp_path, more_if_unbalanced=True, **own)
    assert {"M ACC", "M BACC", "M AUPRC"} <= set(pd.read_csv(tmp_path / "t.csv"))
    make(tmp_path, **own)
    assert "M BACC" not in pd.read_csv(tmp_path / "t.csv")


def test_a_class_absent_from_one_folds_test_windows_is_the_reason_of_its_empty_scores(
    tmp_path, probe
):
    probes = [probe("m", fold, classes=2) for fold in (0, 1)]
    rows = pd.read_parquet(probes[1])
    rows.assign(label=0).to_parquet(probes[1], index=False)
    scores.run(probes, tmp_path / "s.csv", tmp_path / "b.csv")
    assert read_json(tmp_path / "s.notes.json")["toy/m/a"] == "fold 1: no test window of k1"
    found, _ = make(tmp_path, methods={"m": SETTINGS["methods"]["m"]})
    folds = found.query("subset == 'a'").set_index("metric")["folds"]
    assert (folds["acc"], folds["auc"]) == (2, 1)
    note = pd.read_csv(tmp_path / "t.csv").set_index("subset").loc["a", "note"]
    scored, why = note.split(": ", 1)
    assert {"M AUC", "AUPRC"} <= set(scored.split(", "))
    assert why == "1 of 2 folds: fold 1: no test window of k1"


# --- from the model


def embedded(folder, monkeypatch, warnings):
    """Facts of an embed step whose method departs and whose weights were warned of."""
    tiny_store(folder, windows=20)
    fold = {"pretrain": ["s0"], "train": ["s1", "s2"], "valid": ["s3"], "test": ["s4"]}
    write_json(folder / "folds.json", {"folds": [{"fold": 1, **fold}]})
    plain = settings_of("handmade") | {"dataset": "d", "name": "handmade", "base": "handmade"}
    del plain["encoder"]
    shards, weights = [folder / "shard0", folder / "shard1"], folder / "w.safetensors"
    weights.write_bytes(b"w")
    digest = read_json(shards[0] / "manifest.json")["settings_digest"]
    monitor = {"warnings": warnings, "gain": -1.0}
    manifest = model_manifest("d", 1, "handmade", shards=digest, monitor=monitor)
    load = embed._load
    monkeypatch.setattr(HandMade, "departure", MINE)
    monkeypatch.setattr(embed, "_load", lambda spec, _: (load(spec, None)[0], manifest))
    settings = canonical_json({**plain, "batch": 4, "subsets": ["+".join(NAMES)]})
    embed.run(settings, shards, folder / "folds.json", 1, folder / "x.npy", weights)
    return read_json(folder / "x.json")


def test_a_fold_without_complete_windows_is_the_reason_of_its_empty_scores(tmp_path, probe):
    subsets = {name: {} for name in ("a+b", "a", "b")}
    probes = [probe("m", fold, subsets=subsets, lacking=9) for fold in (0, 1)]
    table = pd.read_parquet(probes[1])
    table[~table["complete"]].to_parquet(probes[1])  # none is left under a+b, and under b
    scores.run(probes, tmp_path / "s.csv", tmp_path / "by.csv")
    reasons, _ = read_notes(tmp_path / "s.csv", "toy")
    why = "fold 1: no test window carries every modality"
    assert reasons == {("m", subset): why for subset in subsets}
    found = read_scores(tmp_path / "s.csv").query("fold == 1 and subset == 'a+b'")
    assert set(found["metric"]) == {"acc", "auc"}
    assert found["value"].isna().all()
    assert (found["windows"] == 0).all()


def test_departure_and_warnings_go_from_class_and_manifest_to_the_notes(tmp_path, monkeypatch):
    told = embedded(tmp_path, monkeypatch, ["collapsed"])
    assert (told["departure"], told["warnings"]) == (MINE, ["collapsed"])
    quick = {"strengths": [0.1], "paper_head": None, "one_head": False}
    probe.run(canonical_json(quick), tmp_path / "x.npy", tmp_path / "p.parquet")
    scores.run([tmp_path / "p.parquet"], tmp_path / "s.csv", tmp_path / "b.csv")
    assert read_notes(tmp_path / "s.csv", "d")[1] == {"handmade": [MINE, "fold 1: collapsed"]}


def test_weights_that_were_not_monitored_have_no_warnings(tmp_path, monkeypatch):
    assert embedded(tmp_path, monkeypatch, [])["warnings"] == []
