"""Input scaling: one offset and one scale per modality, stored with the weights."""

import torch
from torch import Tensor, nn

CLIP = 20.0


class Scaling(nn.Module):
    """(x - offset) / scale, clipped to +-20.

    Constants per modality, from the pretrain subset, and never per segment: absolute pressure
    carries the hypotension label and absolute EEG amplitude separates N3.
    """

    offset: Tensor
    scale: Tensor

    def __init__(self, offset: float = 0.0, scale: float = 1.0):
        super().__init__()
        self.register_buffer("offset", torch.tensor(float(offset)))
        self.register_buffer("scale", torch.tensor(float(scale)))

    def set(self, offset: float, scale: float) -> None:
        """Replace the constants."""
        self.offset.fill_(offset)
        self.scale.fill_(scale)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L) in the modality's unit -> (B, L) of order one."""
        return ((x - self.offset) / self.scale).clamp(-CLIP, CLIP)
