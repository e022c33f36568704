import math

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score, f1_score, recall_score, roc_auc_score

from physiome.evaluation.metrics import binary_auc, onset_auc, subject_accuracy, window_metrics

THREE = ("w", "n", "r")
Y3 = np.array([0, 0, 1, 1, 2, 2])
P3 = np.array(
    [[0.7, 0.2, 0.1], [0.4, 0.5, 0.1], [0.3, 0.6, 0.1],
     [0.2, 0.3, 0.5], [0.1, 0.2, 0.7], [0.5, 0.1, 0.4]]
)  # fmt: skip


def test_three_class_scores_in_closed_form():
    scores = window_metrics(Y3, P3, THREE)
    assert scores["acc"] == 0.5
    for name in THREE:
        assert scores[f"auc_{name}"] == 0.875
        assert scores[f"recall_{name}"] == 0.5
        assert scores[f"f1_{name}"] == 0.5
    assert scores["auc"] == 0.875
    assert scores["kappa"] == pytest.approx(0.25)  # (1/2 - 1/3) / (1 - 1/3)


def test_binary_auc_is_that_of_the_second_class():
    p1 = np.array([0.1, 0.4, 0.35, 0.8])
    scores = window_metrics(np.array([0, 0, 1, 1]), np.stack([1 - p1, p1], axis=1), ("no", "yes"))
    assert scores["auc"] == scores["auc_yes"] == 0.75
    assert scores["acc"] == 0.75


def test_constant_scores_are_chance():
    assert binary_auc(np.array([False, True, True]), np.full(3, 0.4)) == 0.5


def test_scores_match_scikit_learn_on_random_windows():
    rng = np.random.default_rng(0)
    y, p = rng.integers(5, size=400), rng.dirichlet(np.ones(5), size=400)
    said = p.argmax(axis=1)
    scores = window_metrics(y, p, tuple("abcde"))
    assert scores["auc"] == pytest.approx(roc_auc_score(y, p, multi_class="ovr"))
    assert scores["f1"] == pytest.approx(f1_score(y, said, average="macro"))
    assert scores["kappa"] == pytest.approx(cohen_kappa_score(y, said))
    recalls = [scores[f"recall_{c}"] for c in "abcde"]
    np.testing.assert_allclose(recalls, recall_score(y, said, average=None))


def test_class_absent_in_test_is_undefined_and_left_out_of_the_averages(recwarn):
    y = np.array([0, 0, 1, 1])
    p = P3[:4]
    scores = window_metrics(y, p, THREE)
    assert all(math.isnan(scores[f"{m}_r"]) for m in ("auc", "f1", "recall"))
    assert scores["auc"] == pytest.approx((scores["auc_w"] + scores["auc_n"]) / 2)
    assert scores["f1"] == pytest.approx((scores["f1_w"] + scores["f1_n"]) / 2)
    assert scores["acc"] == 0.5
    assert not recwarn.list


@pytest.mark.parametrize("rows", [0, 3])
def test_nothing_or_one_class_gives_undefined_scores_not_errors(rows, recwarn):
    y = np.zeros(rows, int)
    p = np.tile([0.9, 0.1], (rows, 1))
    scores = window_metrics(y, p, ("no", "yes"))
    assert math.isnan(scores["auc"])
    assert math.isnan(scores["kappa"])
    assert scores["acc"] == 1.0 if rows else math.isnan(scores["acc"])
    assert not recwarn.list


def test_onset_auc_ignores_windows_already_in_the_state():
    y = np.array([0, 1, 0, 1, 1, 1])
    p1 = np.array([0.5, 0.4, 0.1, 0.6, 0.99, 0.99])
    event = np.array([False, False, False, False, True, True])
    p = np.stack([1 - p1, p1], axis=1)
    assert onset_auc(y, p, event) == 0.75
    assert binary_auc(y == 1, p1) == 0.875
    assert math.isnan(onset_auc(y, p, np.ones(6, bool)))


def test_subject_accuracy_counts_each_persons_windows():
    subjects = pd.Series(["b", "a", "a", "b", "b", "b"], index=[9, 8, 7, 6, 5, 4])
    found = subject_accuracy(subjects, Y3, P3)  # right: rows 0, 2, 4
    assert found.to_dict() == {"windows": {"a": 2, "b": 4}, "acc": {"a": 0.5, "b": 0.5}}
