"""Losses of codes against their closed forms."""

import math

import pytest
import torch

from physiome.nn.losses import cross_entropy, mse, orthogonality


def test_only_vectors_that_point_the_same_way_cost_orthogonality():
    a = torch.tensor([[1.0, 0.0]]).expand(3, 2)
    b = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    assert float(orthogonality(a, b)) == pytest.approx(1 / 3)
    assert float(orthogonality(3 * a, 7 * b)) == pytest.approx(1 / 3)
    assert [float(orthogonality(a[:1], one[None])) for one in b] == pytest.approx([1, 0, 0])


@pytest.mark.parametrize(("codes", "expected"), [(2048, 7.624619), (8192, 9.010913)])
def test_chance_costs_the_logarithm_of_the_number_of_codes(codes, expected):
    numbers = torch.randint(codes, (2, 3))
    for smoothing in (0.0, 0.1):
        found = cross_entropy(torch.zeros(2, 3, codes), numbers, smoothing)
        assert float(found) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_smoothed_cross_entropy_is_the_definition(smoothing):
    logits, labels = torch.randn(2, 3, 5), torch.randint(5, (2, 3))
    total = 0.0
    for row, label in zip(logits.reshape(6, 5).tolist(), labels.flatten().tolist(), strict=True):
        norm = math.log(sum(math.exp(value) for value in row))
        for k, value in enumerate(row):
            target = smoothing / 5 + (1 - smoothing) * (k == label)
            total += target * (norm - value) / 6
    assert float(cross_entropy(logits, labels, smoothing)) == pytest.approx(total, rel=1e-5)


def test_low_precision_is_raised_before_anything_is_summed():
    logits = torch.randn(4, 3, 7).bfloat16()
    numbers = torch.randint(7, (4, 3))
    assert cross_entropy(logits, numbers).dtype == torch.float32
    assert torch.equal(cross_entropy(logits, numbers), cross_entropy(logits.float(), numbers))
    assert mse(logits, logits + 1).dtype == torch.float32
    assert orthogonality(logits, logits).dtype == torch.float32


def test_the_squared_error_is_a_mean_over_everything():
    target = torch.zeros(2, 3, 4)
    prediction = torch.ones(2, 3, 4)
    prediction[0, 0, 0] = 5.0
    assert float(mse(prediction, target)) == pytest.approx((23 + 25) / 24)
