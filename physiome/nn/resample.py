"""Raising the sampling rate by a whole factor, on the device that trains."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from physiome.nn.precision import float32

REACH = 10  # input samples on each side that an output sample is made of
BETA = 5.0  # of the Kaiser window


class Upsample(nn.Module):
    """(B, L) -> (B, factor L): polyphase windowed-sinc filter, zeros beyond the ends.

    The same filter as `scipy.signal.resample_poly` has by default, and tested against it.
    """

    kernel: Tensor

    def __init__(self, factor: int):
        super().__init__()
        self.factor, half = factor, REACH * factor
        steps = torch.arange(-half, half + 1, dtype=torch.float64) / factor
        window = torch.kaiser_window(2 * half + 1, False, BETA, dtype=torch.float64)
        kernel = torch.sinc(steps) * window
        kernel = kernel / kernel.sum() * factor  # keeps a constant as it is
        self.register_buffer("kernel", kernel.float()[None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L) -> (B, factor L)."""
        if self.factor == 1:
            return x
        length, half = x.shape[-1] * self.factor, REACH * self.factor
        with float32(x.device):
            y = F.conv_transpose1d(x.float()[:, None], self.kernel, stride=self.factor)
        return y[:, 0, half : half + length]
