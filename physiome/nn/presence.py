"""What a token is told of its modality: observed, dropped in training, or truly absent."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

Presence = Literal["observed", "dropped", "absent"]


class PresenceTokens(nn.Module):
    """A vector per modality and state, added to the modality's tokens or stand-ins.

    What is truly absent is told as what is dropped, and a difference on top of it: where no window
    of training lacked the modality, the difference was never trained, is zero, and an absent
    modality is treated as the dropped ones were. All begin as zero: a fresh model is the same with
    them as without.
    """

    def __init__(self, modalities: Sequence[str], width: int):
        super().__init__()
        self.tables = nn.ParameterDict({m: nn.Parameter(torch.zeros(3, width)) for m in modalities})

    def forward(self, m: str, tokens: Tensor, state: Presence) -> Tensor:
        """(B, N, width) -> the same shape."""
        observed, dropped, beyond = self.tables[m]
        told = {"observed": observed, "dropped": dropped, "absent": dropped + beyond}
        return tokens + told[state]
