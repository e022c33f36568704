"""Losses whose gradients are made at once."""

import pytest
import torch
from tiny import draws

from physiome.nn.at_once import at_once

X = torch.randn(5, 3, generator=draws())


def layer() -> torch.nn.Linear:
    torch.manual_seed(0)
    return torch.nn.Linear(3, 2)


def error(model, x):
    return model(x).square().mean()


def test_gradients_are_those_of_the_loss():
    model, found = layer(), X.clone().requires_grad_()
    (2.0 * at_once(lambda x: error(model, x), found, model.parameters())).backward()
    again, expected = layer(), X.clone().requires_grad_()
    (2.0 * error(again, expected)).backward()
    torch.testing.assert_close(found.grad, expected.grad)
    for p, q in zip(model.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad)


def test_nothing_is_learned_without_gradients():
    model = layer()
    with torch.no_grad():
        found = at_once(lambda x: error(model, x), X, model.parameters())
    assert not found.requires_grad
    assert torch.equal(found, error(model, X))


def test_a_weight_that_the_loss_leaves_alone_is_found():
    model, other = layer(), torch.nn.Parameter(torch.zeros(1))
    with pytest.raises(RuntimeError, match="not have been used"):
        at_once(lambda x: error(model, x), X, [*model.parameters(), other])
