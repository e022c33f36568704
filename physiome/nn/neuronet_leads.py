"""Frame features of several leads -> frame features of their modality.

Ours; the paper's modalities are single channels. The leads share one frame network, each adds what
its name stands for, and they are averaged over those that are there, so that any of them may be
lost. `mean` weighs them alike, `attention` by what they hold: as good with all leads, worse with a
few of them left (EEGMAT, see docs/leads.md).
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from physiome.nn.leads import there
from physiome.nn.transformer import initialise


class LeadPool(nn.Module):
    """(B, C, L) and a network of one channel -> (B, N, features).

    Args:
        features: of a frame.
        leads: their number C.
    """

    def __init__(self, features: int, leads: int, how: Literal["attention", "mean"]):
        super().__init__()
        self.names = nn.Parameter(torch.randn(leads, features) * 0.02)
        # What is averaged may depend on where it was recorded, not only on what it is.
        self.mix = nn.Linear(features, features)
        self.score = nn.Linear(features, 1, bias=False) if how == "attention" else None
        initialise(self)

    def forward(self, network: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """Features (B, N, features) of signals (B, C, L), each with one lead at least.

        Args:
            network: (P, L) -> (P, N, features).
        """
        seen = there(x)  # (B, C)
        found = network(x[seen])  # (P, N, F): an absent lead is in no batch statistic
        named = found + self.names[seen.nonzero()[:, 1]][:, None]
        values = named + F.elu(self.mix(named))
        dense = values.new_zeros(*seen.shape, *values.shape[1:])  # (B, C, N, F)
        dense[seen] = values
        return (dense * self._weights(named, seen)).sum(dim=1)

    def _weights(self, named: Tensor, seen: Tensor) -> Tensor:
        """(B, C, N, 1), 0 for absent leads and of sum 1 over the others."""
        if self.score is None:
            return (seen / seen.sum(dim=1, keepdim=True))[..., None, None].to(named.dtype)
        scores = named.new_full((*seen.shape, *named.shape[1:2], 1), -torch.inf)
        scores[seen] = self.score(named).to(scores.dtype)  # bf16 under autocast
        return scores.softmax(dim=1)
