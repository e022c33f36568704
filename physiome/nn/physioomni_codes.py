"""Codebooks: vectors that unit vectors are replaced by, moved by averages instead of gradients."""

from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from vector_quantize_pytorch import VectorQuantize

from physiome.nn.draws import integers, send
from physiome.nn.precision import float32

APART = 0.1  # length of the noise that tells codes apart that start at one vector


class Codebook(nn.Module):
    """Nearest code by cosine, straight-through gradient, moving averages, k-means start.

    The library would start k-means on whatever comes first, an evaluation included, and with fewer
    vectors than codes it would start identical codes, all but one of them dead for ever. Here the
    codes are random directions until training starts, and a small first batch is filled up with
    noisy copies of its own vectors. Codes that nothing is near to are not revived, as published.

    Args:
        width, codes: size of a code, and their number.
        decay: of the moving averages.
        commitment: weight of the pull of the vectors towards their codes.
    """

    def __init__(self, width: int, codes: int, decay: float, commitment: float):
        super().__init__()
        self.codes = codes
        self.quantizer = VectorQuantize(
            width,
            codes,
            decay=decay,
            commitment_weight=commitment,
            kmeans_init=True,
            use_cosine_sim=True,
            rotation_trick=False,
        )
        self._book.embed.copy_(F.normalize(torch.randn_like(self._book.embed), dim=-1))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        # Whether codes were started stays on the CPU: the library asks at every step.
        started = self._book.initted
        super()._apply(fn, recurse)
        self._book.initted = started
        return self

    @property
    def _book(self) -> Any:
        return self.quantizer._codebook

    def nearest(self, x: Tensor) -> Tensor:
        """Code numbers (..., ) of vectors (..., D); changes nothing."""
        with float32(x.device):
            return (x.float() @ self._book.embed[0].T).argmax(dim=-1)

    def forward(self, x: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Vectors (..., D) -> their codes (..., D), code numbers (...,), commitment loss.

        In training mode the codebook follows the vectors; the library's k-means draws from torch's
        global generator, too. In evaluation mode nothing changes.
        """
        with float32(x.device):
            flat = F.normalize(x.float().flatten(0, -2), dim=-1)  # (V, D)
            if self.training:
                self._start(flat.detach(), rng)
                quantized, index, commitment = self.quantizer(flat[None])
                quantized, index = quantized[0], index[0]
            else:
                index = self.nearest(flat)
                quantized = self._book.embed[0][index]
                commitment = self.quantizer.commitment_weight * F.mse_loss(flat, quantized)
                quantized = flat + (quantized - flat).detach()
        return quantized.view(x.shape), index.view(x.shape[:-1]), commitment

    @torch.no_grad()
    def _start(self, x: Tensor, rng: torch.Generator) -> None:
        """Start the codes by k-means on unit vectors (V, D), once."""
        if self._book.initted:
            return
        x = x[send(torch.randperm(len(x), generator=rng), x.device)]
        missing = self.codes - len(x)
        if missing > 0:
            again = integers(0, len(x), (missing,), rng, x.device)
            noise = send(torch.randn(missing, x.shape[1], generator=rng), x.device)
            x = torch.cat([x, F.normalize(x[again] + APART * F.normalize(noise, dim=1), dim=1)])
        self._book.init_embed_(x[None])
