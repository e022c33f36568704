"""`physiome compare`: two rows of scores on the windows both scored."""

import shutil

import numpy as np
import pandas as pd
import pytest

from physiome.errors import DataError
from physiome.evaluation.bootstrap import draw
from physiome.evaluation.metrics import window_metrics
from physiome.files import read_json, write_json
from physiome.steps import compare


@pytest.fixture
def runs(tmp_path, probe):
    """Two runs' scores of a data set: the second is of method n, called m there too."""
    folders = tmp_path / "one" / "toy", tmp_path / "two" / "toy"
    for folder, skill in zip(folders, (0.6, 0.9), strict=True):
        for fold in (1, 2):
            path = probe("m", fold, skill=skill)
            there = folder / f"fold{fold}"
            there.mkdir(parents=True)
            for suffix in (".parquet", ".json"):
                shutil.move(path.with_suffix(suffix), there / f"m{suffix}")
    return folders


def compared(folder, runs, methods=("m", "m")):
    compare.run(runs, methods, "logistic", folder / "c.csv", resamples=100)
    return pd.read_csv(folder / "c.csv").set_index(["subset", "metric"])


def test_scores_are_means_over_folds_and_the_difference_theirs(tmp_path, runs, capsys):
    table = compared(tmp_path, runs)
    assert list(table.reset_index()) == compare.COLUMNS
    row = table.loc[("a", "auc")]
    for name, folder in zip(("first", "second"), runs, strict=True):
        parts = [pd.read_parquet(folder / f"fold{f}" / "m.parquet") for f in (1, 2)]
        parts = [part.query("subset == 'a' and complete") for part in parts]
        each = [
            window_metrics(x["label"].to_numpy(int), x[["p0", "p1", "p2"]].to_numpy(), list("xyz"))
            for x in parts
        ]
        assert row[name] == pytest.approx(100 * np.mean([m["auc"] for m in each]), abs=1e-3)
    assert row["difference"] == pytest.approx(row["second"] - row["first"], abs=1e-3)
    assert row["low"] <= row["difference"] <= row["high"]
    assert row[["folds", "windows", "subjects"]].tolist() == [2, 2 * (39 + 79), 4]
    assert f"{row['difference']:+.1f}" in capsys.readouterr().out


def test_its_interval_is_that_of_subjects_drawn_anew_in_each_fold_and_alike_for_both(
    tmp_path, runs
):
    compare.run(runs, ("m", "m"), "logistic", tmp_path / "c.csv", resamples=20)
    table = pd.read_csv(tmp_path / "c.csv").set_index(["subset", "metric"])
    row = table.loc[("a", "balanced_acc")]
    sums = np.zeros((2, 20))
    for i, run in enumerate(runs):
        for fold in (1, 2):
            table = pd.read_parquet(run / f"fold{fold}" / "m.parquet")
            by_subject = [
                p for _, p in table.query("subset == 'a' and complete").groupby("subject")
            ]
            for r, times in enumerate(draw(2, 20, (0, fold)).astype(int)):
                again = pd.concat([by_subject[s] for s in np.repeat([0, 1], times)])
                p = again[["p0", "p1", "p2"]].to_numpy()
                scores = window_metrics(again["label"].to_numpy(int), p, list("xyz"))
                sums[i, r] += 100 * scores["balanced_acc"] / 2
    expected = np.quantile(sums[1] - sums[0], [0.025, 0.975])
    assert row[["low", "high"]].to_numpy(float) == pytest.approx(expected, abs=1e-3)


def test_the_same_scores_differ_by_nothing(tmp_path, runs):
    table = compared(tmp_path, (runs[0], runs[0]))
    assert (table[["difference", "low", "high"]] == 0).all().all()


def test_folds_of_one_subject_each_have_a_difference_without_interval(tmp_path, runs, capsys):
    for path in [path for run in runs for path in run.glob("fold*/m.parquet")]:
        table = pd.read_parquet(path)
        table[table["subject"] == table["subject"].max()].to_parquet(path)
    table = compared(tmp_path, runs)
    assert table["difference"].notna().all()
    assert table[["low", "high"]].isna().all(axis=None)
    assert (table["subjects"] == 2).all()
    said = capsys.readouterr().out
    assert f"{table.loc[('a', 'auc'), 'difference']:+.1f} " in said
    assert "nan" not in said


def test_a_ridge_of_plain_embeddings_is_of_no_head_that_sees_others(tmp_path, runs):
    """`physiome compare --head centred` gave its R2 as that head's."""
    for path in [path for run in runs for path in run.glob("fold*/m.parquet")]:
        table = pd.read_parquet(path)
        target = np.random.default_rng(0).normal(size=len(table))
        table = table.assign(target=target, predicted=target + 0.1)
        pd.concat([table, table.assign(head="centred")]).to_parquet(path)
    metrics = {}
    for head in ("logistic", "centred"):
        compare.run(runs, ("m", "m"), head, tmp_path / "c.csv", resamples=20)
        metrics[head] = set(pd.read_csv(tmp_path / "c.csv")["metric"])
    assert metrics["logistic"] == metrics["centred"] | {"r2"}
    assert metrics["centred"] == {"auc", "balanced_acc"}


def test_a_fold_without_a_complete_window_is_left_out(tmp_path, runs):
    before = compared(tmp_path, runs)
    for run in runs:
        path = run / "fold2" / "m.parquet"
        table = pd.read_parquet(path)
        table[~table["complete"]].to_parquet(path)
    table = compared(tmp_path, runs)
    assert (table["folds"] == 1).all()
    assert (table["windows"] == before["windows"] / 2).all()


def test_a_score_counts_the_folds_that_it_is_over(tmp_path, runs, capsys):
    """One class alone has an accuracy, and no AUC."""
    for run in runs:
        path = run / "fold2" / "m.parquet"
        pd.read_parquet(path).assign(label=0).to_parquet(path)
    table = compared(tmp_path, runs)
    sizes = ["folds", "windows", "subjects"]
    assert table.loc[("a", "auc"), sizes].tolist() == [1, 39 + 79, 2]
    assert table.loc[("a", "balanced_acc"), sizes].tolist() == [2, 2 * (39 + 79), 4]
    said = capsys.readouterr().out.split()
    assert "118" in said
    assert "236" in said


def test_only_windows_with_one_label_in_both_count(tmp_path, runs):
    path = runs[1] / "fold1" / "m.parquet"
    table = pd.read_parquet(path)
    other = table["number"] == 3  # of both records
    table.assign(label=table["label"].where(~other, (table["label"] + 1) % 3)).to_parquet(path)
    assert compared(tmp_path, runs).loc[("b", "auc"), "windows"] == 2 * (39 + 79) - 2


def test_what_cannot_be_compared_is_said(tmp_path, runs):
    with pytest.raises(DataError, match=r"no scores of method 'n'.*known: m"):
        compared(tmp_path, runs, ("n", "m"))
    with pytest.raises(DataError, match=r"no scores of method .* scores/<dataset>"):
        compared(tmp_path, (runs[0].parent, runs[1]))
    with pytest.raises(DataError, match="no scores of head 'paper'"):
        compare.run(runs, ("m", "m"), "paper")
    facts = runs[1] / "fold1" / "m.json"
    told = read_json(facts)
    write_json(facts, told | {"classes": ["x", "y", "z"]})
    with pytest.raises(DataError, match="other classes"):
        compared(tmp_path, runs)
    write_json(facts, told)
    for path in runs[1].glob("fold*/m.parquet"):
        table = pd.read_parquet(path)
        table.assign(record="r" + table["record"]).to_parquet(path)
    with pytest.raises(DataError, match="no test window was scored by both"):
        compared(tmp_path, runs)
