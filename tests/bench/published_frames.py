"""The frame network as published: one frame a call, Conv1d, crops by slicing; our weights."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from physiome.nn.neuronet_frames import FrameNetwork


def frame_features(network: FrameNetwork, x: Tensor) -> Tensor:
    """(B, L) -> (B, N, features), in a loop over the frames."""
    starts = range(0, x.shape[-1] - network.frame + 1, network.step)
    frames = [_one_frame(network, x[:, i : i + network.frame]) for i in starts]
    return torch.stack(frames, dim=1)


def same_modules(network: FrameNetwork, x: Tensor) -> Tensor:
    """As `frame_features`, but with our own layers: what the arrangement alone costs."""
    starts = range(0, x.shape[-1] - network.frame + 1, network.step)
    return torch.cat([network(x[:, i : i + network.frame]) for i in starts], dim=1)


def _one_frame(network: FrameNetwork, x: Tensor) -> Tensor:
    """(B, F) -> (B, features)."""
    convolution, norm = network.stem[0], network.stem[1]
    y = F.elu(_norm(norm, _conv1d(convolution, x[:, None])))
    y = F.max_pool1d(y, 3, stride=2, padding=1)  # (B, C, T)
    return network.head(torch.cat([_branch(b, y) for b in network.branches], dim=-1).flatten(1))


def _branch(branch: Any, y: Tensor) -> Tensor:
    *blocks, pool = branch.children()
    for block in blocks:
        y = _block(block, y)
    return F.avg_pool1d(y, pool.kernel_size[-1], stride=1)


def _block(block: Any, x: Tensor) -> Tensor:
    y = F.elu(_norm(block.norm1, _conv1d(block.conv1, x)))
    y = _norm(block.norm2, _conv1d(block.conv2, y))
    if len(list(block.shortcut.children())):
        x = _norm(block.shortcut[1], _conv1d(block.shortcut[0], x))
    return F.elu(y + x[..., : y.shape[-1]])


def _conv1d(layer: Any, x: Tensor) -> Tensor:
    return F.conv1d(x, layer.weight.squeeze(2), stride=layer.stride[1], padding=layer.padding[1])


def _norm(layer: Any, x: Tensor) -> Tensor:
    return F.batch_norm(
        x,
        layer.running_mean,
        layer.running_var,
        layer.weight,
        layer.bias,
        layer.training,
        layer.momentum,
        layer.eps,
    )
