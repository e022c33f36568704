import json

import numpy as np
import pandas as pd
import pytest

from physiome.config.report import MethodEntry
from physiome.errors import ConfigError, DataError
from physiome.evaluation.bootstrap import draw
from physiome.evaluation.metrics import window_metrics
from physiome.files import read_json, write_json
from physiome.reporting.tables import ROBUSTNESS, build_table
from physiome.steps import intervals, scores

pytestmark = pytest.mark.slow

SETTINGS = {
    "dataset": "toy",
    "methods": ["m", "n"],
    "reference": "m",
    "modalities": ["a", "b"],
    "resamples": 200,
}
ROWS = ["a+b", "a", "b", ROBUSTNESS]


def compare(folder, probes, **changes):
    intervals.run(probes, folder / "i.csv", json.dumps(SETTINGS | changes))
    return pd.read_csv(folder / "i.csv")


def row(table, subset, metric="acc", method="n"):
    keys = table.set_index(["method", "subset", "metric"])
    return keys.loc[(method, subset, metric)]


def edit(path, change):
    change(pd.read_parquet(path)).to_parquet(path, index=False)
    return path


@pytest.fixture
def probes(probe):
    return [probe(m, f, skill=s) for m, s in (("m", 0.9), ("n", 0.6)) for f in (0, 1)]


def test_difference_is_that_of_the_tables_cells(tmp_path, probes):
    found = compare(tmp_path, probes)
    scores.run(probes, tmp_path / "s.csv", tmp_path / "b.csv")
    methods = {name: MethodEntry(title=name, scope="single") for name in ("m", "n")}
    table = build_table(pd.read_csv(tmp_path / "s.csv"), methods, {"a": "A", "b": "B"})
    cells = table.set_index(["method", "subset", "metric"])["mean"]
    assert list(found) == intervals.COLUMNS
    assert list(found["subset"]) == [subset for subset in ROWS for _ in ("acc", "auc")]
    for subset in ROWS:
        for metric in ("acc", "auc"):
            mine, cell = row(found, subset, metric), cells["n", subset, metric]
            assert mine["difference"] == pytest.approx(cell - cells["m", subset, metric], abs=1e-3)
            assert mine["low"] <= mine["difference"] <= mine["high"]
            assert (mine["subjects"], mine["folds"], mine["resamples"]) == (4, 2, 200)


@pytest.mark.slow
def test_a_method_without_the_one_head_is_left_out(tmp_path, probes):
    for path in probes[:2]:  # of m: the others have no such head
        edit(path, lambda table: pd.concat([table, table.assign(head="one_head")]))
    assert compare(tmp_path, probes, head="one_head").empty
    for path in probes[2:]:
        edit(path, lambda table: pd.concat([table, table.assign(head="one_head")]))
    assert len(compare(tmp_path, probes, head="one_head")) == 2 * len(ROWS)
    with pytest.raises(DataError, match="no complete test windows of method 'm', head 'paper'"):
        compare(tmp_path, probes, head="paper")


@pytest.mark.parametrize("lacking", ["windows", "heads", "reference"])
def test_a_method_that_nothing_could_be_tested_of_has_no_difference(tmp_path, probes, lacking):
    """The step failed, and with it a run of which `scores` and tables were empty there."""
    for path in probes[:2] if lacking == "reference" else probes[2:]:
        if lacking == "windows":
            edit(path, lambda table: table.assign(complete=False))
            continue
        edit(path, lambda table: table.iloc[:0])
        empty = [{"subset": "a", "head": "logistic", "reason": "one class"}]
        write_json(
            path.with_suffix(".json"), read_json(path.with_suffix(".json")) | {"empty": empty}
        )
    found = compare(tmp_path, probes)
    assert len(found) == 2 * len(ROWS)
    assert found[["difference", "low", "high"]].isna().all(axis=None)
    assert (found[["folds", "subjects", "resamples"]] == 0).all(axis=None)


def test_interval_is_that_of_a_loop_over_repeated_windows(tmp_path, probes):
    mine = row(compare(tmp_path, probes, resamples=50), "a", "auc")
    values = {}
    for path in probes:
        method, fold = path.stem.split("-")
        table = pd.read_parquet(path).query("subset == 'a' and complete")
        by_subject = [part for _, part in table.groupby("subject")]
        for r, times in enumerate(draw(2, 50, (0, int(fold)))):
            drawn = pd.concat([by_subject[s] for s in np.repeat([0, 1], times.astype(int))])
            p = drawn[["p0", "p1", "p2"]].to_numpy()
            auc = window_metrics(drawn["label"].to_numpy(int), p, ["x", "y", "z"])["auc"]
            values.setdefault(method, np.zeros(50))[r] += auc / 2
    low, high = np.quantile(100 * (values["n"] - values["m"]), [0.025, 0.975])
    assert (mine["low"], mine["high"]) == pytest.approx((low, high), abs=1e-3)


def test_a_method_that_answers_alike_has_no_interval(tmp_path, probe):
    same = [probe(method, fold) for method in ("m", "n") for fold in (0, 1)]
    found = compare(tmp_path, same)
    assert (found[["difference", "low", "high"]] == 0).all(axis=None)


def test_folds_of_one_subject_each_give_no_interval(tmp_path, probes):
    for path in probes:
        edit(path, lambda t: t[t["subject"] == t["subject"].max()])
    found = compare(tmp_path, probes)
    assert found["difference"].notna().all()
    assert found[["low", "high"]].isna().all(axis=None)
    assert (found["subjects"] == found["folds"]).all()


def test_one_fold_of_two_subjects_is_enough_for_an_interval(tmp_path, probes):
    for path in probes[::2]:
        edit(path, lambda t: t[t["subject"] == t["subject"].max()])
    found = row(compare(tmp_path, probes), "a")
    assert (found["folds"], found["subjects"]) == (2, 3)
    assert found["low"] < found["high"]


def test_interval_does_not_depend_on_the_order_or_on_other_methods(tmp_path, probes, probe):
    alone = compare(tmp_path, probes)
    extra = [probe("o", fold, skill=0.3) for fold in (0, 1)]
    with_others = compare(tmp_path, [*extra, *probes[::-1]], methods=["o", "n"])
    pd.testing.assert_frame_equal(
        alone, with_others[with_others["method"] == "n"].reset_index(drop=True)
    )


def test_windows_that_lack_a_modality_play_no_part(tmp_path, probes):
    before = compare(tmp_path, probes)
    for path in probes[2:]:
        edit(path, lambda t: t.assign(p0=t["p0"].where(t["complete"], 9.0)))
    pd.testing.assert_frame_equal(before, compare(tmp_path, probes))


def test_refused_subset_is_empty_and_so_is_the_mean_over_subsets(tmp_path, probes):
    for path in probes[2:]:
        edit(path, lambda t: t[t["subset"] != "b"])
    found = compare(tmp_path, probes)
    for subset in ("b", ROBUSTNESS):
        gone = row(found, subset)
        assert gone[["difference", "low", "high"]].isna().all()
        assert (gone["folds"], gone["resamples"]) == (0, 0)
    assert row(found, "a")["folds"] == 2


def test_only_folds_that_both_have_count(tmp_path, probes):
    found = row(compare(tmp_path, probes[:3]), "a")
    assert (found["folds"], found["subjects"]) == (1, 2)


def test_other_test_windows_are_refused(tmp_path, probes):
    edit(probes[2], lambda t: t[t["number"] != 3])
    with pytest.raises(DataError, match=r"n-0.parquet: other test windows than .*m-0.parquet"):
        compare(tmp_path, probes)
    assert not (tmp_path / "i.csv").exists()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"methods": ["nn"]}, DataError, "method 'nn'.*did you mean 'n'"),
        ({"reference": "physiome"}, DataError, "method 'physiome'.*known: m, n"),
        ({"dataset": "tot"}, DataError, "did you mean 'toy'"),
        ({"head": "paper"}, DataError, "no complete test windows.*head 'paper'"),
        ({"resamples": 0}, ConfigError, "resamples"),
    ],
)
def test_what_cannot_be_compared_is_refused(tmp_path, probes, changes, error, message):
    with pytest.raises(error, match=message):
        compare(tmp_path, probes, **changes)
    with pytest.raises(DataError, match="occurs twice"):
        compare(tmp_path, [*probes, probes[0]])
