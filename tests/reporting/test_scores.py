import numpy as np
import pandas as pd
import pytest

from physiome.errors import DataError
from physiome.reporting.scores import COLUMNS, SUBJECT_COLUMNS, read_scores
from physiome.steps.scores import run, run_concat


def scored(tmp_path, *probes, name="scores"):
    output, by_subject = tmp_path / f"{name}.csv", tmp_path / f"{name}_by_subject.csv"
    run(list(probes), output, by_subject)
    return read_scores(output), pd.read_csv(by_subject)


def value(scores, metric, subset="a+b", column="value"):
    found = scores[(scores["metric"] == metric) & (scores["subset"] == subset)]
    assert len(found) == 1
    return found[column].iloc[0]


def test_scores_are_tidy_and_name_their_source(tmp_path, probe):
    scores, subjects = scored(tmp_path, probe("m", 0), probe("m", 1), probe("n", 0))
    assert list(scores) == COLUMNS
    assert list(subjects) == SUBJECT_COLUMNS
    runs = scores[["dataset", "fold", "method"]].drop_duplicates()
    assert set(runs.itertuples(index=False, name=None)) == {
        ("toy", 0, "m"),
        ("toy", 1, "m"),
        ("toy", 0, "n"),
    }


def test_a_fold_of_which_no_test_window_can_be_scored_has_empty_scores(tmp_path, probe):
    """Of chosen subsets that none carries; with no other fold the step failed."""
    path = probe("m", 0, subsets={"a+b": {"choices": {"logistic": {}, "centred": {}}}})
    pd.read_parquet(path).iloc[:0].to_parquet(path)
    scores, subjects = scored(tmp_path, path)
    assert set(scores["head"]) == {"logistic", "centred"}
    assert scores["value"].isna().all()
    assert (scores["windows"] == 0).all()
    assert subjects.empty
    assert set(scored(tmp_path, path, probe("m", 1))[0]["fold"]) == {0, 1}


def test_all_subsets_are_compared_on_the_same_windows(tmp_path, probe):
    scores, _ = scored(tmp_path, probe())
    for subset in ("a+b", "a", "b"):
        assert value(scores, "acc", subset, "windows") == 118  # 120, one of each record incomplete
    assert value(scores, "acc", "as_recorded", "windows") == 120
    assert value(scores, "acc", column="subjects") == 2


def test_accuracy_by_subject_is_counted_from_the_windows(tmp_path, probe):
    path = probe()
    scores, subjects = scored(tmp_path, path)
    table = pd.read_parquet(path).query("subset == 'a+b' and complete")
    right = table[["p0", "p1", "p2"]].to_numpy().argmax(axis=1) == table["label"]
    expected = right.groupby(table["subject"]).mean()
    mine = subjects[subjects["subset"] == "a+b"].set_index("subject")
    assert mine["acc"].to_dict() == pytest.approx(expected.to_dict())
    assert mine["windows"].to_dict() == {"s00": 39, "s01": 79}
    assert value(scores, "acc_subject_mean") == pytest.approx(expected.mean())
    assert value(scores, "acc_subject_sd") == pytest.approx(np.std(expected, ddof=1))
    assert value(scores, "acc") == pytest.approx(right.mean())


def test_each_cell_carries_windows_and_subjects_of_every_class(tmp_path, probe):
    path = probe()
    table = pd.read_parquet(path)
    mine = (table["subject"] == "s00") & (table["label"] == 2)  # of one subject only
    table[~mine].to_parquet(path, index=False)
    scores, _ = scored(tmp_path, path)
    tested = table[~mine & table["complete"]].query("subset == 'a'")
    for c in range(3):
        assert value(scores, f"windows_k{c}", "a") == (tested["label"] == c).sum() > 0
        assert value(scores, f"subjects_k{c}", "a") == (1 if c == 2 else 2)
    assert value(scores, "windows_k0", "as_recorded") >= value(scores, "windows_k0", "a+b")


def test_onset_scores_carry_the_counts_of_their_own_windows(tmp_path, probe):
    path = probe("m", classes=2, event=True)
    table = pd.read_parquet(path)
    first = (table["number"] < 20) & (table["subject"] == "s00")  # not yet in the state
    table.assign(event=table["event"] & ~first).to_parquet(path, index=False)
    scores, _ = scored(tmp_path, path)
    ahead = table[first & table["complete"] & (table["label"] == 1)].query("subset == 'a'")
    assert value(scores, "onset_windows_k1", "a") == len(ahead) > 0
    assert value(scores, "onset_subjects_k1", "a") == 1
    assert value(scores, "windows_k1", "a") > len(ahead)
    assert value(scores, "auc_onset", "a") > 0.5


def test_onset_auc_appears_only_where_windows_already_are_in_the_state(tmp_path, probe):
    with_events, _ = scored(tmp_path, probe("m", classes=2, event=True))
    without, _ = scored(tmp_path, probe("m", classes=2, event=False))
    three, _ = scored(tmp_path, probe("m", classes=3, event=True))
    assert "auc_onset" in set(with_events["metric"])
    assert "auc_onset" not in set(without["metric"]) | set(three["metric"])
    onset = with_events[with_events["metric"] == "auc_onset"]
    assert (onset["windows"] < with_events["windows"].max()).all()
    assert onset["value"].isna().all()  # every positive window was already in the state


def test_undefined_score_is_an_empty_field(tmp_path, probe):
    path = probe()
    table = pd.read_parquet(path)
    table[table["label"] != 2].to_parquet(path, index=False)
    scores, _ = scored(tmp_path, path)
    assert np.isnan(value(scores, "auc_k2"))
    assert value(scores, "auc") > 0.8
    assert "toy,0,m,a+b,logistic,auc_k2,," in (tmp_path / "scores.csv").read_text()


@pytest.mark.parametrize("kind", ["scores", "subjects"])
def test_joined_files_hold_every_row(tmp_path, probe, kind):
    parts = []
    for fold in (0, 1):
        run([probe("NA", fold)], tmp_path / f"s{fold}.csv", tmp_path / f"b{fold}.csv")
        parts.append(tmp_path / f"{'s' if kind == 'scores' else 'b'}{fold}.csv")
    run_concat(parts, tmp_path / "all.csv")
    joined = pd.read_csv(tmp_path / "all.csv", keep_default_na=False)
    assert len(joined) == sum(len(pd.read_csv(part)) for part in parts)
    assert set(joined["method"]) == {"NA"}
    assert set(joined["fold"]) == {0, 1}


def test_the_same_result_twice_is_refused_and_nothing_is_written(tmp_path, probe):
    scored(tmp_path, probe())
    with pytest.raises(DataError, match=r"occur twice.*toy 0 m a\+b logistic acc"):
        run_concat([tmp_path / "scores.csv"] * 2, tmp_path / "all.csv")
    assert not (tmp_path / "all.csv").exists()


def test_files_of_two_kinds_are_not_joined(tmp_path, probe):
    scored(tmp_path, probe())
    both = [tmp_path / "scores.csv", tmp_path / "scores_by_subject.csv"]
    with pytest.raises(DataError, match="not a file of scores"):
        run_concat(both, tmp_path / "all.csv")
    with pytest.raises(DataError, match="is missing"):
        run_concat([tmp_path / "absent.csv"], tmp_path / "all.csv")
    with pytest.raises(DataError, match="no score files"):
        run_concat([], tmp_path / "all.csv")
