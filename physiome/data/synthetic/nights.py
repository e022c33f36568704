"""Made-up nights in the layout of Sleep-EDF: the same bytes for the same seed and record.

Each stage has its marks (slow waves in N3, spindles in N2, theta in N1, alpha in wake, eye
movements in wake and REM), with amplitudes of the subject, the night and the moment, so that
stages can be learned but not read off. Horizontal EOG hardly tells N2 from N3.
"""

import datetime
from pathlib import Path

import numpy as np

from physiome.data.synthetic.stages import EPOCH_S, FEWEST_EPOCHS, draw_stages, hypnogram
from physiome.data.synthetic.waves import band_noise, events, generator, wander
from physiome.data.synthetic.write_edf import write_hypnogram, write_psg
from physiome.errors import ConfigError

RATE_HZ = 100
FIRST_EVENING = datetime.datetime(1989, 1, 2, 22, 30)

# band: (low, high) Hz, then standard deviation in uV at Fpz-Cz in W, N1, N2, N3, R
BANDS = {
    "delta": ((0.5, 4.0), (9, 9, 16, 38, 9)),
    "theta": ((4.0, 8.0), (5, 9, 7, 8, 7)),
    "alpha": ((8.0, 12.0), (6, 4, 3.5, 3, 3.5)),
    "beta": ((16.0, 30.0), (5, 4, 3, 2, 4)),
}
AT_PZ_OZ = {"delta": 0.6, "theta": 0.9, "alpha": 1.7, "beta": 0.8}  # relative to Fpz-Cz
SPINDLE_BAND_HZ = (12.0, 14.0)
SPINDLES_PER_MIN = (0, 0.3, 6, 1.5, 0)
SPINDLE_UV = 22
SACCADES_PER_MIN = (14, 2, 0.3, 0.2, 16)
SACCADE_UV = 70
BLINKS_PER_MIN = (10, 0.5, 0, 0, 0)
BLINK_UV = 90
ROLLING_UV = (10, 24, 9, 8, 10)  # slow eye movements
EEG_IN_EOG = 0.12
NOISE_UV = 3
EOG_DRIFT_UV = 9  # slow electrode noise, in which the little EEG there is drowns
EMG_UV = (2.5, 1.8, 1.5, 1.3, 0.6)


def check_hours(hours: float) -> None:
    """Raise ConfigError if a night of that length cannot hold every stage."""
    least = FEWEST_EPOCHS * EPOCH_S / 3600
    if hours < least:
        raise ConfigError(
            "night is too short for all stages",
            where="raw.synthetic.hours",
            why=f"{hours} h",
            do=f"ask for at least {least:.2f} h",
        )


def write_night(
    signals: Path, annotations: Path, *, record: str, subject: str, hours: float, seed: int
) -> None:
    """Write the two files of a made-up night.

    Args:
        signals: path of the PSG: seven channels, names, units and rates as in the originals.
        annotations: path of the EDF+ hypnogram, whose last annotation outlasts the signals.
        subject: nights of one subject share its amplitudes.
    """
    check_hours(hours)
    rng = generator(seed, "sleep", record)
    traits = generator(seed, "sleep", subject)
    stages = draw_stages(round(hours * 3600 / EPOCH_S), rng)
    start = FIRST_EVENING + datetime.timedelta(
        days=int(traits.integers(700)) + int(record[-1]), minutes=int(rng.integers(90))
    )
    night = _eeg_and_eog(stages, traits, rng) | _slow_channels(stages, rng)
    write_psg(signals, night, start)
    write_hypnogram(annotations, hypnogram(stages, rng), start)


def _eeg_and_eog(
    stages: np.ndarray, traits: np.random.Generator, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """The three channels at 100 Hz, uV: name -> (samples,)."""
    samples = len(stages) * EPOCH_S * RATE_HZ
    loudness = traits.lognormal(0, 0.25)
    fpz, pz = np.zeros(samples, np.float32), np.zeros(samples, np.float32)
    for band, (edges_hz, levels_uv) in BANDS.items():
        envelope = _spread(levels_uv, stages, traits.lognormal(0, 0.2), rng)
        shared, own_fpz, own_pz = (band_noise(samples, edges_hz, RATE_HZ, rng) for _ in range(3))
        fpz += envelope * (0.8 * shared + 0.6 * own_fpz)
        pz += envelope * AT_PZ_OZ[band] * (0.8 * shared + 0.6 * own_pz)
    spindles = _spindles(stages, traits.lognormal(0, 0.3), rng)
    fpz, pz = loudness * (fpz + 0.7 * spindles), loudness * (pz + spindles)
    eyes = _eye_movements(stages, traits.lognormal(0, 0.25), rng)
    drift = EOG_DRIFT_UV * traits.lognormal(0, 0.3) * band_noise(samples, (0.3, 6.0), RATE_HZ, rng)
    return {
        "EEG Fpz-Cz": fpz + 0.15 * eyes + _noise(samples, rng),
        "EEG Pz-Oz": pz + _noise(samples, rng),
        "EOG horizontal": eyes + EEG_IN_EOG * fpz + drift + 2 * _noise(samples, rng),
    }


def _spread(
    levels: tuple[float, ...], stages: np.ndarray, factor: float, rng: np.random.Generator
) -> np.ndarray:
    """Level per sample (samples,): by stage, varied from epoch to epoch, smooth at the joins."""
    epochs = np.array(levels)[stages] * factor * rng.lognormal(0, 0.2, len(stages))
    middles = (np.arange(len(stages)) + 0.5) * EPOCH_S
    held = np.stack((middles - 0.4 * EPOCH_S, middles + 0.4 * EPOCH_S), axis=1).ravel()
    times = np.arange(len(stages) * EPOCH_S * RATE_HZ) / RATE_HZ
    return np.interp(times, held, np.repeat(epochs, 2)).astype(np.float32)


def _per_sample(per_minute: tuple[float, ...], stages: np.ndarray) -> np.ndarray:
    """Expected events per sample (samples,) from events per minute in each stage."""
    return np.repeat(np.array(per_minute)[stages] / 60 / RATE_HZ, EPOCH_S * RATE_HZ)


def _spindles(stages: np.ndarray, factor: float, rng: np.random.Generator) -> np.ndarray:
    rates = _per_sample(SPINDLES_PER_MIN, stages)
    envelope = np.abs(events(rates, SPINDLE_UV * factor, np.hanning(RATE_HZ), rng))
    return envelope * band_noise(len(rates), SPINDLE_BAND_HZ, RATE_HZ, rng)


def _eye_movements(stages: np.ndarray, factor: float, rng: np.random.Generator) -> np.ndarray:
    """Saccades (steps that fade, as the recorder's high-pass leaves them), blinks, slow rolling."""
    seconds = np.arange(2 * RATE_HZ) / RATE_HZ
    step = np.minimum(seconds / 0.05, 1) * np.exp(-seconds / 0.4)
    saccades = events(_per_sample(SACCADES_PER_MIN, stages), SACCADE_UV, step, rng)
    blinks = events(_per_sample(BLINKS_PER_MIN, stages), BLINK_UV, np.hanning(RATE_HZ // 3), rng)
    rolling = band_noise(len(saccades), (0.2, 0.6), RATE_HZ, rng)
    return factor * (saccades + blinks + _spread(ROLLING_UV, stages, 1.0, rng) * rolling)


def _noise(samples: int, rng: np.random.Generator) -> np.ndarray:
    return NOISE_UV * rng.standard_normal(samples, dtype=np.float32)


def _slow_channels(stages: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The four channels at 1 Hz, in their own units: name -> (samples,)."""
    count = len(stages) * EPOCH_S
    breath = np.sin(2 * np.pi * np.cumsum(0.25 + 0.02 * wander(count, 60, rng)))
    muscle = np.repeat(np.array(EMG_UV)[stages], EPOCH_S) * rng.lognormal(0, 0.3, count)
    return {
        "Resp oro-nasal": 400 * breath + 60 * rng.standard_normal(count),
        "EMG submental": muscle,
        "Temp rectal": 36.8 + 0.1 * wander(count, 1800, rng),
        "Event marker": np.zeros(count),
    }
