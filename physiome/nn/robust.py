"""Parts of RobustSsF in two dimensions: encoder, U-Net decoder, gated fusion at every level.

As in the published code, with its region probability maps left out: regions are label classes, so
without labels there is one region, the whole image.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

GATE_WIDTH = 128  # hidden features of a gate, at every level

Levels = Sequence[Tensor]  # (B, widths[i], H / 2^i, W / 2^i), finest first


class Conv(nn.Sequential):
    """Reflecting convolution, instance norm, leaky ReLU: (B, C, H, W) -> (B, C', H', W').

    Without bias: the norm would take it out again.
    """

    def __init__(self, inputs: int, outputs: int, slope: float, kernel: int = 3, stride: int = 1):
        super().__init__(
            nn.Conv2d(
                inputs, outputs, kernel, stride, padding=kernel // 2, padding_mode="reflect",
                bias=False,
            ),
            nn.InstanceNorm2d(outputs),
            nn.LeakyReLU(slope),
        )  # fmt: skip


class Stage(nn.Module):
    """A convolution that may halve the image, and a residual pair."""

    def __init__(self, inputs: int, outputs: int, slope: float, stride: int):
        super().__init__()
        self.enter = Conv(inputs, outputs, slope, stride=stride)
        self.pair = nn.Sequential(Conv(outputs, outputs, slope), Conv(outputs, outputs, slope))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H / stride, W / stride)."""
        x = self.enter(x)
        return x + self.pair(x)


class ImageEncoder(nn.Module):
    """The encoder of one modality: one stage per width, all but the first of stride 2."""

    def __init__(self, widths: Sequence[int], slope: float):
        super().__init__()
        self.stages = nn.ModuleList(
            Stage(inputs, outputs, slope, stride=1 if i == 0 else 2)
            for i, (inputs, outputs) in enumerate(pairwise([1, *widths]))
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, H, W) -> the levels."""
        x, levels = image[:, None], []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        return levels


class Up(nn.Module):
    """One step up: enlarge the coarser level, halve its channels, join the finer level."""

    def __init__(self, coarse: int, fine: int, slope: float):
        super().__init__()
        self.enter = Conv(coarse, fine, slope)
        self.join = nn.Sequential(Conv(2 * fine, fine, slope), Conv(fine, fine, slope, kernel=1))

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """(B, C', H / 2, W / 2), (B, C, H, W) -> (B, C, H, W)."""
        size = fine.shape[-2:]
        larger = F.interpolate(coarse, size=size, mode="bilinear", align_corners=True)
        return self.join(torch.cat([self.enter(larger), fine], dim=1))


class ImageDecoder(nn.Module):
    """From the coarsest level up to an image: levels -> (B, outputs, H, W)."""

    def __init__(self, widths: Sequence[int], outputs: int, slope: float):
        super().__init__()
        steps = reversed(list(pairwise(widths)))
        self.ups = nn.ModuleList(Up(coarse, fine, slope) for fine, coarse in steps)
        self.leave = nn.Conv2d(widths[0], outputs, 1)

    def forward(self, levels: Levels) -> Tensor:
        """Levels -> (B, outputs, H, W)."""
        *finer, x = levels
        for up, fine in zip(self.ups, reversed(finer), strict=True):
            x = up(x, fine)
        return self.leave(x)


def _halving(inputs: int, width: int, slope: float) -> nn.Sequential:
    return nn.Sequential(
        Conv(inputs, width, slope, kernel=1),
        Conv(width, width, slope),
        Conv(width, width // 2, slope, kernel=1),
    )


class Fusion(nn.Module):
    """One level of whatever modalities are given -> one feature map of the same width.

    Half of its channels come from a sum in which a gate weighs each modality, half from a shortcut
    that sees all of them side by side. A missing modality is zero in both.
    """

    def __init__(self, modalities: Sequence[str], width: int, slope: float):
        super().__init__()
        self.modalities = tuple(modalities)
        count = len(self.modalities)
        self.gate = nn.Sequential(
            nn.Linear(count * width, GATE_WIDTH), nn.LeakyReLU(slope),
            nn.Linear(GATE_WIDTH, count), nn.Sigmoid(),
        )  # fmt: skip
        self.gated = _halving(width, width, slope)
        self.shortcut = _halving(count * width, width, slope)

    def forward(self, given: Mapping[str, Tensor]) -> Tensor:
        """Modality -> (B, C, H, W), at least one; gives (B, C, H, W)."""
        nothing = torch.zeros_like(next(iter(given.values())))
        features = torch.stack([given.get(m, nothing) for m in self.modalities], dim=1)
        weights = self.gate(features.mean(dim=(3, 4)).flatten(1))  # (B, M)
        weighted = (features * weights[:, :, None, None, None]).sum(dim=1)
        return torch.cat([self.gated(weighted), self.shortcut(features.flatten(1, 2))], dim=1)


class FusionDecoder(nn.Module):
    """Fuses the given modalities at every level and decodes the images of all modalities."""

    def __init__(self, modalities: Sequence[str], widths: Sequence[int], slope: float):
        super().__init__()
        self.fusions = nn.ModuleList(Fusion(modalities, width, slope) for width in widths)
        self.decoder = ImageDecoder(widths, len(modalities), slope)

    def deepest(self, given: Mapping[str, Tensor]) -> Tensor:
        """The fused coarsest level: modality -> (B, C, h, w) gives (B, C, h, w)."""
        return self.fusions[-1](given)

    def forward(self, given: Mapping[str, Levels]) -> Tensor:
        """Modality -> levels, at least one; gives (B, M, H, W) in the modalities' order."""
        return self.decoder(
            [
                fusion({m: levels[i] for m, levels in given.items()})
                for i, fusion in enumerate(self.fusions)
            ]
        )
