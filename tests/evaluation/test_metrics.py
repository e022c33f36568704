import math

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    cohen_kappa_score,
    f1_score,
    recall_score,
    roc_auc_score,
)

from physiome.evaluation.metrics import (
    binary_auc,
    calibration_error,
    class_counts,
    onset_auc,
    subject_accuracy,
    window_metrics,
)

THREE = ("w", "n", "r")
Y3 = np.array([0, 0, 1, 1, 2, 2])
P3 = np.array(
    [
        [0.7, 0.2, 0.1],
        [0.4, 0.5, 0.1],
        [0.3, 0.6, 0.1],
        [0.2, 0.3, 0.5],
        [0.1, 0.2, 0.7],
        [0.5, 0.1, 0.4],
    ]
)


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
    assert scores["balanced_acc"] == pytest.approx(balanced_accuracy_score(y, said))
    each = [average_precision_score(y == c, p[:, c]) for c in range(5)]
    assert scores["auprc"] == pytest.approx(np.mean(each))
    assert [scores[f"auprc_{c}"] for c in "abcde"] == pytest.approx(each)


def test_two_class_scores_match_scikit_learn_on_the_second_class():
    rng = np.random.default_rng(1)
    y, p1 = rng.integers(2, size=300), rng.random(300)
    scores = window_metrics(y, np.stack([1 - p1, p1], axis=1), ("no", "yes"))
    assert scores["auprc"] == scores["auprc_yes"]
    assert scores["auprc"] == pytest.approx(average_precision_score(y, p1))
    assert scores["f1"] == pytest.approx(f1_score(y, p1 > 0.5, average="macro"))
    assert scores["kappa"] == pytest.approx(cohen_kappa_score(y, p1 > 0.5))


def test_kappa_of_one_label_said_wrongly_is_defined_and_zero():
    """Agreement by chance is not certain while two classes are said."""
    p = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
    assert window_metrics(np.zeros(3, int), p, ("no", "yes"))["kappa"] == 0.0


# --- calibration: closed forms


def test_calibration_error_of_one_confidence_is_its_distance_from_the_share_right():
    p = np.tile([0.7, 0.2, 0.1], (10, 1))
    y = np.repeat([0, 1], [4, 6])  # right in 40 %
    assert calibration_error(y, p) == pytest.approx(0.3)
    assert window_metrics(y, p, THREE)["ece"] == pytest.approx(0.3)
    y = np.repeat([0, 1], [7, 3])
    assert calibration_error(y, p) == pytest.approx(0.0)


def test_calibration_error_weighs_bins_by_their_windows_and_does_not_cancel_between_them():
    # 3 windows of 0.9, all wrong: gap 0.9; 1 window of 0.6, right: gap 0.4
    p = np.array([[0.9, 0.1]] * 3 + [[0.6, 0.4]])
    y = np.array([1, 1, 1, 0])
    assert calibration_error(y, p) == pytest.approx((3 * 0.9 + 0.4) / 4)
    assert calibration_error(y, p, bins=1) == pytest.approx(abs(1 / 4 - 3.3 / 4))


def test_an_edge_belongs_to_the_bin_below_and_certainty_to_the_last():
    # in halves: 0.5 lies in (0, 1/2], 0.51 and 1 in (1/2, 1]
    p = np.array([[0.5, 0.5], [0.51, 0.49], [1.0, 0.0]])
    y = np.array([0, 1, 0])
    assert calibration_error(y, p, bins=2) == pytest.approx((0.5 + abs(1 - 1.51)) / 3)
    assert math.isnan(calibration_error(y[:0], p[:0]))


def test_certain_and_right_is_perfectly_calibrated():
    y = np.array([0, 1, 2, 1])
    assert calibration_error(y, np.eye(3, dtype=np.float32)[y]) == 0.0


def test_class_counts_are_windows_and_the_subjects_who_have_one():
    subjects = pd.Series(["b", "a", "a", "b", "c", "b"], index=[9, 8, 7, 6, 5, 4])
    found = class_counts(subjects, np.array([0, 0, 0, 1, 1, 1]), ("w", "n", "r"))
    assert found == {
        "windows_w": 3,
        "subjects_w": 2,
        "windows_n": 3,
        "subjects_n": 2,
        "windows_r": 0,
        "subjects_r": 0,
    }
    assert set(class_counts(subjects, Y3, ("w",), "onset_")) == {
        "onset_windows_w",
        "onset_subjects_w",
    }


def test_class_absent_in_test_is_undefined_and_left_out_of_the_averages(recwarn):
    y = np.array([0, 0, 1, 1])
    p = P3[:4]
    scores = window_metrics(y, p, THREE)
    assert all(math.isnan(scores[f"{m}_r"]) for m in ("auc", "auprc", "f1", "recall"))
    assert scores["auc"] == pytest.approx((scores["auc_w"] + scores["auc_n"]) / 2)
    assert scores["f1"] == pytest.approx((scores["f1_w"] + scores["f1_n"]) / 2)
    assert scores["auprc"] == pytest.approx((scores["auprc_w"] + scores["auprc_n"]) / 2)
    assert scores["balanced_acc"] == pytest.approx((scores["recall_w"] + scores["recall_n"]) / 2)
    assert scores["acc"] == 0.5
    assert not recwarn.list


@pytest.mark.parametrize("rows", [0, 3])
def test_nothing_or_one_class_gives_undefined_scores_not_errors(rows, recwarn):
    y = np.zeros(rows, int)
    p = np.tile([0.9, 0.1], (rows, 1))
    scores = window_metrics(y, p, ("no", "yes"))
    assert math.isnan(scores["auc"])
    assert math.isnan(scores["auprc"])
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
