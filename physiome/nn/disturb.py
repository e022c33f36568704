"""ContraWR's random disturbances of multichannel signals (B, C, L): noise, bands, shift, order.

Every row draws its own, as published. Ours: bands are cut out of the Fourier transform (published:
Butterworth filters), the shift is a true rotation (the published swap overwrites its own source),
and the slow noise has a knot every second (published: every 100 samples, the same at 100 Hz).
"""

import torch
from torch import Tensor
from torch.nn import functional as F

LOW, HIGH = 0, 1


def _rand(rng: torch.Generator, *shape: int) -> Tensor:
    return torch.rand(shape, generator=rng, device=rng.device)


def _low_high(shape: tuple[int, int], rng: torch.Generator) -> Tensor:
    """(*shape, 2) booleans: low, high, both or neither, each with chance 1/4."""
    return _rand(rng, *shape, 2) < 0.5


def add_noise(x: Tensor, rng: torch.Generator, rate_hz: float, amplitude: float) -> Tensor:
    """Half the channels get noise: high-frequency, low-frequency, both or, after all, none.

    Args:
        amplitude: of each kind of noise, as a share of the channel's range in the window.
    """
    batch, channels, length = x.shape
    chosen = _low_high((batch, channels), rng) & (_rand(rng, batch, channels, 1) < 0.5)
    knots = max(2, int(length / rate_hz))
    low = F.interpolate(
        2 * _rand(rng, batch, channels, knots) - 1, size=length, mode="linear", align_corners=True
    )
    high = 2 * _rand(rng, batch, channels, length) - 1
    noise = low * chosen[..., LOW, None] + high * chosen[..., HIGH, None]
    extent = x.amax(dim=-1, keepdim=True) - x.amin(dim=-1, keepdim=True)
    return x + amplitude * extent * noise


def keep_bands(x: Tensor, rng: torch.Generator, rate_hz: float, bands_hz: Tensor) -> Tensor:
    """Every channel keeps its low band, its high band, both, or all frequencies (1/4 each).

    Args:
        bands_hz: (C, 2, 2): low and high band of each channel, from and to (excluded).
    """
    batch, channels, length = x.shape
    frequency_hz = torch.fft.rfftfreq(length, 1 / rate_hz, device=x.device)
    inside = (bands_hz[..., :1] <= frequency_hz) & (frequency_hz < bands_hz[..., 1:])  # (C, 2, F)
    chosen = _low_high((batch, channels), rng)[..., None]  # (B, C, 2, 1)
    kept = (chosen & inside).any(dim=2) | ~chosen.any(dim=2)  # (B, C, F)
    return torch.fft.irfft(torch.fft.rfft(x) * kept, n=length)


def shift(x: Tensor, rng: torch.Generator) -> Tensor:
    """Rotate each row in time, all its channels by the same number of samples, never by none."""
    batch, _, length = x.shape
    by = torch.randint(1, length, (batch, 1, 1), generator=rng, device=rng.device)
    at = (torch.arange(length, device=x.device) - by) % length  # (B, 1, L)
    return x.gather(2, at.expand_as(x))


def permute_channels(x: Tensor, rng: torch.Generator) -> Tensor:
    """Put the channels of each row in a random order; one channel stays as it is."""
    order = _rand(rng, *x.shape[:2]).argsort(dim=1)
    return x.gather(1, order[..., None].expand_as(x))


def disturb(
    x: Tensor, rng: torch.Generator, rate_hz: float, bands_hz: Tensor, noise: float
) -> Tensor:
    """One of the four, drawn for each row with equal chance, on (B, C, L)."""
    which = torch.randint(0, 4, (len(x),), generator=rng, device=rng.device)
    changes = (
        lambda rows: add_noise(rows, rng, rate_hz, noise),
        lambda rows: keep_bands(rows, rng, rate_hz, bands_hz),
        lambda rows: shift(rows, rng),
        lambda rows: permute_channels(rows, rng),
    )
    out = torch.empty_like(x)
    for number, change in enumerate(changes):
        rows = (which == number).nonzero()[:, 0]
        if len(rows):  # a Fourier transform of no rows is refused
            out[rows] = change(x[rows])
    return out
