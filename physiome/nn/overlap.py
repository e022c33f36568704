"""Frames that overlap: what they share is computed once.

Sliding operations (convolutions, pools) give a frame what they give the window it was cut from, but
for the places at its ends that padding reaches: one or two more at either end with every layer. So
layers take whole windows, and beside them the ends of every frame. Both together are the frames,
place by place, and each place of a window stands for as many places of frames as have it inside.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import Function
from torch.nn import functional as F

Span = tuple[int, int]  # first and last (excluded) place, counted from where a frame begins


class Layout(NamedTuple):
    """Where the frames of a window lie, at the resolution of some layer.

    Attributes:
        frames: N of a window.
        length: T places of a frame.
        step: places between the starts of two frames.
        whole: L places of a window.
        edge: E places at either end of a frame that padding has reached.
    """

    frames: int
    length: int
    step: int
    whole: int
    edge: int = 0

    def after(self, kernel: int, stride: int, padding: int) -> "Layout | None":
        """Where they lie after a sliding operation, of which the first pads.

        None where they fall out of step, or are so short that their ends meet.
        """
        if self.step % stride:
            return None
        length, whole = (
            (places + 2 * padding - kernel) // stride + 1 for places in (self.length, self.whole)
        )
        start = -(-(self.edge + padding) // stride)
        # Places before `clean` see nothing of the last end and of the padding behind it
        clean = (self.length - self.edge - kernel + padding) // stride + 1
        edge = max(start, length - clean)
        if 2 * edge > length:
            return None
        return Layout(self.frames, length, self.step // stride, whole, edge)

    def counts(self) -> Tensor:
        """(L,): how many frames have a place of the window inside, between their ends."""
        found = torch.zeros(self.whole)
        for n in range(self.frames):
            found[n * self.step + self.edge : n * self.step + self.length - self.edge] += 1.0
        return found


class Frames(NamedTuple):
    """Frames of a batch of windows.

    Attributes:
        whole: (B, L, C), the windows.
        ends: (2, B, N, E, C), the first and the last E places of every frame.
    """

    whole: Tensor
    ends: Tensor
    layout: Layout

    def map(self, change: Callable[[Tensor], Tensor]) -> "Frames":
        """With every number changed by itself."""
        return Frames(change(self.whole), change(self.ends), self.layout)

    def cut_out(self) -> Tensor:
        """(B N, C, 1, T): every frame by itself, channels-last."""
        return image(
            _Cut.apply(self.whole, self.ends, self.layout, ((0, self.layout.length),), 0.0)
        )


def overlapping(x: Tensor, layout: Layout) -> Frames:
    """Frames of windows (B, L) that nothing was done to."""
    return Frames(x[..., None], x.new_empty((2, len(x), layout.frames, 0, 1)), layout)


def convolve(x: Frames, conv: nn.Conv2d) -> Frames:
    """A (1 x k) convolution without bias, as of every frame by itself."""
    stride, padding = conv.stride[1], conv.padding[1]

    def slide(y: Tensor, pad: int) -> Tensor:
        return F.conv2d(y, conv.weight, None, (1, stride), (0, int(pad)))

    assert isinstance(padding, int)
    return _slide(x, slide, conv.kernel_size[1], stride, padding)


def max_pool(x: Frames, kernel: int, stride: int, padding: int) -> Frames:
    """As of every frame by itself."""

    def slide(y: Tensor, pad: int) -> Tensor:
        return F.max_pool2d(y, (1, kernel), (1, stride), (0, pad))

    return _slide(x, slide, kernel, stride, padding, -torch.inf)


def add_cropped(y: Frames, x: Frames) -> Frames:
    """y + x, where frames of x are at least as long, and cut on the right."""
    edge, length = y.layout.edge, y.layout.length
    ends = _Cut.apply(x.whole, x.ends, x.layout, ((0, edge), (length - edge, length)), 0.0)
    return Frames(y.whole + x.whole[:, : y.layout.whole], y.ends + ends, y.layout)


def _slide(
    x: Frames,
    slide: Callable[[Tensor, int], Tensor],
    kernel: int,
    stride: int,
    padding: int,
    fill: float = 0.0,
) -> Frames:
    """A sliding operation with padding on windows, and on what it sees at the ends of frames."""
    before, after = x.layout, x.layout.after(kernel, stride, padding)
    assert after is not None
    seen = (after.edge - 1) * stride + kernel
    last = (after.length - 1) * stride - padding + kernel
    spans = ((-padding, seen - padding), (last - seen, last))
    ends = slide(image(_Cut.apply(x.whole, x.ends, before, spans, fill)), 0)
    whole = rows(slide(image(x.whole), padding))
    shape = (2, len(whole), after.frames, after.edge, whole.shape[-1])
    return Frames(whole, rows(ends).reshape(shape), after)


def image(x: Tensor) -> Tensor:
    """(..., places, C) -> (n, C, 1, places), channels-last, which copies nothing."""
    return x.reshape(-1, 1, *x.shape[-2:]).movedim(-1, 1)


def rows(x: Tensor) -> Tensor:
    """(n, C, 1, places), channels-last -> (n, places, C)."""
    return x.squeeze(2).movedim(1, -1).contiguous()


class _Cut(Function):
    """Spans of every frame, all equally wide: (spans, B, N, width, C). Outside of it, `fill`."""

    @staticmethod
    def forward(
        ctx: Any, whole: Tensor, ends: Tensor, layout: Layout, spans: tuple[Span, ...], fill: float
    ) -> Tensor:
        ctx.layout, ctx.spans, ctx.shapes = layout, spans, (whole.shape, ends.shape)
        size = (len(spans), len(whole), layout.frames, spans[0][1] - spans[0][0], whole.shape[-1])
        out = whole.new_empty(size)
        for one, span in zip(out.unbind(), spans, strict=True):
            for kind, (first, last) in _pieces(layout, span):
                into = one[:, :, first - span[0] : last - span[0]]
                if kind == "outside":
                    into.fill_(fill)
                elif kind == "inside":
                    into.copy_(_windows(whole, layout, first, last))
                else:
                    into.copy_(_end(ends, layout, kind, first, last))
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        layout: Layout = ctx.layout
        whole, ends = (gradients[0].new_zeros(shape) for shape in ctx.shapes)
        for one, span in zip(gradients[0].unbind(), ctx.spans, strict=True):
            for kind, (first, last) in _pieces(layout, span):
                piece = one[:, :, first - span[0] : last - span[0]]
                if kind == "inside":
                    _add_windows(whole, piece, layout, first, last)
                elif kind != "outside":
                    _end(ends, layout, kind, first, last).add_(piece)
        return whole, ends, None, None, None


def _pieces(layout: Layout, span: Span) -> Iterator[tuple[str, Span]]:
    """What a span consists of, from left to right."""
    edge, length = layout.edge, layout.length
    borders = {
        "outside": (-length, 0),
        "start": (0, edge),
        "inside": (edge, length - edge),
        "end": (length - edge, length),
    }
    for kind, (low, high) in [*borders.items(), ("outside", (length, 2 * length))]:
        first, last = max(span[0], low), min(span[1], high)
        if first < last:
            yield kind, (first, last)


def _end(ends: Tensor, layout: Layout, kind: str, first: int, last: int) -> Tensor:
    """A view (B, N, last - first, C) into the first or the last places of frames."""
    if kind == "start":
        return ends[0, :, :, first:last]
    begins = layout.length - layout.edge
    return ends[1, :, :, first - begins : last - begins]


def _windows(whole: Tensor, layout: Layout, first: int, last: int) -> Tensor:
    """A view (B, N, last - first, C) of stretches of windows that overlap."""
    stretch = whole[:, first : last + (layout.frames - 1) * layout.step]
    return stretch.unfold(1, last - first, layout.step).movedim(-1, -2)


def _add_windows(whole: Tensor, piece: Tensor, layout: Layout, first: int, last: int) -> None:
    """Add (B, N, last - first, C) to where it was cut from: all frames that do not meet at once.

    Not by `unfold`: compiled, a sum into such a view loses what lies between its stretches.
    """
    meet = -(-(last - first) // layout.step)
    for n in range(min(meet, layout.frames)):
        some, begin, period = piece[:, n::meet], first + n * layout.step, meet * layout.step
        end = begin + (some.shape[1] - 1) * period
        if end > begin:
            into = whole[:, begin:end].unflatten(1, (-1, period))
            into[:, :, : last - first].add_(some[:, :-1])
        whole[:, end : end + last - first].add_(some[:, -1])
