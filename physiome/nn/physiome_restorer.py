"""The restoration decoder: tokens of a missing modality from what the fusion made of the others."""

import torch
from torch import Tensor

from physiome.nn.tokens import TokenDecoder

START = 0.01  # of the output layer's initial weights: a fresh decoder says little beside the mean


class Restorer(TokenDecoder):
    """A decoder that adds to the mean token of each position (eq. 4, 10-12).

    The mean is a running one over the targets of training. What the decoder has to learn is thus
    only how a window differs from the average; a decoder that starts anywhere else spends hundreds
    of steps on finding the average. `note` and `follow` are two steps, so that a loss depends on
    nothing but weights and its own batch.
    """

    mean: Tensor
    seen: Tensor

    def __init__(self, inputs: int, outputs: int, n: int, width: int, depth: int, heads: int):
        super().__init__(inputs, outputs, n, width, depth, heads, fills=False)
        self.register_buffer("mean", torch.zeros(n, outputs))
        self.register_buffer("seen", torch.zeros(()))
        self._noted: list[Tensor] = []
        with torch.no_grad():
            self.leave.weight.mul_(START)

    @torch.no_grad()
    def note(self, targets: Tensor) -> None:
        """Keep the mean of a batch of targets (B, N, outputs) for `follow`."""
        self._noted.append(targets.float().mean(dim=0))

    @torch.no_grad()
    def follow(self) -> None:
        """Move the mean towards what was noted since the last time."""
        if self._noted:
            self.seen += 1
            # The average of all steps at first, later of about a hundred: LoRA moves targets.
            weight = 1.0 / self.seen.clamp(max=100.0)
            self.mean.lerp_(torch.stack(self._noted).mean(dim=0), weight)
            self._noted.clear()

    def forward(self, tokens: Tensor, kept: Tensor | None = None) -> Tensor:
        """(B, N, D) -> (B, N, outputs)."""
        return self.mean + super().forward(tokens, kept)
