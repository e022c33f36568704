"""That a loss falls along its own gradient: true of any start, any draws and any rounding.

A training's path is not: it takes other turns on another processor, whose random draws, sums and
convolutions differ. So nothing here follows one.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

Loss = Callable[[], Tensor]
SUFFICIENT = 1e-3  # of the fall that the gradient promises; Armijo's condition (1966, eq. 4)
HALVINGS = 12


def fixed(module: nn.Module, loss: Loss, seed: int = 0) -> Loss:
    """`loss` as a function of the parameters alone: equal dropout and equal buffers in every call.

    The loss must draw from generators of its own that it makes anew. Called once first, for what
    starts with the first batch.
    """
    torch.manual_seed(seed)
    loss()
    buffers = {name: tensor.clone() for name, tensor in module.named_buffers()}

    def again() -> Tensor:
        with torch.no_grad():
            for name, tensor in module.named_buffers():
                tensor.copy_(buffers[name])
        torch.manual_seed(seed)
        return loss()

    return again


def check_a_step_downhill_lowers(parameters: Iterable[nn.Parameter], loss: Loss) -> None:
    """Some step against the gradient lowers the loss by a share of what the gradient promises.

    The first step tried would bring a linear loss to zero; each further one is half as long.
    """
    trained = [p for p in parameters if p.requires_grad]
    before = loss()
    assert before.requires_grad, "the loss is detached from every parameter"
    found = torch.autograd.grad(before, trained, allow_unused=True)
    pairs = [(p, g) for p, g in zip(trained, found, strict=True) if g is not None]
    slope = float(sum(g.double().square().sum() for _, g in pairs))
    assert slope > 0, "the gradient is zero"
    start, length = [p.detach().clone() for p, _ in pairs], abs(float(before.detach())) / slope
    tried = []
    for _ in range(HALVINGS):
        with torch.no_grad():
            for (p, g), origin in zip(pairs, start, strict=True):
                p.copy_(origin - length * g)
            tried.append(float(loss().detach()))
        if tried[-1] < float(before.detach()) - SUFFICIENT * length * slope:
            return
        length /= 2
    raise AssertionError(f"no step downhill lowers {float(before.detach())}: {tried}")
