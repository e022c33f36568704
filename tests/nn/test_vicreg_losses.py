"""VICReg against closed forms and a slow twin: the unbiased variance, and CroSSL's coefficients."""

import pytest
import torch

from physiome.nn.crossl import vicreg

H = torch.tensor([[1, 1], [1, -1], [-1, 1], [-1, -1]], dtype=torch.float64)
P = torch.tensor([[1, 1], [1, 1], [-1, -1], [-1, -1]], dtype=torch.float64)
ZEROS = torch.zeros_like(H)


@pytest.mark.parametrize(
    ("a", "b", "invariance", "variance", "covariance"),
    [
        (H, H, 0.0, 0.0, 0.0),
        (P, P, 0.0, 0.0, 32 / 9),
        (H, P, 1.0, 0.0, 16 / 9),
        (ZEROS, ZEROS, 0.0, 0.99, 0.0),
        (H / 2, H / 2, 0.0, 1 - (1 / 3 + 1e-4) ** 0.5, 0.0),  # 1 / 4 if divided by B
    ],
)
def test_closed_forms(a, b, invariance, variance, covariance):
    assert float(vicreg(a, b, 1.0, 0.0, 0.0)) == pytest.approx(invariance, abs=1e-9)
    assert float(vicreg(a, b, 0.0, 1.0, 0.0)) == pytest.approx(variance, abs=1e-9)
    assert float(vicreg(a, b, 0.0, 0.0, 1.0)) == pytest.approx(covariance, abs=1e-9)
    for weights in ((25.0, 25.0, 1.0), (10.0, 10.0, 100.0)):
        expected = sum(
            w * v for w, v in zip(weights, (invariance, variance, covariance), strict=True)
        )
        assert float(vicreg(a, b, *weights)) == pytest.approx(expected, abs=1e-7)


def slow(a, b, invariance, variance, covariance):
    (n, d), total = a.shape, invariance * float(((a - b) ** 2).mean())
    for z in (a, b):
        z = z - z.mean(dim=0)
        for i in range(d):
            sd = (float(z[:, i] @ z[:, i]) / (n - 1) + 1e-4) ** 0.5
            total += variance * max(0.0, 1 - sd) / (2 * d)
            for j in set(range(d)) - {i}:
                total += covariance * (float(z[:, i] @ z[:, j]) / (n - 1)) ** 2 / d
    return total


@pytest.mark.parametrize("seed", range(4))
def test_it_equals_its_slow_twin(seed):
    rng = torch.Generator().manual_seed(seed)
    a, b = (0.4 * (seed + 1) * torch.randn(7, 5, generator=rng).double() for _ in range(2))
    assert float(vicreg(a, b, 10, 11, 100)) == pytest.approx(slow(a, b, 10, 11, 100), rel=1e-9)


def test_both_views_get_a_gradient_and_autocast_changes_nothing():
    a, b = (torch.randn(7, 5, generator=torch.Generator().manual_seed(s)) for s in (0, 1))
    expected = vicreg(a, b, 10.0, 10.0, 100.0)
    for view in (a, b):
        view.requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = vicreg(a, b, 10.0, 10.0, 100.0)
    assert torch.equal(loss, expected)
    assert all(g.any() for g in torch.autograd.grad(loss, (a, b)))
