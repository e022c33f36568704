"""ContraWR's random disturbances of multichannel signals (B, C, L): noise, bands, shift, order.

Every row draws its own, as published. Bands are those of Butterworth band-passes of order 1, as
published, applied to the Fourier transform, so that no filter has a transient at the start. Ours:
the shift is a true rotation (the published swap overwrites its own source), and the slow noise has
a knot every second (published: every 100 samples, the same at 100 Hz).
"""

from collections.abc import Sequence

import numpy as np
import torch
from scipy.signal import butter, freqz_sos
from torch import Tensor
from torch.nn import functional as F

from physiome.nn.draws import integers, send, uniform

Bands = tuple[tuple[float, float], tuple[float, float]]  # low and high, each from and to, in Hz

LOW, HIGH = 0, 1
ORDER = 1  # of the band-pass filters


def add_noise(x: Tensor, rng: torch.Generator, rate_hz: float, amplitude: float) -> Tensor:
    """Half the channels get noise: high-frequency, low-frequency, both or, after all, none.

    Args:
        amplitude: of each kind of noise, as a share of the channel's range in the window.
    """
    batch, channels, length = x.shape
    device = x.device
    kinds = torch.rand((batch, channels, 2), generator=rng) < 0.5  # low, high, both or neither
    chosen = kinds & (torch.rand((batch, channels, 1), generator=rng) < 0.5)
    knots = max(2, int(length / rate_hz))
    points = 2 * uniform((batch, channels, knots), rng, device) - 1
    low = F.interpolate(points, size=length, mode="linear", align_corners=True)
    noise = (low * send(chosen[..., LOW, None], device)).flatten(0, 1)  # (B C, L)
    # A number for every sample is most of what is drawn: for the quarter that gets it, no more
    rows = chosen[..., HIGH].flatten().nonzero()[:, 0]
    high = 2 * uniform((len(rows), length), rng, device) - 1
    noise = noise.index_add(0, send(rows, device), high).view_as(x)
    extent = x.amax(dim=-1, keepdim=True) - x.amin(dim=-1, keepdim=True)
    return x + amplitude * extent * noise


def band_responses(
    bands_hz: Sequence[Bands], slow: Sequence[bool], rate_hz: float, length: int
) -> Tensor:
    """What each outcome of `keep_bands` does to a frequency: (C, 4, length / 2 + 1) complex.

    Outcomes: all frequencies, the low band, the high band, the sum of both.

    Args:
        bands_hz: low and high band of each channel, from and to; between 0 and half the rate.
        slow: whether a channel's mean passes every filter. A band-pass takes it away, and with it
            the level of a pressure, which two views could then not agree about.
        rate_hz, length: of the signals.
    """
    frequency_hz = np.fft.rfftfreq(length, 1 / rate_hz)
    responses = np.ones((len(bands_hz), 4, len(frequency_hz)), dtype=np.complex64)
    for channel, bands in enumerate(bands_hz):
        for outcome, band_hz in enumerate(bands, start=1):
            band_pass = butter(ORDER, band_hz, "bandpass", fs=rate_hz, output="sos")
            responses[channel, outcome] = freqz_sos(band_pass, frequency_hz, fs=rate_hz)[1]
    responses[:, 3] = responses[:, 1] + responses[:, 2]
    responses[:, :, 0] = np.where(np.asarray(slow)[:, None], 1.0, responses[:, :, 0])
    return torch.from_numpy(responses)


def keep_bands(x: Tensor, rng: torch.Generator, responses: Tensor) -> Tensor:
    """Every channel keeps its low band, its high band, both, or all frequencies (1/4 each).

    Args:
        responses: (C, 4, F), see `band_responses`.
    """
    batch, channels, length = x.shape
    drawn = integers(0, 4, (batch, channels), rng, x.device)
    kept = responses[torch.arange(channels, device=drawn.device), drawn]  # (B, C, F)
    return torch.fft.irfft(torch.fft.rfft(x) * kept, n=length)


def shift(x: Tensor, rng: torch.Generator) -> Tensor:
    """Rotate each row in time, all its channels by the same number of samples, never by none."""
    batch, _, length = x.shape
    by = integers(1, length, (batch, 1, 1), rng, x.device)
    at = (torch.arange(length, device=x.device) - by) % length  # (B, 1, L)
    return x.gather(2, at.expand_as(x))


def permute_channels(x: Tensor, rng: torch.Generator) -> Tensor:
    """Put the channels of each row in a random order; one channel stays as it is.

    A channel that is not there (NaN) keeps its place, so that no modality is emptied.
    """
    absent = x[..., 0].isnan()
    drawn = uniform((x.shape[0], x.shape[1]), rng, x.device).masked_fill(absent, torch.inf)
    drawn = drawn.argsort(dim=1, stable=True)
    places = absent.int().argsort(dim=1, stable=True)  # of those there, then of the others
    order = torch.empty_like(drawn).scatter_(1, places, drawn)
    return x.gather(1, order[..., None].expand_as(x))


def disturb(
    x: Tensor, rng: torch.Generator, rate_hz: float, responses: Tensor, noise: float
) -> Tensor:
    """One of the four, drawn for each row with equal chance, on (B, C, L)."""
    which = torch.randint(0, 4, (len(x),), generator=rng)
    changes = (
        lambda rows: add_noise(rows, rng, rate_hz, noise),
        lambda rows: keep_bands(rows, rng, responses),
        lambda rows: shift(rows, rng),
        lambda rows: permute_channels(rows, rng),
    )
    out = torch.empty_like(x)
    for number, change in enumerate(changes):
        rows = (which == number).nonzero()[:, 0]
        if len(rows):  # a Fourier transform of no rows is refused
            rows = send(rows, x.device)
            out[rows] = change(x[rows])
    return out
