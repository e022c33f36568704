"""The frame network: a window is cut into frames, every frame becomes a feature vector.

A stem and three branches of residual blocks with kernels 3, 5 and 7. Padding is 1 for every kernel,
as published, so the longer kernels shorten the sequence and the shortcut is cropped on the right.
All frames of a batch pass in one call; batch-norm statistics are pooled over them, so each view
needs a call of its own. Convolutions are (1 x k) on four-dimensional tensors because their
channels-last kernels are faster than Conv1d.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from physiome.config.frame_length import KERNELS, POOLS, STRIDES, joined_length


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, (1, kernel), (1, stride), (0, padding), bias=False)


def _crop(x: Tensor, length: int) -> Tensor:
    """Cut (..., T) on the right.

    Not by slicing: a slice's gradient is not channels-last, and batch-norm's backward is then ten
    times slower.
    """
    extra = x.shape[-1] - length
    return F.pad(x, (0, -extra)) if extra else x


class ResidualBlock(nn.Module):
    """Two convolutions of kernel k and a shortcut cropped to their length."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int):
        super().__init__()
        self.conv1 = _conv(inputs, outputs, kernel, stride, padding=1)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = _conv(outputs, outputs, kernel, padding=1)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                _conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(frames, C, 1, T) -> (frames, C', 1, T')."""
        y = F.elu(self.norm1(self.conv1(x)), inplace=True)
        y = self.norm2(self.conv2(y))
        y = y + _crop(self.shortcut(x), y.shape[-1])
        return F.elu(y, inplace=True)


class FrameNetwork(nn.Module):
    """(B, L) -> (B, N, features).

    Args:
        frame: samples per frame F.
        step: samples between the starts of two frames.
        channels: widths of the four residual blocks; the stem has the first.
    """

    compiles = True  # see nn/blocks.py

    def __init__(self, frame: int, step: int, channels: tuple[int, int, int, int]):
        super().__init__()
        self.frame, self.step = frame, step
        self.stem = nn.Sequential(
            _conv(1, channels[0], 7, stride=2, padding=3),
            nn.BatchNorm2d(channels[0]),
            nn.ELU(inplace=True),
            nn.MaxPool2d((1, 3), stride=(1, 2), padding=(0, 1)),
        )
        inputs = (channels[0], *channels[:3])
        self.branches = nn.ModuleList(
            nn.Sequential(
                *(
                    ResidualBlock(i, o, kernel, stride)
                    for i, o, stride in zip(inputs, channels, STRIDES, strict=True)
                ),
                nn.AvgPool2d((1, pool), stride=1),
            )
            for kernel, pool in zip(KERNELS, POOLS, strict=True)
        )
        joined = channels[3] * joined_length(frame)
        self.features = joined // 2
        self.head = nn.Sequential(
            nn.Linear(joined, self.features), nn.ELU(), nn.Linear(self.features, self.features)
        )
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def forward(self, x: Tensor) -> Tensor:
        """(B, L) -> (B, N, features)."""
        frames = x.unfold(-1, self.frame, self.step)  # (B, N, F), a view
        batch, n, _ = frames.shape
        y = frames.reshape(batch * n, 1, 1, self.frame)
        y = self.stem(y.contiguous(memory_format=torch.channels_last))
        y = torch.cat([branch(y) for branch in self.branches], dim=-1)  # (B N, C, 1, T)
        return self.head(y.flatten(1)).reshape(batch, n, self.features)
