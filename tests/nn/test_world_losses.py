"""ContraWR's world contrast against closed forms and a slow twin."""

import math

import pytest
import torch

from physiome.nn.losses import world_contrast


def basis(batch: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two sets of `batch` unit vectors, all 2 x batch of them orthogonal."""
    vectors = torch.eye(2 * batch, dtype=torch.float64)
    return vectors[:batch], vectors[batch:]


def published(a, p, sigma=2.0):
    return float(world_contrast(a, p, temperature=0.3, sigma=sigma, margin=0.2))


@pytest.mark.parametrize(
    ("batch", "identical", "orthogonal", "opposite"),
    [
        (2, 0.199703, 0.250228, 0.372039),
        (4, 0.198444, 0.276545, 0.438275),
        (8, 0.194312, 0.290014, 0.459403),
        (16, 0.183929, 0.296828, 0.468158),
        (256, 0.103152, 0.303265, 0.475503),
    ],
)
def test_closed_forms(batch, identical, orthogonal, opposite):
    one, other = basis(batch)
    assert published(one, one) == pytest.approx(identical, abs=1e-6)
    assert published(one, other) == pytest.approx(orthogonal, abs=1e-6)
    assert published(one, -one) == pytest.approx(opposite, abs=1e-6)
    assert published(one[:1].expand(batch, -1), one[:1].expand(batch, -1)) == pytest.approx(0.2)


def test_a_narrower_similarity_tells_good_from_bad_more_clearly():
    one, other = basis(4)
    assert published(one, one, sigma=0.5) == pytest.approx(0.175385, abs=1e-6)
    assert published(one, other, sigma=0.5) == pytest.approx(0.263769, abs=1e-6)


def slow(a, p, temperature, sigma, margin):
    a = [v / math.sqrt(float(v @ v)) for v in a]
    p = [v / math.sqrt(float(v @ v)) for v in p]
    losses = []
    for i, u in enumerate(a):
        weights = [math.exp(float(u @ v) / temperature) for v in p]
        world = sum(w * v for w, v in zip(weights, p, strict=True)) / sum(weights)
        near, far = (math.exp(-float((u - v) @ (u - v)) / (2 * sigma**2)) for v in (p[i], world))
        losses.append(max(0.0, far - near + margin))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("seed", range(4))
def test_it_equals_its_slow_twin_whatever_the_vectors_lengths(seed):
    rng = torch.Generator().manual_seed(seed)
    a, p = (3 * torch.randn(6, 5, generator=rng, dtype=torch.float64) for _ in range(2))
    numbers = (0.3 + seed, 0.5 + 0.5 * seed, 0.1 * seed)
    assert float(world_contrast(a, p, *numbers)) == pytest.approx(slow(a, p, *numbers), rel=1e-12)


def test_half_precision_is_computed_in_full():
    a, p = (torch.randn(6, 5, generator=torch.Generator().manual_seed(s)) for s in (0, 1))
    expected = world_contrast(a, p, 0.3, 2.0, 0.2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(world_contrast(a, p, 0.3, 2.0, 0.2), expected)
        assert world_contrast(a.bfloat16(), p.bfloat16(), 0.3, 2.0, 0.2).dtype == torch.float32
