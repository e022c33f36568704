"""The bootstrap over subjects, against exact scores and a loop that repeats windows."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from physiome.evaluation.bootstrap import (
    count,
    draw,
    percentile_interval,
    resampled_acc,
    resampled_auc,
)
from physiome.evaluation.metrics import window_metrics

pytestmark = pytest.mark.slow


def windows(classes, n=3000, subjects=7, seed=0, values=None):
    """Subjects of unlike size and skill; the last class occurs in two subjects only."""
    rng = np.random.default_rng(seed)
    who = np.sort(rng.integers(subjects, size=n))
    y = np.where(who < 2, rng.integers(classes, size=n), rng.integers(classes - 1, size=n))
    p = rng.random((n, classes))
    p[np.arange(n), y] += np.linspace(0, 1, subjects)[who]
    p /= p.sum(axis=1, keepdims=True)
    if values is not None:
        p = np.round(p * values) / values
    return np.array([f"s{w}" for w in who]), y, p


def repeated(subjects, y, p, drawn):
    """Scores of a resample, from the windows of each subject as often as it was drawn."""
    times = dict(zip(np.unique(subjects), drawn.astype(int), strict=True))
    at = np.repeat(np.arange(len(y)), [times[s] for s in subjects])
    return window_metrics(y[at], p[at], [str(c) for c in range(p.shape[1])])


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize(("values", "tolerance"), [(None, 2e-5), (200, 1e-12)])
def test_binned_auc_is_the_exact_one(classes, values, tolerance):
    subjects, y, p = windows(classes, n=20000, values=values)
    whole = np.ones((1, 7))
    found = resampled_auc(count(subjects, y, p), whole)[0]
    if classes == 2:
        exact = roc_auc_score(y, p[:, 1])
    else:
        exact = np.mean([roc_auc_score(y == c, p[:, c]) for c in range(classes)])
    assert found == pytest.approx(exact, abs=tolerance)
    assert resampled_acc(count(subjects, y, p), whole)[0] == pytest.approx(
        np.mean(p.argmax(axis=1) == y)
    )


def test_ties_count_half():
    counts = count(["a"] * 4, np.array([0, 0, 1, 1]), np.full((4, 2), 0.5))
    assert resampled_auc(counts, np.ones((1, 1)))[0] == 0.5


@pytest.mark.parametrize("classes", [2, 4])
def test_resamples_score_as_windows_repeated_by_hand(classes):
    subjects, y, p = windows(classes, values=100)
    drawn = draw(7, 60, (3, 0))
    counts = count(subjects, y, p)
    slow = [repeated(subjects, y, p, row) for row in drawn]
    lost = (drawn[:, :2].sum(axis=1) == 0).sum()
    assert lost > 0  # in these the last class is gone
    np.testing.assert_allclose(resampled_acc(counts, drawn), [s["acc"] for s in slow], atol=1e-12)
    found = resampled_auc(counts, drawn)
    np.testing.assert_allclose(found, [s["auc"] for s in slow], atol=1e-12)
    assert np.isnan(found).sum() == (lost if classes == 2 else 0)


def test_every_resample_draws_as_many_subjects_and_repeats_with_its_seed():
    drawn = draw(9, 500, (0, 1))
    assert (drawn.sum(axis=1) == 9).all()
    assert drawn.mean(axis=0) == pytest.approx(np.ones(9), abs=0.2)
    np.testing.assert_array_equal(drawn, draw(9, 500, (0, 1)))
    assert (drawn != draw(9, 500, (0, 2))).any()


def test_paired_interval_is_narrower_than_unpaired_on_methods_that_fail_alike():
    subjects, y, p = windows(5, n=6000, subjects=20)
    other = p.copy()
    other[::40] = np.roll(other[::40], 1, axis=1)
    mine, theirs = count(subjects, y, p), count(subjects, y, other)

    def width(seed, of):
        low, high = percentile_interval(of(mine, draw(20, 1000, (0,))) - of(theirs, seed))
        return high - low

    for of in (resampled_acc, resampled_auc):
        assert width(draw(20, 1000, (0,)), of) < 0.5 * width(draw(20, 1000, (1,)), of)


def test_interval_is_the_middle_of_the_defined_values():
    values = np.append(np.arange(1001.0), [np.nan] * 5)
    assert percentile_interval(values) == pytest.approx((25, 975))
    assert np.isnan(percentile_interval(np.array([np.nan]))).all()
