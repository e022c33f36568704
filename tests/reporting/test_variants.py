"""Tables of variants (the paper's Tables 3 to 6), and reasons for cells without a score."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from physiome.config.report import MethodEntry, TableSpec
from physiome.files import read_json, write_json
from physiome.reporting.paper import paper_cells
from physiome.reporting.scores import read_scores, write_scores
from physiome.reporting.tables import build_table
from physiome.steps import scores, table

TITLES = {"eeg_fpz_cz": "Fpz-Cz", "eeg_pz_oz": "Pz-Oz", "eog": "EOG"}
SUBSETS = ["eeg_fpz_cz", "eeg_fpz_cz+eog", "eeg_fpz_cz+eeg_pz_oz+eog"]
ROWS = {3: 6, 4: 2, 5: 3, 6: 9}


def write_published(folder, number, shift=0.01, folds=(0, 1)):
    """The paper's cells, shifted, as scores of variants v0, v1, ...; returns the settings."""
    cells = paper_cells(number)
    names = {title: name for name, title in TITLES.items()}
    variants = {title: f"v{k}" for k, title in enumerate(cells["method"].unique())}
    rows = cells.assign(
        dataset="sleep_edf",
        method=cells["method"].map(variants),
        head="logistic",
        subset=["+".join(names[t] for t in s.split("+")) for s in cells["subset"]],
        windows=100,
        subjects=4,
    )
    parts = [
        rows.assign(fold=fold, value=rows["value"] / 100 + shift * (fold - np.mean(folds)))
        for fold in folds
    ]
    write_scores(folder / "s.csv", pd.concat(parts))
    return {
        "dataset": "sleep_edf",
        "title": "Sleep",
        "modalities": TITLES,
        "paper_table": number,
        "subsets": SUBSETS,
        "layout": "variants",
        "methods": {v: {"title": t, "scope": "single"} for t, v in variants.items()},
    }


def make(folder, settings):
    table.run(json.dumps(settings), folder / "s.csv", folder / "t.csv", folder / "t.tex")
    return pd.read_csv(folder / "t.long.csv"), (folder / "t.tex").read_text()


def latex_rows(tex):
    body = tex.split(r"\midrule")[1].split(r"\bottomrule")[0]
    return [line.rstrip(" \\") for line in body.strip().splitlines() if line]


@pytest.mark.parametrize("number", [3, 4, 5, 6])
def test_every_variant_stands_beside_the_papers_row_of_its_title(tmp_path, number):
    _, tex = make(tmp_path, write_published(tmp_path, number))
    rows = latex_rows(tex)
    assert len(rows) == ROWS[number]
    published = paper_cells(number)
    for line in rows:
        title, *cells = line.split(" & ")
        mine = published[published["method"] == title]["value"]
        assert len(cells) == 6
        for cell, value in zip(cells, mine, strict=True):
            assert f"{value:.2f}" in cell.split(r"\scriptsize")[0]
            assert cell.endswith(rf"{{\scriptsize $\pm$0.71 [{value:.2f}]}}")
    assert "over 2 folds (200 test windows of 8 subjects in all)" in tex
    assert "Head: multinomial logistic regression" in tex
    assert r"\label{tab:sleep-edf-t}" in tex  # as the file is called


def test_best_of_each_column_is_bold_and_nothing_else_is_marked(tmp_path):
    _, tex = make(tmp_path, write_published(tmp_path, 5))
    masked, memory, decoder = latex_rows(tex)
    assert decoder.count(r"\textbf") == 6
    assert r"\textbf" not in masked + memory
    assert r"\underline" not in tex
    assert "blue" not in tex


def test_a_variant_with_a_model_per_subset_can_be_the_best(tmp_path):
    settings = write_published(tmp_path, 5)
    settings["methods"]["v2"]["scope"] = "dedicated"
    _, memory, decoder = latex_rows(make(tmp_path, settings)[1])
    assert decoder.count(r"\textbf") == 6
    assert r"\textbf" not in memory


def test_layout_is_balanced_and_names_subsets_and_scores(tmp_path):
    _, tex = make(tmp_path, write_published(tmp_path, 6))
    plain = re.sub(r"\\[{}&%_$#]", "", tex)
    assert plain.count("{") == plain.count("}")
    assert plain.count("$") % 2 == 0
    assert re.findall(r"\\begin{(.*?)}", tex) == re.findall(r"\\end{(.*?)}", tex)[::-1]
    for title in ("Fpz-Cz", "Fpz-Cz, EOG", "Fpz-Cz, Pz-Oz, EOG"):
        assert rf"\multicolumn{{2}}{{c}}{{{title}}}" in tex
    assert " & ".join(["ACC & AUC"] * 3) in tex


def test_csv_of_variants_has_one_row_per_subset_as_other_tables(tmp_path):
    found, _ = make(tmp_path, write_published(tmp_path, 4))
    assert list(pd.read_csv(tmp_path / "t.csv")["subset"]) == SUBSETS
    assert list(found["subset"].unique()) == SUBSETS
    row = found.query("title == 'with gradient' and metric == 'acc'").iloc[0]
    assert row["mean"] == row["paper"] == 75.54
    assert row["drop"] == pytest.approx(77.13 - 75.54)


def test_a_variant_the_paper_does_not_have_is_shown_without_its_figure(tmp_path):
    settings = write_published(tmp_path, 4)
    settings["methods"]["v0"]["title"] = "of ours"
    first, second = latex_rows(make(tmp_path, settings)[1])
    assert first.startswith("of ours & ")
    assert "[" not in first
    assert second.count("[") == 6


def test_chosen_subsets_without_the_full_set_have_no_drop(tmp_path):
    settings = write_published(tmp_path, 4) | {"subsets": SUBSETS[:1], "paper_table": None}
    found, tex = make(tmp_path, settings)
    assert found["drop"].isna().all()
    assert found.query("metric == 'acc'")["mean"].notna().all()
    assert "[" not in latex_rows(tex)[0]
    cells = pd.read_csv(tmp_path / "s.csv")
    entries = TableSpec.parse(settings).methods
    marks = build_table(cells, entries, TITLES, subsets=[("eeg_fpz_cz",)])
    assert not marks["blue"].any()
    assert marks["bold"].sum() == 2


def test_as_recorded_is_not_among_chosen_subsets():
    cells = pd.DataFrame(
        [("a", "m", "acc", 0, 0.5), ("as_recorded", "m", "acc", 0, 0.5)],
        columns=["subset", "method", "metric", "fold", "value"],
    )
    entries = {"m": MethodEntry(title="M", scope="single")}
    shown = build_table(cells, entries, {"a": "A", "b": "B"}, subsets=[("a",)])
    assert set(shown["subset"]) == {"a"}


def test_controls_and_models_that_learned_from_labels_take_no_mark(tmp_path):
    settings = write_published(tmp_path, 5)
    settings["methods"]["v2"]["scope"] = "supervised"  # the best one
    settings["methods"]["v0"]["scope"] = "control"
    _, memory, decoder = latex_rows(make(tmp_path, settings)[1])
    assert memory.count(r"\textbf") == 6
    assert r"\textbf" not in decoder
    settings["layout"] = "subsets"
    tex = make(tmp_path, settings)[1]
    assert tex.count(r"\underline") == 6
    assert "train subjects, outside the marks: restoration decoder." in tex
    assert "Controls, outside the marks: masked token." in tex


# --- subsets that a method refuses


def refuse(path, subset, reason):
    kept = pd.read_parquet(path)
    kept[kept["subset"] != subset].to_parquet(path, index=False)
    facts = read_json(path.with_suffix(".json"))
    write_json(path.with_suffix(".json"), facts | {"refused": {subset: reason}})
    return path


@pytest.fixture
def refused(tmp_path, probe):
    probes = [refuse(probe("m", fold), "b", "needs modality a") for fold in (0, 1)]
    scores.run([*probes, probe("n", 0)], tmp_path / "s.csv", tmp_path / "b.csv")
    return {
        "dataset": "toy",
        "title": "Toy",
        "modalities": {"a": "A", "b": "B"},
        "methods": {m: {"title": m.upper(), "scope": "single"} for m in ("m", "n")},
    }


def test_refused_subset_is_an_empty_score_with_its_reason_beside(tmp_path, refused):
    found = read_scores(tmp_path / "s.csv").query("method == 'm' and subset == 'b'")
    assert sorted(found["metric"]) == ["acc", "acc", "auc", "auc"]
    assert found["value"].isna().all()
    assert (found[["windows", "subjects"]] == 0).all(axis=None)
    notes = read_json(tmp_path / "s.notes.json")
    assert notes.pop("sha256").keys() == {"s.csv", "b.csv"}
    assert notes == {"toy/m/b": "needs modality a"}


def test_table_gives_the_reason_in_its_note(tmp_path, refused):
    found, tex = make(tmp_path, refused)
    people = pd.read_csv(tmp_path / "t.csv")
    row = people.set_index("subset").loc["b"]
    assert np.isnan(row["M ACC"])
    assert row["note"].startswith("M: needs modality a; ")
    note = found.query("subset == 'b' and method == 'm' and metric == 'acc'")["note"].iloc[0]
    assert note == "needs modality a"
    assert "the reason is in the CSV file" in tex
    assert np.isnan(people["M ACC"].iloc[-1])  # no mean over subsets either
    (tmp_path / "s.notes.json").unlink()
    make(tmp_path, refused)
    row = pd.read_csv(tmp_path / "t.csv").set_index("subset").loc["b"]
    assert row["note"].startswith("M ACC, AUC: undefined in every fold; M BACC")


def test_without_refusals_the_notes_are_empty(tmp_path, probe):
    scores.run([probe()], tmp_path / "s.csv", tmp_path / "b.csv")
    assert read_json(tmp_path / "s.notes.json").keys() == {"sha256"}
