"""Random draws: made on the CPU, whatever the device, and sent to where they are needed.

So a decision (how much to crop, what to drop) can be taken without waiting for a GPU, and one seed
gives the same draws on every device. Dropout alone draws where it computes.
"""

import torch
from torch import Tensor


def send(drawn: Tensor, device: torch.device) -> Tensor:
    """A tensor of the CPU on `device`, without waiting for what is queued there."""
    if device.type == "cuda":
        return drawn.pin_memory().to(device, non_blocking=True)
    return drawn.to(device)


def uniform(shape: tuple[int, ...], rng: torch.Generator, device: torch.device) -> Tensor:
    """Numbers in [0, 1) of this shape."""
    return send(torch.rand(shape, generator=rng), device)


def integers(
    low: int, high: int, shape: tuple[int, ...], rng: torch.Generator, device: torch.device
) -> Tensor:
    """Numbers in [low, high), int64, of this shape."""
    return send(torch.randint(low, high, shape, generator=rng), device)
