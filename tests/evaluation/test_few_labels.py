"""Label efficiency: nested draws, the same for every method; everyone as the evaluation did."""

import json
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from physiome.config.evaluation import FewLabelsSpec, ProbeSpec
from physiome.evaluation.embeddings import open_embeddings
from physiome.evaluation.few_labels import (
    MEAN,
    by_number,
    draws,
    numbers_labelled,
    one_strength,
    score_few_labels,
)
from physiome.evaluation.metrics import window_metrics
from physiome.evaluation.probe import fit_heads, predict
from physiome.steps import few_labels, few_labels_figure
from physiome.subsets import all_subsets, subset_name

PROBE = ProbeSpec(strengths=(1e-2, 1e-1, 1.0), paper_head=None, one_head=False)
SPEC = FewLabelsSpec(probe=PROBE, draws=2, resamples=20, seed=0)


def at(table, labelled, subset, metric="auc", draw=0):
    chosen = table[(table["labelled"] == labelled) & (table["draw"] == draw)]
    chosen = chosen[(chosen["subset"] == subset) & (chosen["metric"] == metric)]
    assert len(chosen) == 1
    return chosen["value"].iloc[0]


def test_each_draw_holds_the_smaller_ones_and_everyone_comes_once():
    found = list(draws([f"s{i}" for i in range(9)], 3, (0, 1)))
    assert found == list(draws([f"s{i}" for i in reversed(range(9))] * 2, 3, (0, 1)))
    assert sum(len(who) == 9 for _, who in found) == 1
    for number in range(3):
        mine = [set(who) for draw, who in found if draw == number]
        assert all(few < more for few, more in pairwise(mine))
    assert len({tuple(who) for _, who in found if len(who) == 4}) == 3


@pytest.mark.parametrize("subjects", range(1, 40))
def test_numbers_rise_from_one_to_all(subjects):
    found = numbers_labelled(subjects)
    assert found[0] == 1
    assert found[-1] == subjects
    assert sorted(set(found)) == found


@pytest.mark.parametrize("levels", [0, 2])
def test_with_everyone_labelled_the_score_is_that_of_the_evaluation(embed, levels):
    opened = open_embeddings(embed(incomplete=True, separation=1.0, level_columns=levels))
    table = score_few_labels(opened, SPEC)
    scored = predict(opened, fit_heads(opened, PROBE), PROBE)
    scored = scored[scored["complete"] & (scored["subset"] != "as_recorded")]
    for subset, part in scored.groupby("subset"):
        p = part[[f"p{c}" for c in range(3)]].to_numpy(np.float64)
        expected = window_metrics(part["label"].to_numpy(int), p, opened.classes)
        for metric in ("auc", "balanced_acc"):
            assert at(table, 8, subset, metric)[0] == pytest.approx(expected[metric], abs=1e-6)


def test_one_labelled_subject_is_all_that_its_head_sees(embed, edit_windows):
    path = embed(separation=1.0)
    before = score_few_labels(open_embeddings(path), SPEC)
    ((_, (only,)),) = [
        d for d in draws([f"s{i:02d}" for i in range(8)], 1, (0, 0)) if len(d[1]) == 1
    ]

    def shuffle_others(table):
        others = (table["role"] == "train") & (table["subject"] != only)
        return table.assign(label=table["label"].mask(others, (table["label"] + 1) % 3))

    edit_windows(path, shuffle_others)
    after = score_few_labels(open_embeddings(path), SPEC)
    np.testing.assert_array_equal(at(after, 1, "a+b"), at(before, 1, "a+b"))
    assert at(after, 8, "a+b")[0] < at(before, 8, "a+b")[0]


def test_a_draw_of_one_class_has_no_row(embed, edit_windows):
    path = embed()
    edit_windows(path, lambda t: t.assign(label=t["label"].where(t["role"] == "test", 0)))
    assert score_few_labels(open_embeddings(path), SPEC).empty


def test_a_fold_without_a_whole_test_window_has_no_row_and_no_say(embed, edit_windows, tmp_path):
    folds = [embed(name=f"fold{fold}", fold=fold) for fold in (1, 2)]
    edit_windows(folds[1], lambda t: t.assign(has_c=t["has_c"] & (t["role"] == "train")))
    files = [tmp_path / "few1.parquet", tmp_path / "few2.parquet"]
    for path, output in zip(folds, files, strict=True):
        few_labels.run(json.dumps(SPEC.plain()), path, output)
    assert len(pd.read_parquet(files[0])) > 0
    assert pd.read_parquet(files[1]).empty
    shown = {
        "dataset": "toy", "title": "T", "modalities": {m: m.upper() for m in "abc"},
        "methods": {"m": {"title": "My method", "scope": "single"}},
    }  # fmt: skip
    tables = {}
    for some in (files, files[:1], files[1:]):
        few_labels_figure.run(json.dumps(shown), some, tmp_path / "f.csv", tmp_path / "f.svg")
        tables[tuple(some)] = pd.read_csv(tmp_path / "f.csv")
    both, one, none = tables.values()
    pd.testing.assert_frame_equal(both, one)
    assert none.empty
    assert "No number of labelled subjects has a score" in (tmp_path / "f.svg").read_text()


def test_one_subject_takes_the_middle_of_the_grid():
    assert one_strength(ProbeSpec()).strengths == (0.1,)


def test_means_are_over_subsets_folds_then_draws():
    rows = [
        (fold, draw, subset, np.array([value, value]))
        for fold, draw, subset, value in [
            (1, 0, "a+b", 0.9), (2, 0, "a+b", 0.7), (1, 1, "a+b", 0.5), (2, 1, "a+b", 0.5),
            (1, 0, "a", 0.6), (1, 0, "b", 0.8), (2, 0, "a", 0.5), (2, 0, "b", 0.5),
        ]
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["fold", "draw", "subset", "value"])
    table = table.assign(
        dataset="d", method="m", metric="auc", labelled=4, everyone=False, tested=3
    )
    everyone = table[:1].assign(labelled=9, everyone=True)
    found = by_number(pd.concat([table, everyone]), ["a+b", "a", "b"]).set_index(
        ["labelled", "subset"]
    )
    assert found.loc[(4, "a+b"), "score"] == pytest.approx(65.0)  # of 80 and 50
    assert found.loc[(4, MEAN), "score"] == pytest.approx(60.0)
    assert 50 <= found.loc[(4, "a+b"), "low"] <= found.loc[(4, "a+b"), "high"] <= 80
    assert found.loc[(4, "a+b"), ["draws", "folds"]].tolist() == [2, 2]
    assert found.loc[(9, "a+b"), "score"] == pytest.approx(90.0)


def test_the_mean_of_subsets_is_of_those_that_have_all_of_them():
    """A method that refuses subsets had a mean of the others beside means of all of them."""
    rows = [("all", 0, s, 0.6) for s in ("a+b", "a", "b")]
    rows += [("all", 1, s, 0.9) for s in ("a+b", "a")]  # the one labelled subject never carries b
    rows += [("some", 0, s, 0.9) for s in ("a+b", "a")]
    table = pd.DataFrame(rows, columns=["method", "draw", "subset", "score"])
    table = table.assign(dataset="d", fold=1, metric="auc", labelled=1, everyone=False, tested=3)
    table["value"] = [np.array([s, s]) for s in table["score"]]
    everyone = table[:3].assign(labelled=2, everyone=True)
    found = by_number(pd.concat([table, everyone]), ["a+b", "a", "b"])
    found = found[found["subset"] == MEAN].set_index(["method", "labelled"])
    assert list(found.index) == [("all", 1), ("all", 2)]
    assert found.loc[("all", 1), ["score", "draws"]].tolist() == [pytest.approx(60.0), 1]


def test_a_fold_whose_score_is_undefined_is_no_fold_of_the_mean():
    """It counted as one, and its subjects gave the other's only one an interval of no width."""
    table = pd.DataFrame({"fold": [1, 2], "tested": [1, 2], "score": [0.8, np.nan]})
    table = table.assign(
        dataset="d", method="m", metric="auc", labelled=4, everyone=True, draw=0, subset="a"
    )
    table["value"] = [np.array([s, s, s]) for s in table["score"]]
    (row,) = by_number(table, ["a"]).to_dict("records")
    assert (row["score"], row["folds"]) == (pytest.approx(80.0), 1)
    assert np.isnan(row["low"])


def test_everyone_of_a_small_fold_is_not_mixed_with_a_draw_of_a_large_one():
    rows = [(1, 16, True, 0.6), (2, 16, False, 0.1), (2, 21, True, 0.8)]
    table = pd.DataFrame(rows, columns=["fold", "labelled", "everyone", "score"])
    table = table.assign(dataset="d", method="m", metric="auc", draw=0, subset="a+b", tested=3)
    table["value"] = [np.array([s, s]) for s in table["score"]]
    (row,) = by_number(table, ["a+b"]).to_dict("records")
    assert (row["labelled"], row["folds"], row["score"]) == (16, 2, pytest.approx(70.0))


def test_a_number_that_a_smaller_fold_has_no_draw_of_is_left_out():
    rows = [(1, n, n == 10, 0.6) for n in numbers_labelled(10)]
    rows += [(2, n, n == 11, 0.8) for n in numbers_labelled(11)]
    table = pd.DataFrame(rows, columns=["fold", "labelled", "everyone", "score"])
    table = table.assign(dataset="d", method="m", metric="auc", draw=0, subset="a+b", tested=3)
    table["value"] = [np.array([s, s]) for s in table["score"]]
    found = by_number(table, ["a+b"])
    assert found["labelled"].tolist() == [1, 2, 4, 10]  # 8 of 11 subjects, but not 8 of 10
    assert found["folds"].eq(2).all()
    assert found["score"].tolist() == pytest.approx([70.0] * 4)


def test_without_two_test_subjects_in_any_fold_there_is_no_interval(embed, edit_windows):
    path = embed()
    edit_windows(path, lambda t: t[t["subject"] < "s09"])  # s08 is the first test subject
    np.save(path, np.load(path)[: len(pd.read_parquet(path.with_suffix(".parquet")))])
    table = score_few_labels(open_embeddings(path), SPEC).assign(dataset="d", fold=1, method="m")
    found = by_number(table, list(map(subset_name, all_subsets("abc"))))
    assert found["score"].notna().all()
    assert found[["low", "high"]].isna().all(axis=None)


def test_the_steps_write_a_table_and_a_figure(embed, tmp_path):
    settings = json.dumps(SPEC.plain())
    few_labels.run(settings, embed(), tmp_path / "few.parquet", workers=2)
    shown = {
        "dataset": "toy", "title": "T", "modalities": {m: m.upper() for m in "abc"},
        "methods": {"m": {"title": "My method", "scope": "single"}},
    }  # fmt: skip
    files = tmp_path / "few.csv", tmp_path / "few.svg"
    few_labels_figure.run(json.dumps(shown), [tmp_path / "few.parquet"], *files)
    table = pd.read_csv(files[0])
    assert sorted(set(table["labelled"])) == [1, 2, 4, 8]
    assert (table["low"] <= table["score"] + 1e-9).mean() > 0.5
    svg = files[1].read_text()
    assert "labelled subjects" in svg
    assert "My method" in svg
