"""Batch-norm of frames that overlap: statistics as if every frame had its places by itself."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import Function
from torch.nn import functional as F

from physiome.nn.overlap import Frames, Layout, image, rows

aten = torch.ops.aten


class FrameNorm(nn.BatchNorm2d):
    """Batch-norm of frames cut out, (frames, C, 1, T), or of frames that overlap.

    Args:
        layout: of the latter, if any are to come.
    """

    counts: Tensor | None

    def __init__(self, channels: int, layout: Layout | None = None):
        super().__init__(channels)
        counts = layout.counts() if layout else None
        self.register_buffer("counts", counts, persistent=False)

    def overlapping(self, x: Frames) -> Frames:
        """As of every frame by itself, running statistics included."""
        assert self.counts is not None
        if not self.training:
            return x.map(lambda y: rows(self(image(y))).reshape(y.shape))
        n = len(x.whole) * x.layout.frames * x.layout.length
        whole, ends, mean, var = _Normed.apply(
            x.whole, x.ends, self.weight, self.bias, self.counts, n, self.eps
        )
        self._follow(mean, var * (n / (n - 1)))
        return Frames(rows(whole), rows(ends).reshape(x.ends.shape), x.layout)

    @torch.no_grad()
    def _follow(self, mean: Tensor, var: Tensor) -> None:
        """Move running statistics towards those of a batch."""
        assert self.momentum is not None
        for running, found in ((self.running_mean, mean), (self.running_var, var)):
            assert running is not None
            running.lerp_(found.to(running.dtype), self.momentum)
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)


class _Normed(Function):
    """Windows and ends, normed by statistics of both; each place of a window counts so many times.

    Gives them as images, and these statistics as well, (C,) each, which have no gradient.
    """

    @staticmethod
    def forward(
        ctx: Any,
        whole: Tensor,  # (B, L, C)
        ends: Tensor,  # (2, B, N, E, C)
        weight: Tensor,
        bias: Tensor,
        counts: Tensor,  # (L,)
        n: int,
        eps: float,
    ) -> tuple[Tensor, ...]:
        wide = torch.promote_types(whole.dtype, torch.float32)
        counts = counts.to(wide)
        with torch.autocast(whole.device.type, enabled=False):
            parts = whole.to(wide), ends.to(wide).flatten(0, -2)
            mean = (counts @ parts[0].sum(0) + parts[1].sum(0)) / n
            squares = [(part - mean).square_().sum(0) for part in parts]
            var = (counts @ squares[0] + squares[1]) / n
            normed = [
                F.batch_norm(image(x), mean, var, weight, bias, eps=eps) for x in (whole, ends)
            ]
        ctx.save_for_backward(whole, ends, weight, counts, mean, var)
        ctx.n, ctx.eps = n, eps
        ctx.mark_non_differentiable(mean, var)
        return *normed, mean, var

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        whole, ends, weight, counts, mean, var = ctx.saved_tensors
        rstd = (var + ctx.eps).rsqrt()
        # As if statistics were given: gradients of what came in, of the gain and of the shift
        given = [
            aten.native_batch_norm_backward(
                gradient, image(x), weight, mean, var, mean, rstd, False,
                ctx.eps, [True] * 3,
            )
            for gradient, x in zip(gradients, (whole, ends), strict=False)
        ]  # fmt: skip
        by_gain, by_shift = given[0][1] + given[1][1], given[0][2] + given[1][2]
        # What statistics are owed, by every place as often as it counts: c0 + c1 x
        c1 = weight * rstd.square() * by_gain / ctx.n
        c0 = weight * rstd * by_shift / ctx.n - mean * c1
        owed = torch.addcmul(c0, whole, c1).mul_(counts[:, None]), torch.addcmul(c0, ends, c1)
        by_whole, by_ends = (
            rows(by).reshape(part.shape).sub_(part)
            for (by, *_), part in zip(given, owed, strict=True)
        )
        return by_whole, by_ends, by_gain, by_shift, None, None, None
