"""Parts of RobustSsF in two dimensions: encoder, decoder, gated fusion of the coarsest level.

As in the published code, with its region probability maps left out: regions are label classes, so
without labels there is one region, the whole image. Ours: decoders see the coarsest level alone,
without skips from finer ones (and so without fusions of those), and norms are over the channels of
each place instead of over each channel of an image; the reasons are in `methods/robustssf.py`.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from physiome.nn.entered import Raw, Size, convolve

GATE_WIDTH = 128  # hidden features of a gate


class Conv(nn.ModuleList):
    """Reflecting convolution, norm, leaky ReLU; the latter two are left to whoever reads it.

    With bias: without it the norm would leave of a flat image no more than its sign.
    """

    def __init__(self, inputs: int, outputs: int, slope: float, kernel: int = 3, stride: int = 1):
        conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, padding_mode="reflect")
        super().__init__([conv, nn.LayerNorm(outputs)])
        self.slope = slope

    def forward(self, x: Tensor | Raw, size: Size | None = None) -> Raw:
        """(B, C, H, W), first enlarged if a size is given -> (B, C', H', W')."""
        conv, norm = cast(tuple[nn.Conv2d, nn.LayerNorm], tuple(self))
        return Raw(convolve(x, conv, size), norm, self.slope)


class Stage(nn.Module):
    """A convolution that may halve the image, and a residual pair."""

    def __init__(self, inputs: int, outputs: int, slope: float, stride: int):
        super().__init__()
        self.enter = Conv(inputs, outputs, slope, stride=stride)
        self.pair = nn.Sequential(Conv(outputs, outputs, slope), Conv(outputs, outputs, slope))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H / stride, W / stride)."""
        x = self.enter(x).active()
        return x + self.pair(x).active()


class LevelEncoder(nn.Module):
    """The encoder of one modality: one stage per width, all but the first of stride 2."""

    def __init__(self, widths: Sequence[int], slope: float):
        super().__init__()
        self.stages = nn.Sequential(
            *(
                Stage(inputs, outputs, slope, stride=1 if i == 0 else 2)
                for i, (inputs, outputs) in enumerate(pairwise([1, *widths]))
            )
        )

    def forward(self, image: Tensor) -> Tensor:
        """(B, H, W) -> the coarsest level (B, widths[-1], H / 8, W / 8), sides rounded up."""
        return self.stages(image[:, None])


class Up(nn.Module):
    """One step up: enlarge the coarser level and halve its channels."""

    def __init__(self, coarse: int, fine: int, slope: float):
        super().__init__()
        self.enter = Conv(coarse, fine, slope)
        self.pair = nn.Sequential(Conv(fine, fine, slope), Conv(fine, fine, slope, kernel=1))

    def forward(self, coarse: Tensor | Raw, size: Size) -> Raw:
        """(B, C', H / 2, W / 2) -> (B, C, H, W) of the size (H, W)."""
        return self.pair(self.enter(coarse, size))


class LevelDecoder(nn.Module):
    """From the coarsest level up to images of (H, W)."""

    def __init__(self, widths: Sequence[int], outputs: int, slope: float, size: tuple[int, int]):
        super().__init__()
        self.sizes = [size]  # of the levels, coarsest but one first
        for _ in widths[2:]:
            height, width = self.sizes[0]
            self.sizes.insert(0, ((height + 1) // 2, (width + 1) // 2))
        steps = reversed(list(pairwise(widths)))
        self.ups = nn.ModuleList(Up(coarse, fine, slope) for fine, coarse in steps)
        self.leave = nn.Conv2d(widths[0], outputs, 1)

    def forward(self, coarsest: Tensor) -> Tensor:
        """(B, widths[-1], H / 8, W / 8) -> (B, outputs, H, W)."""
        x: Tensor | Raw = coarsest
        for up, size in zip(self.ups, self.sizes, strict=True):
            x = up(x, size)
        return convolve(x, self.leave)


def _halving(inputs: int, width: int, slope: float) -> nn.Sequential:
    return nn.Sequential(
        Conv(inputs, width, slope, kernel=1),
        Conv(width, width, slope),
        Conv(width, width // 2, slope, kernel=1),
    )


class Fusion(nn.Module):
    """The coarsest level of whatever modalities are given -> one feature map of the same width.

    Half of its channels come from a sum in which a gate weighs each modality, half from a shortcut
    that sees all of them side by side. A missing modality is zero in both.
    """

    def __init__(self, modalities: Sequence[str], width: int, slope: float):
        super().__init__()
        self.modalities = tuple(modalities)
        count = len(self.modalities)
        self.gate = nn.Sequential(
            nn.Linear(count * width, GATE_WIDTH),
            nn.LeakyReLU(slope),
            nn.Linear(GATE_WIDTH, count),
            nn.Sigmoid(),
        )
        self.gated = _halving(width, width, slope)
        self.shortcut = _halving(count * width, width, slope)

    def forward(self, given: Mapping[str, Tensor]) -> Tensor:
        """Modality -> (B, C, H, W), at least one; gives (B, C, H, W)."""
        nothing = torch.zeros_like(next(iter(given.values())))
        features = torch.stack([given.get(m, nothing) for m in self.modalities], dim=1)
        weights = self.gate(features.mean(dim=(3, 4)).flatten(1))  # (B, M)
        weighted = (features * weights[:, :, None, None, None]).sum(dim=1)
        both = self.gated(weighted), self.shortcut(features.flatten(1, 2))
        return torch.cat([raw.active() for raw in both], dim=1)


class FusionDecoder(nn.Module):
    """Fuses the given modalities and decodes the images of all modalities."""

    def __init__(
        self, modalities: Sequence[str], widths: Sequence[int], slope: float, size: tuple[int, int]
    ):
        super().__init__()
        self.fusion = Fusion(modalities, widths[-1], slope)
        self.decoder = LevelDecoder(widths, len(modalities), slope, size)

    def forward(self, given: Mapping[str, Tensor]) -> Tensor:
        """Modality -> coarsest level, at least one; gives (B, M, H, W) in the modalities' order."""
        return self.decoder(self.fusion(given))
