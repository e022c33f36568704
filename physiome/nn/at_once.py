"""A loss whose gradients are made at once, so that nothing else of it is kept for the way back."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import Function, once_differentiable


def at_once(loss: Callable[[Tensor], Tensor], x: Tensor, weights: Iterable[nn.Parameter]) -> Tensor:
    """loss(x), a scalar of x and of some weights, all of which it must depend on.

    A sum of such losses takes the memory of one. Backward only scales gradients that are there.
    """
    if not torch.is_grad_enabled():
        return loss(x)
    return _AtOnce.apply(loss, x, *weights)


class _AtOnce(Function):
    @staticmethod
    def forward(ctx: Any, loss: Callable[[Tensor], Tensor], x: Tensor, *weights: Tensor) -> Tensor:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            value = loss(x)
            ctx.save_for_backward(*torch.autograd.grad(value, [x, *weights]))
        return value.detach()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return None, *(gradients[0] * g for g in ctx.saved_tensors)
