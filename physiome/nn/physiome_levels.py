"""The level and spread of a window as they came in: what an encoder may lose on its way."""

import torch
from torch import Tensor, nn

from physiome.nn.leads import over_leads
from physiome.nn.scaling import Scaling

WIDTH = 2
FLOOR = 1e-3  # of a spread, in the modality's own: a flat line has a logarithm, too


class Level(nn.Module):
    """(B, L) in the modality's unit -> (B, 2): mean, and logarithm of the standard deviation.

    Both of the scaled signal, so that 0 stands for what is usual, and for a modality that is not
    there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.scaling = Scaling()

    def forward(self, x: Tensor) -> Tensor:
        """(B, L), or (B, C, L) averaged over the leads there are -> (B, 2)."""
        return over_leads(_level, self.scaling(x))


def _level(x: Tensor) -> Tensor:
    return torch.stack([x.mean(dim=-1), x.std(dim=-1).clamp(min=FLOOR).log()], dim=-1)
