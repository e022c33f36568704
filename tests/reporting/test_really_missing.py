"""The table of modalities that are really missing, beside those that are hidden."""

import json

import numpy as np
import pandas as pd
import pytest

from physiome.evaluation.bootstrap import draw
from physiome.evaluation.metrics import window_metrics
from physiome.evaluation.really_missing import Absence
from physiome.steps import really_missing

SETTINGS = {
    "dataset": "toy",
    "methods": ["m", "n"],
    "reference": "m",
    "modalities": ["a", "b"],
    "resamples": 60,
}
CLASSES = ["k0", "k1", "k2"]
P = ["p0", "p1", "p2"]


def made(folder, probes):
    really_missing.run(json.dumps(SETTINGS), probes, folder / "missing.csv")
    return pd.read_csv(folder / "missing.csv")


def score(windows, metric):
    y, p = windows["label"].to_numpy(int), windows[P].to_numpy(np.float64)
    return 100 * window_metrics(y, p, CLASSES)[metric]


@pytest.fixture
def probes(probe):
    return [probe(m, f, lacking=15) for m in ("m", "n") for f in (0, 1)]


def test_each_kind_is_scored_on_its_own_windows(tmp_path, probes):
    table = made(tmp_path, probes)
    assert list(table) == [*really_missing.KEYS, *really_missing.COLUMNS]
    assert table[["method", "subset", "metric"]].to_numpy().tolist() == [
        [method, "a", metric] for method in ("m", "n") for metric in ("acc", "auc")
    ]  # no window has b alone
    folds = [pd.read_parquet(path).query("subset == 'a'") for path in probes[:2]]
    for row in table[table["method"] == "m"].itertuples():
        hidden = np.mean([score(fold[fold["carried"] == "a+b"], row.metric) for fold in folds])
        lacking = np.mean([score(fold[fold["carried"] == "a"], row.metric) for fold in folds])
        assert (row.artificial, row.real) == pytest.approx((hidden, lacking), abs=1e-3)
        assert row.difference == pytest.approx(lacking - hidden, abs=1e-3)
        assert row.low <= row.difference <= row.high
        assert (row.artificial_windows, row.real_windows) == (2 * (25 + 65), 2 * (15 + 15))
        assert (row.artificial_subjects, row.real_subjects, row.folds) == (4, 4, 2)


def test_without_two_subjects_in_any_fold_there_is_no_interval(tmp_path, probes):
    for path in probes:
        table = pd.read_parquet(path)
        table[table["subject"] == table["subject"].min()].to_parquet(path, index=False)
    table = made(tmp_path, probes)
    assert table["difference"].notna().all()
    assert table[["low", "high"]].isna().all(axis=None)


def test_the_interval_draws_whole_subjects_with_both_kinds_of_their_windows(tmp_path, probes):
    row = made(tmp_path, probes).query("method == 'm' and metric == 'acc'").iloc[0]
    gaps = np.zeros(60)
    for fold, path in enumerate(probes[:2]):
        table = pd.read_parquet(path).query("subset == 'a'")
        people = [part for _, part in table.groupby("subject")]
        for r, times in enumerate(draw(2, 60, (0, fold))):
            drawn = pd.concat([people[s] for s in np.repeat([0, 1], times.astype(int))])
            lacking, hidden = drawn[drawn["carried"] == "a"], drawn[drawn["complete"]]
            gaps[r] += (score(lacking, "acc") - score(hidden, "acc")) / 2
    assert (row["low"], row["high"]) == pytest.approx(np.quantile(gaps, [0.025, 0.975]), abs=1e-3)


def test_one_person_without_a_sensor_gives_no_false_certainty(tmp_path, probe):
    """Draws without that person say nothing, and are counted as undefined."""
    path = probe("m", 0, lacking=15)
    table = pd.read_parquet(path)
    table[(table["carried"] == "a+b") | (table["subject"] == "s00")].to_parquet(path, index=False)
    row = made(tmp_path, [path]).iloc[0]
    assert row["real_subjects"] == 1
    without = (draw(2, 60, (0, 0))[:, 0] == 0).sum()
    assert row["resamples"] == 60 - without < 60


def test_complete_recordings_give_an_empty_table(tmp_path, probe):
    table = made(tmp_path, [probe("m", 0, lacking=0)])
    assert table.empty
    assert list(table) == [*really_missing.KEYS, *really_missing.COLUMNS]


def test_a_fold_without_a_class_has_no_auc_and_still_an_accuracy(tmp_path, probe):
    path = probe("m", 0, lacking=15)
    table = pd.read_parquet(path)
    kept = table[(table["carried"] == "a+b") | (table["label"] == 0)]
    kept.to_parquet(path, index=False)
    acc, auc = made(tmp_path, [path]).itertuples()
    assert np.isnan(auc.real)
    assert np.isnan(auc.difference)
    assert auc.folds == 0
    assert not np.isnan(auc.artificial)
    assert not np.isnan(acc.difference)


def told(right, **windows):
    """Windows of two classes by subject, all of them told rightly or all wrongly."""
    subjects = np.repeat(list(windows), list(windows.values()))
    label = np.arange(len(subjects)) % 2
    p1 = np.where((label == 1) == right, 0.9, 0.1)
    return pd.DataFrame({"subject": subjects, "label": label, "p0": 1 - p1, "p1": p1})


def test_a_draw_compares_both_kinds_within_the_folds_that_have_both():
    """A fold whose draw holds nobody without the sensor is in neither mean."""
    absence = Absence()
    easy = {"artificial": told(True, s0=4, s1=4), "real": told(True, s0=4)}
    hard = {"artificial": told(False, s0=4, s1=4), "real": told(False, s0=4, s1=4)}
    for fold, kinds in enumerate((easy, hard)):
        absence.add(kinds, ["k0", "k1"], ["s0", "s1"], 60, (0, fold))
    for row in absence.rows():
        assert (row["difference"], row["low"], row["high"]) == (0, 0, 0)
        assert row["resamples"] == 60


def test_one_subject_of_each_kind_gives_no_interval_however_many_others_there_are():
    absence = Absence()
    kinds = {"artificial": told(True, s0=4), "real": told(False, s1=4)}
    absence.add(kinds, ["k0", "k1"], ["s0", "s1", "s2"], 60, (0, 0))
    for row in absence.rows():
        assert row["difference"] == -100
        assert np.isnan([row["low"], row["high"]]).all()
