"""The per-sample masked error and the masked cosine, against closed forms and slow twins."""

import pytest
import torch

from physiome.nn.losses import masked_cosine, masked_mse, masked_mse_per_sample


def drawn(seed=0):
    """Prediction and target (3, 5, 4), and a mask whose rows have different sums."""
    rng = torch.Generator().manual_seed(seed)
    prediction, target = torch.randn(2, 3, 5, 4, generator=rng)
    mask = torch.tensor([[1, 1, 0, 0, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0]])
    return prediction, target, mask


def slow_mse(prediction, target, mask):
    """The definition, one sample at a time."""
    of_samples = []
    for p, t, row in zip(prediction, target, mask, strict=True):
        errors = [float(((p[i] - t[i]) ** 2).mean()) for i in range(len(row)) if row[i]]
        if errors:
            of_samples.append(sum(errors) / len(errors))
    return sum(of_samples) / len(of_samples)


def test_samples_count_alike_however_many_tokens_they_mask():
    error = torch.ones(2, 4)
    error[0, 0] = 3.0
    mask = torch.tensor([[1, 0, 1, 0], [0, 0, 1, 0]])
    prediction = error[:, :, None].expand(2, 4, 7)
    assert float(masked_mse_per_sample(prediction, torch.zeros(2, 4, 7), mask)) == 3.0
    assert float(masked_mse(prediction, torch.zeros(2, 4, 7), mask)) == pytest.approx(11 / 3)


def test_the_error_agrees_with_its_definition_one_sample_at_a_time():
    prediction, target, mask = drawn()
    assert float(masked_mse_per_sample(prediction, target, mask)) == pytest.approx(
        slow_mse(prediction, target, mask), rel=1e-6
    )


@pytest.mark.parametrize(
    ("vector", "expected"),
    [((1.0, 0.0), 0.0), ((0.0, 1.0), 1.0), ((-1.0, 0.0), 2.0), ((5.0, 5.0), 1 - 0.5**0.5)],
)
def test_the_cosine_distance_of_known_vectors(vector, expected):
    target = torch.tensor([[[1.0, 0.0]]])
    found = masked_cosine(torch.tensor([[vector]]), target, torch.ones(1, 1))
    assert float(found) == pytest.approx(expected, abs=1e-6)


def test_the_cosine_is_averaged_over_masked_tokens_of_the_batch():
    prediction, target, mask = drawn()
    chosen = mask.bool()
    p, t = prediction[chosen], target[chosen]
    cosine = (p * t).sum(1) / p.norm(dim=1) / t.norm(dim=1)
    assert float(masked_cosine(prediction, target, mask)) == pytest.approx(
        float((1 - cosine).mean()), rel=1e-5
    )


@pytest.mark.parametrize("loss", [masked_mse_per_sample, masked_cosine])
def test_a_visible_token_changes_nothing_and_a_masked_one_does(loss):
    prediction, target, mask = drawn()
    before = loss(prediction, target, mask)
    seen, hidden = prediction.clone(), prediction.clone()
    seen[mask == 0] += 100.0
    hidden[0, 0, 0] += 100.0
    assert torch.equal(loss(seen, target, mask), before)
    assert not torch.isclose(loss(hidden, target, mask), before)


@pytest.mark.parametrize("loss", [masked_mse_per_sample, masked_cosine])
def test_nothing_masked_is_zero_and_half_precision_is_left(loss):
    prediction, target, mask = drawn()
    assert float(loss(prediction, target, torch.zeros_like(mask))) == 0.0
    assert loss(prediction.bfloat16(), target.bfloat16(), mask).dtype == torch.float32
    assert loss(prediction.double(), target.double(), mask).dtype == torch.float64
