"""The quick probe's pieces in closed form."""

import math

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

from physiome.training.quick_probe import (
    effective_rank,
    even_shares,
    probe_scores,
    spread_sample,
)


@pytest.mark.parametrize(
    ("counts", "total", "shares"),
    [
        ([10, 10, 10], 9, [3, 3, 3]),
        ([1, 10, 10], 9, [1, 4, 4]),  # what the small one lacks, the others give
        ([10, 1, 0], 9, [8, 1, 0]),
        ([2, 3], 100, [2, 3]),
        ([], 5, []),
    ],
)
def test_shares_are_as_even_as_the_heaps_allow(counts, total, shares):
    assert even_shares(counts, total) == shares


def test_a_sample_is_even_over_subjects_and_in_each_over_classes():
    subjects = np.repeat(["a", "b", "c"], [100, 1000, 10])
    labels = np.concatenate([np.arange(n) % 10 == 0 for n in (100, 1000, 10)]).astype(int)
    chosen = spread_sample(subjects, labels, 50)
    assert len(set(chosen.tolist())) == 50
    found, counts = np.unique(subjects[chosen], return_counts=True)
    assert dict(zip(found.tolist(), counts.tolist(), strict=True)) == {"a": 20, "b": 20, "c": 10}
    rare = {s: int(labels[chosen][subjects[chosen] == s].sum()) for s in "abc"}
    assert rare == {"a": 10, "b": 10, "c": 1}  # c has only one
    assert chosen.max() > 1000  # from the whole of a subject's time
    assert len(spread_sample(subjects[:0], labels[:0], 50)) == 0


SUBJECTS = np.repeat([f"s{i}" for i in range(4)], 12)
CLASSES = np.tile([0, 1, 2], 16)


def test_embeddings_that_hold_the_class_are_told_on_unseen_subjects():
    scores = probe_scores(np.eye(3)[CLASSES], CLASSES, SUBJECTS)
    assert scores == {"auc": 1.0, "balanced_acc": 1.0}
    two = CLASSES % 2
    assert probe_scores(np.eye(2)[two], two, SUBJECTS) == {"auc": 1.0, "balanced_acc": 1.0}


def test_held_out_rows_are_scored_by_the_scale_of_those_that_were_fitted():
    rng = np.random.default_rng(0)
    own = rng.normal(size=(4, 3))[np.repeat(np.arange(4), 12)]  # each subject lies elsewhere
    x = np.eye(3)[CLASSES] + own + 0.5 * rng.normal(size=(48, 3))
    p = np.zeros((48, 3))
    for subject in range(4):
        held = f"s{subject}" == SUBJECTS
        scaler = StandardScaler().fit(x[~held])
        head = LogisticRegression(C=0.01, max_iter=200, class_weight="balanced")
        head.fit(scaler.transform(x[~held]), CLASSES[~held])
        p[held] = head.predict_proba(scaler.transform(x[held]))
    scores = probe_scores(x, CLASSES, SUBJECTS)
    assert scores["auc"] == pytest.approx(roc_auc_score(CLASSES, p, multi_class="ovr"))
    assert scores["balanced_acc"] == balanced_accuracy_score(CLASSES, p.argmax(axis=1))


def test_what_tells_subjects_apart_only_tells_no_class():
    """A split by rows would find the classes of a subject by the subject."""
    own = np.repeat([0, 1, 0, 1], 12)  # each subject has one class
    names = np.repeat(np.arange(4), 12)
    assert probe_scores(np.eye(4)[names], own, SUBJECTS)["auc"] <= 0.5


def test_rounding_is_no_feature():
    rng = np.random.default_rng(0)
    constant = np.full((48, 5), 3.0)
    leaking = constant + 1e-7 * np.eye(3)[CLASSES].repeat(2, axis=1)[:, :5]
    leaking += 1e-9 * rng.normal(size=leaking.shape)
    assert probe_scores(leaking, CLASSES, SUBJECTS) == probe_scores(constant, CLASSES, SUBJECTS)
    assert effective_rank(leaking) == effective_rank(constant) == 0.0


def test_a_class_that_some_splits_never_see_is_scored_all_the_same():
    y = np.where(SUBJECTS == "s0", CLASSES, CLASSES % 2)  # only s0 has the third class
    scores = probe_scores(np.eye(3)[y], y, SUBJECTS)
    assert 0.5 < scores["auc"] < 1.0


def test_effective_rank_in_closed_form():
    both = np.concatenate([np.eye(6), -np.eye(6)])
    assert effective_rank(both) == pytest.approx(6.0)  # six directions alike
    assert effective_rank(np.outer(np.arange(9.0), [1.0, 2.0, 3.0])) == pytest.approx(1.0)
    uneven = np.array([[3.0, 0], [-3, 0], [0, 1], [0, -1]])  # singular values 3 : 1
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert effective_rank(uneven) == pytest.approx(math.exp(entropy))


def test_effective_rank_heeds_neither_the_mean_nor_the_scale():
    x = np.random.default_rng(0).normal(size=(40, 5))
    assert effective_rank(7.0 * x + 100.0) == pytest.approx(effective_rank(x))
    assert effective_rank(x) <= 5.0
