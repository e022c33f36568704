"""A made-up course of an operation: pressure, heart rate and perfusion, with hypotensive spells.

Before a spell the mean pressure drifts down for minutes while the heart rate rises and the pulse
at the finger shrinks, so that the spell can be foreseen. Some drifts come to nothing.
"""

from dataclasses import dataclass

import numpy as np

from physiome.data.synthetic.waves import wander

LONG_CASE_S = 1200  # a case at least this long begins with a spell, not with a false alarm
DRIFT_S = (200, 480)
SPELL_S = (75, 360)
RECOVERY_S = (40, 120)
QUIET_S = (120, 700)
SPELL_MMHG = (48.0, 58.0)
FALSE_ALARM_MMHG = (69.0, 76.0)
RATE_RISE_BPM = (8.0, 25.0)
PERFUSION_LOSS = (0.25, 0.5)


@dataclass(frozen=True)
class Subject:
    """What stays the same in one person's operations."""

    pressure_mmhg: float  # mean arterial
    pulse_mmhg: float
    heart_rate_bpm: float
    breaths_hz: float
    perfusion: float  # size of the finger pulse, arbitrary
    risk: float  # share of the drifts that end in a spell

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Subject":
        """A random subject."""
        return cls(
            pressure_mmhg=rng.uniform(76, 98),
            pulse_mmhg=rng.uniform(38, 60),
            heart_rate_bpm=rng.uniform(58, 82),
            breaths_hz=rng.uniform(0.17, 0.25),
            perfusion=rng.uniform(15, 30),
            risk=rng.uniform(0.35, 0.85),
        )


@dataclass(frozen=True)
class Course:
    """Slow courses, one value a second (seconds,)."""

    pressure_mmhg: np.ndarray
    heart_rate_bpm: np.ndarray
    perfusion: np.ndarray


def draw_course(seconds: int, subject: Subject, rng: np.random.Generator) -> Course:
    """A random operation of this subject."""
    pressure = subject.pressure_mmhg + 3.0 * wander(seconds, 120, rng)
    rate = subject.heart_rate_bpm + 2.5 * wander(seconds, 90, rng)
    perfusion = subject.perfusion * np.exp(0.12 * wander(seconds, 150, rng))
    at = rng.uniform(*QUIET_S) / 2
    first = seconds >= LONG_CASE_S
    while at < seconds:
        spell = first or rng.random() < subject.risk
        nadir_mmhg = rng.uniform(*(SPELL_MMHG if spell else FALSE_ALARM_MMHG))
        drift_s, hold_s, recovery_s = (rng.uniform(*r) for r in (DRIFT_S, SPELL_S, RECOVERY_S))
        # how far the fall has come: 0 before, 1 during the spell, 0 after
        corners = at + np.cumsum([0.0, drift_s, hold_s, recovery_s])
        fall = np.interp(np.arange(seconds), corners, (0.0, 1.0, 1.0, 0.0))
        pressure = (1 - fall) * pressure + fall * (nadir_mmhg + 0.3 * (pressure - pressure.mean()))
        # rate and perfusion answer early: they change most while the pressure still falls slowly
        early = np.sqrt(fall)
        rate = rate + early * rng.uniform(*RATE_RISE_BPM)
        perfusion = perfusion * (1 - early * rng.uniform(*PERFUSION_LOSS))
        at, first = corners[-1] + rng.uniform(*QUIET_S), False
    return Course(pressure, rate, perfusion)
