"""Spectrogram images: log-power of a short-time Fourier transform, standardised per frequency."""

import torch
from torch import Tensor, nn

from physiome.config.image import Image
from physiome.errors import ConfigError
from physiome.nn.leads import over_leads
from physiome.nn.precision import float32

FLOOR = 1e-8  # added to the power before its logarithm


def stft(x: Tensor, n_fft: int, hop: int, hann: bool = True) -> Tensor:
    """Complex spectrum (B, n_fft / 2 + 1, T) of (B, L): Hann window or none, no padding."""
    window = torch.ones(n_fft, dtype=x.dtype, device=x.device)
    if hann:
        window = torch.hann_window(n_fft, periodic=True, dtype=x.dtype, device=x.device)
    return torch.stft(x, n_fft, hop, window=window, center=False, return_complex=True)


class SpectrogramImage(nn.Module):
    """x (B, L) in the modality's unit -> image (B, bins, frames) of order one.

    Scaled without offset: log-power loses the sign of the lowest bin, so a centred pressure of -20
    and of +20 mmHg about its mean would become one image. The hop is the largest that gives enough
    frames; those left over are cut evenly from both ends.

    Raises:
        ConfigError: if the window is too short for the image.
    """

    scale: Tensor
    mean: Tensor
    sd: Tensor

    def __init__(self, spec: Image, samples: int):
        super().__init__()
        self.spec = spec
        self.hop = (samples - spec.n_fft) // max(spec.frames - 1, 1)
        if self.hop < 1 or spec.bins > spec.n_fft // 2 + 1:
            raise ConfigError(
                f"an image of {spec.bins} bins and {spec.frames} frames does not fit a window of "
                f"{samples} samples at n_fft {spec.n_fft}",
                do="lower image.frames or image.n_fft",
            )
        self.register_buffer("scale", torch.tensor(1.0))
        self.register_buffer("mean", torch.zeros(spec.bins))
        self.register_buffer("sd", torch.ones(spec.bins))

    def log_power(self, x: Tensor) -> Tensor:
        """(B, L) -> (B, bins, frames), not standardised; of (B, C, L) the mean of the leads'."""
        return over_leads(self._log_power, x)

    def _log_power(self, x: Tensor) -> Tensor:
        with float32(x.device):
            spectrum = stft(x.float() / self.scale, self.spec.n_fft, self.hop)
            first = (spectrum.shape[-1] - self.spec.frames) // 2
            kept = spectrum[:, : self.spec.bins, first : first + self.spec.frames]
            return (kept.real.square() + kept.imag.square() + FLOOR).log()

    def calibrate(self, x: Tensor) -> None:
        """Take mean and standard deviation of every frequency bin from windows (B, L)."""
        power = self.log_power(x).transpose(0, 1).flatten(1).double()  # (bins, B frames)
        self.mean.copy_(power.mean(dim=1))
        self.sd.copy_(power.std(dim=1).clamp_min(1e-3))

    def forward(self, x: Tensor) -> Tensor:
        """(B, L), or (B, C, L) -> (B, bins, frames)."""
        return (self.log_power(x) - self.mean[:, None]) / self.sd[:, None]
