"""A convolution and what goes in front of it as one operation, of which little is kept.

Norm, leaky ReLU, enlargement and padding take little time beside a convolution, but each result is
as large as its input. Kept for the way back are what came in and what the convolution saw; the
latter is made anew where it is enlarged, or only padded. Tensors are channels-last, where neither a
norm over channels nor a convolution copies them.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import Function, once_differentiable
from torch.nn import functional as F

aten = torch.ops.aten
Size = tuple[int, int]


class Raw(NamedTuple):
    """The output of a convolution; whoever reads it norms and activates it."""

    output: Tensor  # (B, C, H, W)
    norm: nn.LayerNorm  # over the channels of each place
    slope: float  # of the leaky ReLU, not negative

    def active(self) -> Tensor:
        """(B, C, H, W), normed and activated."""
        rows = self.norm(self.output.movedim(1, -1))  # (B, H, W, C)
        return F.leaky_relu_(rows, self.slope).movedim(-1, 1)


def convolve(x: Tensor | Raw, conv: nn.Conv2d, size: Size | None = None) -> Tensor:
    """Norm and activate what is raw, enlarge it bilinearly to a size, pad by reflection, convolve.

    Args:
        x: (B, C, H, W).
        conv: with bias; of kernel 1, or of kernel 3 and a padding of 1.

    Returns:
        (B, C', H', W'), in the precision of autocast.
    """
    weight, bias, device = conv.weight, conv.bias, conv.weight.device.type
    assert bias is not None
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)  # here, so that autograd casts gradients back
        weight, bias = weight.to(dtype), bias.to(dtype)
    before = _Before(conv.kernel_size[0] // 2, conv.stride[0], size)
    if not isinstance(x, Raw):
        return _Entered.apply(x, weight, bias, None, None, before)
    before = before._replace(raw=True, slope=x.slope, eps=x.norm.eps)
    gain, shift = x.norm.weight, x.norm.bias
    if narrow_norms(gain):
        gain, shift = gain.to(weight.dtype), shift.to(weight.dtype)
    return _Entered.apply(x.output, weight, bias, gain, shift, before)


def narrow_norms(x: Tensor) -> bool:
    """Whether norms in front of a convolution take and give numbers of its precision.

    What it sees is rounded to that anyway, and a GPU sums in float32 within a norm. A CPU sums the
    gradients of gain and shift in 16 bits, which loses nearly all of them.
    """
    return not x.is_cpu


class _Before(NamedTuple):
    """What is done before a convolution of some stride."""

    pad: int
    stride: int
    size: Size | None
    raw: bool = False  # if so, what comes in is normed and activated
    slope: float = 0.0
    eps: float = 0.0

    @property
    def keeps_padded(self) -> bool:
        """Whether what the convolution saw is kept; else backward makes it anew."""
        return self.raw and self.size is None


class _Entered(Function):
    """Tensors within are (B, H, W, C); images come in and go out as (B, C, H, W)."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        gain: Tensor | None,
        shift: Tensor | None,
        before: _Before,
    ) -> Tensor:
        active = rows = x.movedim(1, -1).contiguous()  # (B, H, W, C)
        mean = rstd = None  # (B, H, W, 1)
        with torch.autocast(x.device.type, enabled=False):
            if gain is not None:
                active, mean, rstd = torch.native_layer_norm(
                    rows.to(gain.dtype), gain.shape, gain, shift, before.eps
                )
            if before.raw and not before.keeps_padded:
                F.leaky_relu_(active, before.slope)
            padded = _pad(active, before, weight.dtype)
            kept = padded if before.keeps_padded else active
            ctx.save_for_backward(kept, rows, weight, gain, shift, mean, rstd)
            ctx.before = before
            return F.conv2d(padded.movedim(-1, 1), weight, bias, before.stride)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        kept, rows, weight, gain, shift, mean, rstd = ctx.saved_tensors
        before: _Before = ctx.before
        padded = kept if before.keeps_padded else _pad(kept, before, weight.dtype)
        wanted = [gain is not None or ctx.needs_input_grad[0], True, True]
        by_padded, *by_conv = aten.convolution_backward(
            gradients[0], padded.movedim(-1, 1), weight, [len(weight)], [before.stride] * 2,
            [0, 0], [1, 1], False, [0, 0], 1, wanted,
        )  # fmt: skip
        if not wanted[0]:
            return None, *by_conv, None, None, None
        by_active = _unpad(by_padded.movedim(1, -1), kept, before)
        if gain is None:
            return by_active.movedim(-1, 1), *by_conv, None, None, None
        active = _middle(kept, before.pad) if before.keeps_padded else kept
        by_normed = torch.empty_like(rows, dtype=gain.dtype)
        aten.leaky_relu_backward.grad_input(
            by_active, active, before.slope, True, grad_input=by_normed
        )
        by_rows, *by_norm = aten.native_layer_norm_backward(
            by_normed, rows.to(gain.dtype), gain.shape, mean, rstd, gain, shift, [True] * 3
        )
        return by_rows.to(rows.dtype).movedim(-1, 1), *by_conv, *by_norm, None


def _pad(active: Tensor, before: _Before, dtype: torch.dtype) -> Tensor:
    """Enlarge what is active, or activate what is raw; then pad."""
    pad = before.pad
    if before.size is not None:
        active = F.interpolate(
            active.movedim(-1, 1), size=before.size, mode="bilinear", align_corners=True
        ).movedim(1, -1)
    batch, height, width, channels = active.shape
    out = active.new_empty((batch, height + 2 * pad, width + 2 * pad, channels), dtype=dtype)
    middle = _middle(out, pad)
    if before.keeps_padded and active.dtype == dtype:
        aten.leaky_relu.out(active, before.slope, out=middle)
    else:
        middle.copy_(active)
        if before.keeps_padded:
            F.leaky_relu_(middle, before.slope)
    if pad:
        out[:, 0], out[:, -1] = out[:, 2], out[:, -3]
        out[:, :, 0], out[:, :, -1] = out[:, :, 2], out[:, :, -3]
    return out


def _unpad(gradient: Tensor, active: Tensor, before: _Before) -> Tensor:
    """Back through padding and enlargement; uses up the gradient."""
    if before.pad:
        gradient[:, :, 2] += gradient[:, :, 0]
        gradient[:, :, -3] += gradient[:, :, -1]
        gradient[:, 2] += gradient[:, 0]
        gradient[:, -3] += gradient[:, -1]
        gradient = _middle(gradient, before.pad)
    if before.size is None:
        return gradient
    batch, height, width, channels = active.shape
    return aten.upsample_bilinear2d_backward(
        gradient.to(active.dtype).contiguous().movedim(-1, 1),
        before.size, [batch, channels, height, width], True,
    ).movedim(1, -1)  # fmt: skip


def _middle(padded: Tensor, pad: int) -> Tensor:
    return padded[:, pad:-pad, pad:-pad] if pad else padded
