"""The frame network: a window is cut into frames, every frame becomes a feature vector.

A stem and three branches of residual blocks with kernels 3, 5 and 7. Padding is 1 for every kernel,
as published, so the longer kernels shorten the sequence and the shortcut is cropped on the right.
All frames of a batch pass in one call; batch-norm statistics are pooled over them, so each view
needs a call of its own. Frames that overlap by half or more share what they have in common for as
long as strides allow (nn/overlap.py), which is the same mathematics: a third of the work of these
layers at the paper's sizes. Convolutions are (1 x k) on four-dimensional tensors because their
channels-last kernels are faster than Conv1d.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from physiome.config.frame_length import KERNELS, POOLS, STRIDES, joined_length
from physiome.nn.counted_norm import FrameNorm
from physiome.nn.overlap import Frames, Layout, add_cropped, convolve, max_pool, overlapping

# Kernel, stride and padding of the stem's convolution and pool
STEM = (7, 2, 3)
STEM_POOL = (3, 2, 1)


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
    """Two convolutions of kernel k and a shortcut cropped to their length.

    Args:
        layout: of frames that overlap and are to stay uncut, if any.

    Attributes:
        layout: what becomes of it; None where frames must be cut out, for the stride's sake or
            because they are short.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int, layout: Layout | None = None
    ):
        super().__init__()
        self.conv1 = _conv(inputs, outputs, kernel, stride, padding=1)
        inner = layout and layout.after(kernel, stride, 1)
        self.norm1 = FrameNorm(outputs, inner)
        self.conv2 = _conv(outputs, outputs, kernel, padding=1)
        self.layout = inner and inner.after(kernel, 1, 1)
        self.norm2 = FrameNorm(outputs, self.layout)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            aside = layout and layout.after(1, stride, 0)
            self.shortcut = nn.Sequential(
                _conv(inputs, outputs, 1, stride), FrameNorm(outputs, aside)
            )

    def forward(self, x: Tensor | Frames) -> Tensor | Frames:
        """(frames, C, 1, T) -> (frames, C', 1, T'); frames that overlap stay so where they can."""
        if isinstance(x, Frames):
            if self.layout:
                return self._overlapping(x)
            x = x.cut_out()
        y = F.elu(self.norm1(self.conv1(x)), inplace=True)
        y = self.norm2(self.conv2(y))
        y = y + _crop(self.shortcut(x), y.shape[-1])
        return F.elu(y, inplace=True)

    def _overlapping(self, x: Frames) -> Frames:
        y = _normed(x, self.conv1, self.norm1).map(_elu)
        y = _normed(y, self.conv2, self.norm2)
        if isinstance(self.shortcut, nn.Sequential):
            x = _normed(x, *self.shortcut)
        return add_cropped(y, x).map(_elu)


class FrameNetwork(nn.Module):
    """(B, L) -> (B, N, features).

    Args:
        frame: samples per frame F.
        step: samples between the starts of two frames.
        channels: widths of the four residual blocks; the stem has the first.
        samples: L of the windows whose frames may be computed together where they overlap; windows
            of other lengths are cut into frames at once.
    """

    compiles = True  # see nn/blocks.py

    def __init__(
        self, frame: int, step: int, channels: tuple[int, int, int, int], samples: int | None = None
    ):
        super().__init__()
        self.frame, self.step = frame, step
        self.layout = layout = _shared(frame, step, samples) if samples else None
        entered = layout and layout.after(*STEM)
        pool, apart, padding = STEM_POOL
        self.stem = nn.Sequential(
            _conv(1, channels[0], *STEM),
            FrameNorm(channels[0], entered),
            nn.ELU(inplace=True),
            nn.MaxPool2d((1, pool), stride=(1, apart), padding=(0, padding)),
        )
        entered = entered and entered.after(*STEM_POOL)
        self.branches = nn.ModuleList(
            _branch(channels, kernel, pool, entered)
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
        if self.layout and x.shape[-1] == self.layout.whole and self._worth_sharing(x):
            y = self._overlapping(overlapping(x, self.layout))
        else:
            y = self._apart(x.unfold(-1, self.frame, self.step))
        return self.head(y.flatten(1)).reshape(len(x), -1, self.features)

    def _worth_sharing(self, x: Tensor) -> bool:
        """Not in training on a GPU, where twice the launches and as many bytes save arithmetic."""
        return x.is_cpu or not self.training

    def _apart(self, frames: Tensor) -> Tensor:
        """(B, N, F), a view -> (B N, C, 1, T)."""
        y = frames.reshape(-1, 1, 1, self.frame)
        y = self.stem(y.contiguous(memory_format=torch.channels_last))
        return torch.cat([branch(y) for branch in self.branches], dim=-1)

    def _overlapping(self, frames: Frames) -> Tensor:
        """The same of frames that overlap: -> (B N, C, 1, T)."""
        conv, norm, *_ = self.stem
        entered = max_pool(_normed(frames, conv, norm).map(_elu), *STEM_POOL)
        ends = []
        for branch in self.branches:
            *blocks, pool = branch.children()
            y: Frames | Tensor = entered
            for block in blocks:
                y = block(y)
            ends.append(pool(y.cut_out() if isinstance(y, Frames) else y))
        return torch.cat(ends, dim=-1)


def _branch(
    channels: tuple[int, int, int, int], kernel: int, pool: int, layout: Layout | None
) -> nn.Sequential:
    """Residual blocks, the first on the stem's output, and a pool."""
    blocks = []
    inputs = (channels[0], *channels[:3])
    for i, o, stride in zip(inputs, channels, STRIDES, strict=True):
        blocks.append(ResidualBlock(i, o, kernel, stride, layout))
        layout = blocks[-1].layout
    return nn.Sequential(*blocks, nn.AvgPool2d((1, pool), stride=1))


def _shared(frame: int, step: int, samples: int) -> Layout | None:
    """How frames lie that overlap by half or more, in step with the stem; else None."""
    if 2 * step > frame or samples < frame + step or step % (STEM[1] * STEM_POOL[1]):
        return None
    return Layout((samples - frame) // step + 1, frame, step, samples)


def _normed(x: Frames, conv: nn.Module, norm: nn.Module) -> Frames:
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(norm, FrameNorm)
    return norm.overlapping(convolve(x, conv))


def _elu(x: Tensor) -> Tensor:
    return F.elu(x, inplace=True)
