"""A copy of a network that follows it by a moving average."""

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class Momentum(AveragedModel):
    """As torch's averaged model: after the first step the network itself, then its moving average.

    The number of steps stays on the CPU, where it is asked for at every step without waiting.

    Args:
        decay: share of the average that stays in a step.
    """

    n_averaged: Tensor

    def __init__(self, network: nn.Module, decay: float):
        super().__init__(network)
        self.average = get_ema_multi_avg_fn(decay)

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Parameters follow those of `model`; buffers become what its own are."""
        mine = [p.detach() for p in self.module.parameters()]
        others = [p.detach() for p in model.parameters()]
        if int(self.n_averaged) == 0:
            for own, other in zip(mine, others, strict=True):
                own.copy_(other)
        else:
            self.average(mine, others, self.n_averaged)
        for own, other in zip(self.module.buffers(), model.buffers(), strict=True):
            own.copy_(other)
        self.n_averaged += 1

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        count = self.n_averaged
        super()._apply(fn, recurse)
        self.n_averaged = count
        return self
