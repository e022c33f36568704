"""Columns that vary by the rounding of float32 alone tell a head nothing."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from physiome.config.evaluation import ProbeSpec
from physiome.evaluation.centred import less_own_mean
from physiome.evaluation.heads import Labelled, _standardised, column_scale, fit_logistic
from physiome.evaluation.heads_file import load_heads, save_heads
from physiome.evaluation.ridge import fit_ridge

NAMES = ("w", "n", "r")
RNG = np.random.default_rng(0)
Y = RNG.integers(3, size=240)
SUBJECTS = np.arange(240) % 6
VAGUE = RNG.normal(size=(240, 4)) + 0.5 * np.eye(3, 4)[Y] + 5


def with_column(value: float, steps: np.ndarray) -> np.ndarray:
    """(240, 5) float32: the last column is `value`, so many of its roundings above it."""
    size = np.float32(value)
    column = size + steps.astype(np.float32) * np.spacing(size)
    return np.column_stack([VAGUE, column]).astype(np.float32)


def fit(x, **spec):
    return fit_logistic(Labelled(x, Y, SUBJECTS), NAMES, ProbeSpec(**spec), "toy")


@pytest.mark.parametrize("value", [0.3, 3.0, 3e4, 3e7])
@pytest.mark.parametrize("spec", [{}, {"strengths": (1.0,)}])
def test_a_class_that_shows_in_rounding_alone_is_not_seen(value, spec, tmp_path):
    none, leaking = with_column(value, np.zeros(240)), with_column(value, Y)
    assert len(np.unique(leaking[:, 4])) == 3
    (expected, chosen), (found, other) = fit(none, **spec), fit(leaking, **spec)
    assert other["strength"] == chosen["strength"]
    p = found.probabilities(leaking)
    np.testing.assert_allclose(p, expected.probabilities(none), atol=1e-4)
    save_heads(tmp_path / "h.npz", {"a": found}, {})
    np.testing.assert_array_equal(load_heads(tmp_path / "h.npz")["a"].probabilities(leaking), p)


@pytest.mark.parametrize("value", [0.3, 3.0, 3e4, 3e7])
def test_nor_is_it_where_the_mean_of_each_recording_is_gone(value):
    found = less_own_mean(with_column(value, Y), SUBJECTS)
    assert not found[:, 4].any()
    shown = VAGUE.astype(np.float32)
    np.testing.assert_array_equal(found[:, :4], less_own_mean(shown, SUBJECTS))
    assert found[:, :4].std(axis=0).min() > 0.5


@pytest.mark.parametrize("value", [3.0, 3e7])
def test_nor_is_a_target(value):
    target = 70.0 + 5.0 * Y
    expected, found = (
        fit_ridge(x, target, SUBJECTS, "toy").predict(x)
        for x in (with_column(value, np.zeros(240)), with_column(value, Y))
    )
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_other_columns_are_scaled_as_scikit_learn_does_bit_by_bit(dtype):
    sizes = 10.0 ** RNG.uniform(-30, 30, size=200)
    x = (RNG.normal(size=(240, 200)) * sizes + RNG.normal(size=200) * 100 * sizes).astype(dtype)
    scaler, scaled = _standardised(x, None)
    expected = StandardScaler().fit(x)
    np.testing.assert_array_equal(scaler.scale_, expected.scale_)
    assert scaler.scale_.dtype == expected.scale_.dtype
    np.testing.assert_array_equal(scaled, expected.transform(x))


def test_what_is_constant_is_divided_by_a_number_that_leaves_it_small():
    found = column_scale(np.array([0.0, 0.5, -4.0, 1e8, 0.0]), np.array([0.0, 1e-8, 0.0, 9, 1e-9]))
    assert found.tolist() == [1.0, 1.0, 4.0, 1e8, 1e-9]
