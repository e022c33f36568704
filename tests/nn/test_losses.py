"""NT-Xent and the masked error against closed forms and slow twins."""

import math

import pytest
import torch
from pytorch_metric_learning.losses import NTXentLoss, SelfSupervisedLoss

from physiome.nn.losses import contrast_accuracy, masked_mse, nt_xent


def slow_nt_xent(a, b, temperature):
    """The definition, one pair at a time."""
    vectors = [v / v.norm() for v in [*a, *b]]
    count, losses = len(vectors), []
    for i in range(count):
        positive = (i + len(a)) % count
        scores = [float(vectors[i] @ vectors[j]) / temperature for j in range(count) if j != i]
        at = positive - (positive > i)  # its place after vector i itself was left out
        losses.append(-scores[at] + math.log(sum(math.exp(s) for s in scores)))
    return sum(losses) / count


def views(batch, positive, other):
    """Two sets of unit vectors: cosine `positive` within a pair, `other` between any others."""
    pairs = torch.eye(batch, dtype=torch.float64)
    if positive < other:
        assert (positive, other) == (-1.0, 0.0)
        return pairs, -pairs
    # One axis shared by all, one per pair, one per vector.
    shared = other**0.5 * torch.ones(batch, 1, dtype=torch.float64)
    paired, own = (positive - other) ** 0.5 * pairs, (1 - positive) ** 0.5 * pairs
    nothing = torch.zeros_like(own)
    return (
        torch.cat([shared, paired, own, nothing], dim=1),
        torch.cat([shared, paired, nothing, own], dim=1),
    )


CLOSED_FORMS = [
    # batch, temperature, cosine of positives, cosine of others, loss
    (2, 0.1, 0.0, 0.0, 1.098612),
    (4, 0.1, 0.0, 0.0, 1.945910),
    (8, 0.1, 0.0, 0.0, 2.708050),
    (16, 0.1, 0.0, 0.0, 3.433987),
    (512, 0.1, 0.0, 0.0, 6.930495),
    (4, 0.1, 1.0, 1.0, 1.945910),
    (16, 0.5, 1.0, 1.0, 3.433987),
    (4, 0.1, 1.0, 0.0, 2.723625e-4),
    (2, 0.1, 1.0, 0.0, 9.079574e-5),
    (8, 0.1, 1.0, 0.0, 6.353971e-4),
    (8, 0.05, 1.0, 0.0, 2.885615e-8),
    (4, 0.5, 1.0, 0.0, 0.594438),
    (16, 1.0, 1.0, 0.0, 2.487934),
    (128, 0.1, 1.0, 0.0, 0.011466),
    (512, 0.1, 1.0, 0.0, 0.045354),
    (4, 0.1, -1.0, 0.0, 11.791767),
    (2, 0.1, -1.0, 0.0, 10.693170),
    (8, 0.1, -1.0, 0.0, 12.639061),
    (4, 0.5, -1.0, 0.0, 3.814065),
    (4, 0.1, 0.8, 0.1, 0.005456),
    (128, 0.5, 0.5, 0.0, 4.547979),
]


def test_nt_xent_has_its_closed_form_value(subtests):
    for batch, temperature, positive, other, value in CLOSED_FORMS:
        loss = float(nt_xent(*views(batch, positive, other), temperature))
        # Written from the positive's side: the plain form loses the small values' digits.
        formula = math.log1p((2 * batch - 2) * math.exp((other - positive) / temperature))
        with subtests.test(batch=batch, temperature=temperature, positive=positive, other=other):
            assert loss == pytest.approx(formula, rel=1e-6, abs=1e-12)
            assert loss == pytest.approx(value, rel=2e-6, abs=6e-7 if value > 1e-3 else 0.0)


@pytest.mark.parametrize("temperature", [0.05, 0.1, 1.0])
def test_nt_xent_equals_its_slow_twin_and_the_library(temperature):
    rng = torch.Generator().manual_seed(1)
    a, b = torch.randn(2, 4, 8, dtype=torch.float64, generator=rng)
    library = SelfSupervisedLoss(NTXentLoss(temperature=temperature))
    loss = float(nt_xent(a, b, temperature))
    assert loss == pytest.approx(slow_nt_xent(a, b, temperature), rel=1e-10)
    assert loss == pytest.approx(float(library(a, b)), rel=1e-6)


def test_nt_xent_ignores_lengths_order_of_views_and_order_of_samples():
    rng = torch.Generator().manual_seed(2)
    a, b = torch.randn(2, 5, 7, dtype=torch.float64, generator=rng)
    loss = nt_xent(a, b, 0.1)
    lengths = torch.rand(5, 1, dtype=torch.float64, generator=rng) + 0.1
    torch.testing.assert_close(nt_xent(a * lengths, b, 0.1), loss)
    torch.testing.assert_close(nt_xent(b, a, 0.1), loss)
    order = torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(nt_xent(a[order], b[order], 0.1), loss)
    assert abs(nt_xent(a[order], b, 0.1) - loss) > 1e-3  # but pairs must stay pairs


def test_nt_xent_computes_in_full_precision_under_autocast():
    a, b = torch.randn(2, 6, 16, generator=torch.Generator().manual_seed(3))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = nt_xent(a.bfloat16(), b.bfloat16(), 0.05)
    assert inside.dtype == torch.float32
    rounded = nt_xent(a.bfloat16().double(), b.bfloat16().double(), 0.05)
    assert float(inside) == pytest.approx(float(rounded), rel=1e-5)


@pytest.mark.parametrize("temperature", [0.0, -1.0])
def test_nt_xent_refuses_a_temperature_that_is_not_positive(temperature):
    with pytest.raises(ValueError, match="temperature"):
        nt_xent(torch.ones(2, 2), torch.ones(2, 2), temperature)


def test_contrast_accuracy_counts_the_positives_that_are_nearest():
    a = torch.eye(4)
    assert float(contrast_accuracy(a, 3.0 * a)) == 1.0  # whatever the lengths
    assert float(contrast_accuracy(a, a.roll(1, 0))) == 0.0  # the nearest is another's positive
    half = torch.cat([a[:2], a[2:].roll(1, 0)])
    assert float(contrast_accuracy(a, half)) == 0.5


def test_a_collapse_is_not_taken_for_retrieval():
    alike = torch.ones(8, 3)
    assert float(contrast_accuracy(alike, alike)) <= 2 / 16
    assert not contrast_accuracy(alike.requires_grad_(), alike).requires_grad


def test_masked_error_is_pooled_over_the_masked_tokens_of_the_batch():
    error = torch.ones(2, 4, 3, dtype=torch.float64)
    error[0, 0] = 3.0
    mask = torch.tensor([[1.0, 0, 1, 0], [0, 0, 1, 0]])
    loss = masked_mse(error, torch.zeros_like(error), mask)
    assert float(loss) == pytest.approx(11 / 3)  # (9 + 1 + 1) / 3; the mean of means would be 3


def test_masked_error_is_a_mean_over_the_width():
    mask = torch.tensor([[1.0, 0, 1]])
    assert float(masked_mse(torch.ones(1, 3, 512), torch.zeros(1, 3, 512), mask)) == 1.0


def test_masked_error_does_not_see_tokens_that_were_kept():
    rng = torch.Generator().manual_seed(4)
    prediction, target = torch.randn(2, 2, 4, 3, generator=rng)
    mask = torch.tensor([[1.0, 0, 1, 0], [0, 0, 1, 1]])
    changed = prediction + 100.0 * (1.0 - mask)[:, :, None]
    torch.testing.assert_close(
        masked_mse(changed, target, mask), masked_mse(prediction, target, mask)
    )
    assert masked_mse(prediction + mask[:, :, None], target, mask) != masked_mse(
        prediction, target, mask
    )
