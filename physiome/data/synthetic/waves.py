"""Building blocks of made-up signals: seeded generators, noise in a band, trains of events."""

import hashlib

import numpy as np
from scipy.signal import butter, oaconvolve, sosfilt


def generator(seed: int, *names: str) -> np.random.Generator:
    """A generator of its own for each combination of seed and names, the same in every process."""
    text = "/".join((str(seed), *names))
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16]))


def band_noise(
    samples: int, band_hz: tuple[float, float], rate_hz: float, rng: np.random.Generator
) -> np.ndarray:
    """Noise (samples,) float32 in a band (low, high), with unit standard deviation."""
    sections = np.asarray(butter(2, band_hz, "bandpass", fs=rate_hz, output="sos"), np.float32)
    white = rng.standard_normal(samples, dtype=np.float32)
    noise = np.asarray(sosfilt(sections, white))
    return noise / noise.std()


def events(
    rate: np.ndarray, size: float, kernel: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """A train of events (samples,): each a copy of `kernel`, at random times and of random sign.

    Args:
        rate: expected events per sample (samples,).
        size: typical height of an event; single ones vary log-normally.
    """
    at = np.flatnonzero(rng.random(len(rate)) < rate)
    impulses = np.zeros(len(rate), dtype=np.float32)
    impulses[at] = size * rng.lognormal(0, 0.3, len(at)) * rng.choice((-1, 1), len(at))
    return oaconvolve(impulses, kernel.astype(np.float32))[: len(impulses)]


def wander(count: int, slowness: int, rng: np.random.Generator) -> np.ndarray:
    """A slow random course (count,) with about unit standard deviation; `slowness` in steps."""
    knots = rng.standard_normal(count // slowness + 4)
    return np.interp(np.arange(count) / slowness, np.arange(len(knots)), knots)
