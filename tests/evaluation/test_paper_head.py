"""The paper's head against a plain loop of its training."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from physiome.config.evaluation import PaperHead
from physiome.evaluation.heads import Labelled
from physiome.evaluation.paper_head import fit_paper_head

NAMES = ("w", "n", "r")
# Large steps and a large decay, so that leaving anything out would show
SPEC = PaperHead(hidden=8, epochs=4, batch=16, learning_rate=0.05, weight_decay=0.5)


def rows(n=48, copies=60) -> Labelled:
    """Three classes; many copies of each column make gradients longer than the clip."""
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=n)
    x = 2.0 * np.eye(3, 4)[y] + rng.normal(size=(n, 4)) + 5.0
    return Labelled(np.tile(x, copies).astype(np.float32), y, np.arange(n) % 6)


def by_hand(data: Labelled, seed: int) -> tuple[nn.Module, list[float], float]:
    """The network, the norms of all gradients before the clip, and the last epoch's mean loss."""
    x, y = torch.from_numpy(data.x), torch.from_numpy(data.y)
    x = (x - x.mean(dim=0)) / x.std(dim=0, correction=0)
    torch.manual_seed(seed)
    width, hidden = x.shape[1], SPEC.hidden
    network = nn.Sequential(
        nn.Linear(width, hidden), nn.BatchNorm1d(hidden), nn.GELU(), nn.Linear(hidden, 3)
    )
    weights = list(network.parameters())
    optimiser = torch.optim.AdamW(weights, weight_decay=SPEC.weight_decay)
    rng, norms, losses = torch.Generator().manual_seed(seed), [], []
    for epoch in range(SPEC.epochs):
        rate = SPEC.learning_rate * 0.5 * (1 + math.cos(math.pi * epoch / SPEC.epochs))
        optimiser.param_groups[0]["lr"] = rate
        losses = []
        for chosen in torch.randperm(len(x), generator=rng).split(SPEC.batch):
            losses.append(nn.functional.cross_entropy(network(x[chosen]), y[chosen]))
            optimiser.zero_grad()
            losses[-1].backward()
            norms.append(float(torch.cat([w.grad.flatten() for w in weights]).norm()))
            for weight in weights:
                weight.grad *= min(1.0, 2.0 / norms[-1])
            optimiser.step()
    return network.eval(), norms, float(torch.stack(losses).detach().mean())


def test_it_is_trained_as_a_plain_loop_trains_it():
    data = rows()
    head, told = fit_paper_head(data, NAMES, SPEC, 3, "toy")
    network, norms, loss = by_hand(data, 3)
    assert min(norms) < 2.0 < max(norms)  # the clip makes a difference
    assert told["final_loss"] == pytest.approx(loss, rel=1e-3)
    x = torch.from_numpy((data.x - data.x.mean(axis=0)) / data.x.std(axis=0))
    p = network(x).softmax(dim=1).detach().numpy()
    np.testing.assert_allclose(head.probabilities(data.x), p, atol=1e-3)
