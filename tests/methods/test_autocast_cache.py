"""Autocast keeps the bf16 copies of weights that it has made, with or without a way back.

A teacher's pass without gradient and a student's with one share weights within a step: a copy made
in the first must not stand for the second, or weights from there on would get no gradient.
"""

import contract
import pytest
import torch
from small import job_of
from tiny import draws

from physiome.methods.base import Progress
from physiome.methods.build import build_method, fresh_parents

STUDENT = 11  # the step of an epoch of 12 in which MaskMentor's student learns from its teacher


def gradients(name: str, cached: bool) -> dict[str, torch.Tensor]:
    """Of a step under autocast, by weight."""
    torch.manual_seed(0)
    settings = job_of(name)
    method = build_method(settings, fresh_parents(settings)).train()
    method.progress = Progress(1, 2, STUDENT, 12)
    each = method.objectives(contract.some(method, 8), draws(0))
    while True:
        with torch.autocast("cpu", dtype=torch.bfloat16, cache_enabled=cached):
            found = next(each, None)
        if found is None:
            return {n: p.grad for n, p in method.named_parameters() if p.grad is not None}
        found[0].backward()


@pytest.mark.parametrize("name", ["maskmentor", "contrawr", "physioomni"])
def test_a_pass_without_gradient_leaves_no_weights_for_the_one_with(name):
    kept, fresh = gradients(name, cached=True), gradients(name, cached=False)
    assert set(kept) == set(fresh)
    for weight, gradient in kept.items():
        assert torch.equal(gradient, fresh[weight]), weight


def test_the_student_does_learn_from_the_teacher_in_that_step():
    found = gradients("maskmentor", cached=True)
    assert any(g.any() for n, g in found.items() if n.startswith("token_heads."))


def test_a_copy_outlives_a_change_of_its_weight_but_not_its_step():
    layer, x = torch.nn.Linear(4, 4), torch.randn(2, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        before = layer(x)
        layer.weight.data.mul_(2.0)
        assert torch.equal(layer(x), before)  # why weights are moved outside, as the loop does
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not torch.equal(layer(x), before)
