"""Where float32 stays float32: losses, codes, resampling, spectra."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def float32(device: torch.device) -> Iterator[None]:
    """Within, no autocast, and no rounding to TF32 (ten bits of mantissa) on a GPU.

    Of the forward pass: gradients are as exact as the training around it is.
    """
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    try:
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]
