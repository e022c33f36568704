"""What `physiome learn` makes of score files whose answers are known."""

import shutil

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.metrics import balanced_accuracy_score, r2_score, roc_auc_score

from physiome.errors import DataError
from physiome.evaluation.bootstrap import draw
from physiome.evaluation.gains import fold_scores, gain
from physiome.files import read_json, write_json
from physiome.reporting.gains import COLUMNS
from physiome.steps import learn

SUBSETS = ("abp+ecg", "abp", "ecg")
SUBJECTS, WINDOWS = 12, 30
# method -> how far the classes' scores lie apart (in sd), and the noise of the predicted target
PLANTED = {
    "good": (2.0, 2.0),
    "good_fresh": (0.5, 8.0),
    "same": (1.0, 4.0),
    "same_fresh": (1.0, 4.0),
    "control": (1.5, 5.0),
}
ROWS = {
    "good": {"title": "Good", "twin": "good_fresh", "reference": None},
    "same": {"title": "Same", "twin": "same_fresh", "reference": "good"},
    "control": {"title": "Control", "twin": None, "reference": None},
}


def scores(method, seed, fold, positives=True):
    """Per-window scores; the labels are those of the fold whatever the method and the seed."""
    of_fold = np.random.default_rng(fold)
    n = SUBJECTS * WINDOWS
    label = (of_fold.random(n) < 0.3).astype(int) * positives
    target = 80.0 - 15.0 * label + of_fold.normal(size=n) * 10
    gap, noise = PLANTED[method]
    who = np.repeat(np.arange(SUBJECTS), WINDOWS)
    tables = []
    for i, subset in enumerate(SUBSETS):
        rng = np.random.default_rng([*map(ord, method), seed, fold, i])
        z = gap * label + rng.normal(size=n)
        p1 = 1 / (1 + np.exp(-z))
        tables.append(
            pd.DataFrame(
                {
                    "record": [f"r{w}" for w in who],
                    "subject": [f"f{fold}s{w}" for w in who],
                    "number": np.arange(n),
                    "label": label,
                    "complete": True,
                    "subset": subset,
                    "head": "logistic",
                    "p0": 1 - p1,
                    "p1": p1,
                    "target": target,
                    "predicted": target + noise * rng.normal(size=n),
                }
            )
        )
    again = tables[0].assign(subset="as_recorded", predicted=np.nan)
    return pd.concat([*tables, again], ignore_index=True)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """`pairs.json` of three seeds of two folds, of which one lacks positives."""
    place, found = tmp_path_factory.mktemp("learn"), []
    for seed in range(3):
        names = []
        for fold in (1, 2):
            for method in PLANTED if seed == 0 else [m for m in PLANTED if m != "control"]:
                path = place / f"seed{seed}" / f"{method}-{fold}.parquet"
                path.parent.mkdir(exist_ok=True)
                scores(method, seed, fold, positives=fold == 1).to_parquet(path)
                facts = {"dataset": "toy", "fold": fold, "method": method, "classes": ["no", "yes"]}
                write_json(path.with_suffix(".json"), facts)
                names.append(path.name)
        toy = {"title": "Toy", "modalities": ["abp", "ecg"], "pressure": "abp", "rows": ROWS}
        told = {"seed": seed, "resamples": 200, "draws": 0, "datasets": {"toy": toy}}
        found.append(place / f"seed{seed}" / "pairs.json")
        write_json(found[-1], {**told, "scores": names})
    return found


@pytest.fixture(scope="module")
def summary(runs, tmp_path_factory):
    place = tmp_path_factory.mktemp("out")
    learn.run(runs, place, ["a line of the caller's"])
    table = pd.read_csv(place / "summary.csv")
    return table.set_index(["method", "subset", "metric"]), place


@pytest.mark.parametrize("metric", ["auc", "balanced_acc", "r2"])
@pytest.mark.parametrize("subset", [*SUBSETS, "mean_of_proper_subsets"])
def test_a_system_that_learned_lies_above_its_twin_and_one_that_did_not_does_not(
    summary, subset, metric
):
    table, _ = summary
    assert table.loc[("good", subset, metric), "low"] > 0
    same = table.loc[("same", subset, metric)]
    assert same["low"] < 0 < same["high"]


def test_scores_are_those_that_were_planted(summary):
    table, _ = summary
    for method in ("good", "same"):
        row = table.loc[(method, "abp", "auc")]
        gap = PLANTED[method][0]
        assert row["trained"] == pytest.approx(100 * norm.cdf(gap / 2**0.5), abs=4.0)
        assert row["difference"] == pytest.approx(row["trained"] - row["untrained"], abs=0.02)
    folds = np.where(table.index.get_level_values("metric") == "auc", 1, 2)  # fold 2 has none
    assert (table["subjects"] == folds * SUBJECTS).all()
    assert table.loc[("good", "abp", "auc"), "seeds"] == 3


def test_a_control_has_a_score_and_no_difference(summary):
    table, _ = summary
    row = table.loc[("control", "abp", "auc")]
    assert row["trained"] > 70
    assert row["seeds"] == 1
    assert row[["untrained", "difference", "low", "high"]].isna().all()


def test_a_variant_is_also_compared_with_what_it_is_a_variant_of(summary):
    table, _ = summary
    row = table.loc[("same - good", "mean_of_proper_subsets", "auc")]
    assert row["high"] < 0
    assert np.isnan(row["untrained"])


def test_means_with_and_without_the_pressure_are_those_of_their_subsets(summary):
    table, _ = summary
    r2 = table.xs("r2", level="metric")["trained"]["good"]
    assert r2["mean_with_abp"] == pytest.approx(r2[["abp+ecg", "abp"]].mean(), abs=2e-4)
    assert r2["mean_without_abp"] == pytest.approx(r2["ecg"], abs=2e-4)


def test_a_fold_without_positives_has_no_auc_and_the_page_says_so(summary):
    _, place = summary
    page = (place / "summary.txt").read_text(encoding="utf-8")
    assert "fold 2 has no AUC" in page
    assert "fold 2 has no R2" not in page
    assert "a line of the caller's" in page
    assert max(map(len, page.splitlines())) <= 100
    assert (place / "summary.svg").read_bytes().startswith(b"<?xml")
    header = (place / "summary.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header == ",".join(COLUMNS)


def test_folds_of_one_subject_each_have_gains_without_intervals(runs, tmp_path):
    told = read_json(runs[0])
    for path in (runs[0].parent / name for name in told["scores"]):
        table = pd.read_parquet(path)
        table[table["subject"] == table["subject"].max()].to_parquet(tmp_path / path.name)
        shutil.copy(path.with_suffix(".json"), tmp_path)
    write_json(tmp_path / "pairs.json", told)
    page = learn.run([tmp_path / "pairs.json"], tmp_path / "out", [])
    table = pd.read_csv(tmp_path / "out" / "summary.csv")
    assert (table["subjects"] == np.where(table["metric"] == "auc", 1, 2)).all()
    assert table["difference"].notna().any()
    assert table[["low", "high"]].isna().all(axis=None)
    assert "nan" not in page


def test_the_page_says_why_a_fold_is_left_out_and_what_rows_of_two_systems_are(runs, tmp_path):
    told = read_json(runs[0])
    for path in (runs[0].parent / name for name in told["scores"]):
        table = pd.read_parquet(path)
        if path.stem.endswith("-2"):
            table["complete"] = False
        else:
            table["target"] = 80.0
        table.to_parquet(tmp_path / path.name)
        shutil.copy(path.with_suffix(".json"), tmp_path)
    write_json(tmp_path / "pairs.json", told)
    page = " ".join(learn.run([tmp_path / "pairs.json"], tmp_path / "out", [], width=300).split())
    assert "fold 2 has no score (no test window carries every modality" in page
    assert "fold 1 has no R2 (its target is one value" in page
    assert "lack a class" not in page
    assert "of two systems, A - B, the trained weights of A minus those of B" in page
    assert "or of two systems" in (tmp_path / "out" / "summary.svg").read_text()


def test_a_gain_is_the_mean_over_keys_of_the_mean_over_seeds_of_the_mean_over_folds():
    rng, keys = np.random.default_rng(0), [("abp", "auc"), ("ecg", "auc")]
    seeds = [
        {s: {f: {k: rng.random(101) for k in keys} for f in (1, 2)} for s in (5, 6, 7)}
        for _ in range(2)
    ]
    trained, untrained = (
        np.mean([one[s][f][k] for s in one for f in (1, 2) for k in keys], axis=0) for one in seeds
    )
    found = gain(*seeds, keys, {1: 4, 2: 4})
    assert found.trained == pytest.approx(trained[0])
    assert found.untrained == pytest.approx(untrained[0])
    assert found.difference == pytest.approx(trained[0] - untrained[0])
    one = [{5: system[5]} for system in seeds]  # of one seed nothing but subjects is drawn
    of_one = [np.mean([s[5][f][k] for f in (1, 2) for k in keys], axis=0) for s in one]
    interval = np.quantile((of_one[0] - of_one[1])[1:], [0.025, 0.975])
    alone = gain(*one, keys, {1: 4, 2: 4})
    assert (alone.low, alone.high) == pytest.approx(tuple(interval))


def test_scores_of_a_resample_are_those_of_its_subjects_windows_repeated_by_hand():
    table = scores("same", 0, 1).query("subset == 'ecg'")
    table = table.drop(table.index[table["subject"] == "f1s3"][4:])  # of unlike size
    by_subject = [part for _, part in table.groupby("subject")]
    drawn = draw(SUBJECTS, 20, (0,))
    found = fold_scores(table, ["no", "yes"], drawn)
    for r, times in enumerate([np.ones(SUBJECTS), *drawn]):
        again = pd.concat([by_subject[s] for s in np.repeat(range(SUBJECTS), times.astype(int))])
        y, p1 = again["label"], again["p1"]
        assert found["auc"][r] == pytest.approx(roc_auc_score(y, p1))
        assert found["balanced_acc"][r] == pytest.approx(balanced_accuracy_score(y, p1 > 0.5))
        assert found["r2"][r] == pytest.approx(r2_score(again["target"], again["predicted"]))


def test_twins_that_were_tested_on_other_windows_are_refused(runs, tmp_path):
    for path in runs[:1]:
        told = path.read_text(encoding="utf-8")
        (tmp_path / "pairs.json").write_text(told, encoding="utf-8")
        for method in PLANTED:
            for fold in (1, 2):
                table = scores(method, 0, fold, positives=fold == 1)
                kept = table["number"] > 0 if (method, fold) == ("good_fresh", 1) else slice(None)
                stem = tmp_path / f"{method}-{fold}.parquet"
                table[kept].to_parquet(stem)
                facts = path.parent / f"{method}-{fold}.json"
                stem.with_suffix(".json").write_text(facts.read_text(encoding="utf-8"))
    with pytest.raises(DataError, match="other test windows"):
        learn.run([tmp_path / "pairs.json"], tmp_path / "out", [])


def test_a_method_without_a_head_in_a_fold_is_left_out_there_alone(runs, tmp_path):
    """As a control that needs a signal which no labelled subject of the fold carries."""
    told = read_json(runs[0])
    for path in (runs[0].parent / name for name in told["scores"]):
        table = pd.read_parquet(path)
        lacking = path.stem in ("good-2", "good_fresh-1")  # in the order of files: first and last
        table.iloc[: 0 if lacking else None].to_parquet(tmp_path / path.name)
        shutil.copy(path.with_suffix(".json"), tmp_path)
    write_json(tmp_path / "pairs.json", told)
    page = " ".join(learn.run([tmp_path / "pairs.json"], tmp_path / "out", [], width=300).split())
    assert "fold 1 has no score of good_fresh (no test window" in page
    assert "fold 2 has no score of good (no test window" in page
    table = pd.read_csv(tmp_path / "out" / "summary.csv").set_index(["method", "metric"])
    assert "good" not in table.index.get_level_values("method")  # no fold has both
    assert (table.loc[("same", "r2"), "subjects"] == 2 * SUBJECTS).all()


def test_a_part_is_not_called_everything_observed(runs, tmp_path):
    """As where no labelled subject carries all modalities: there is no head of the full set."""
    told = read_json(runs[0])
    for path in (runs[0].parent / name for name in told["scores"]):
        pd.read_parquet(path).query("subset != 'abp+ecg'").to_parquet(tmp_path / path.name)
        shutil.copy(path.with_suffix(".json"), tmp_path)
    write_json(tmp_path / "pairs.json", told)
    page = learn.run([tmp_path / "pairs.json"], tmp_path / "out", [])
    assert page.index("everything observed") < page.index("mean of proper subsets")
    everything, proper = page.split("Control")[1].split()[:2]
    assert (everything, float(proper) > 50) == ("-", True)


def test_another_head_has_files_of_its_own_and_no_dense_target(runs, tmp_path):
    """The ridge of a dense target belongs to none of the heads beside the usual one."""
    told = read_json(runs[0])
    for path in (runs[0].parent / name for name in told["scores"]):
        usual = pd.read_parquet(path)
        worse = usual.assign(head="centred", p0=usual["p1"], p1=usual["p0"])
        pd.concat([usual, worse]).to_parquet(tmp_path / path.name)
        shutil.copy(path.with_suffix(".json"), tmp_path)
    write_json(tmp_path / "pairs.json", told)
    page = learn.run([tmp_path / "pairs.json"], tmp_path / "out", [], "centred")
    table = pd.read_csv(tmp_path / "out" / "summary.centred.csv").set_index(["method", "subset"])
    assert set(table["metric"]) == {"auc", "balanced_acc"}
    assert table.query("metric == 'auc'").loc[("good", "abp"), "trained"] < 20  # turned round
    assert "less the mean of their recording" in page
    assert not (tmp_path / "out" / "summary.csv").exists()
    for path in tmp_path.glob("*-2.parquet"):  # a fold alone is no lack of a head
        pd.read_parquet(path).assign(complete=False).to_parquet(path)
    page = learn.run([tmp_path / "pairs.json"], tmp_path / "out", [], "centred")
    assert "fold 2 has no score" in page
    with pytest.raises(DataError, match="no scores of head 'centred'"):
        learn.run(runs, tmp_path / "none", [], "centred")
