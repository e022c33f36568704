"""Made-up signals of the ventilator and of the great veins, beside those of the pulse.

Less blood comes back before a spell of hypotension: the venous pressure sinks with the arterial,
and less carbon dioxide reaches the lungs. The ventilator's own pressure says nothing of it.
"""

import numpy as np

from physiome.data.synthetic.pressure import Course, Subject
from physiome.data.synthetic.write_vital import Wave

CVP, CO2, AWP = "SNUADC/CVP", "Primus/CO2", "Primus/AWP"
TRACKS = (CVP, CO2, AWP)
CVP_RATE_HZ, PRIMUS_RATE_HZ = 500.0, 62.5  # as in the data set
INSPIRED = 0.35  # share of a breath
# Every so many cases a track really is not there: not all patients have a central line
ABSENT_EVERY = {CVP: 3, CO2: 7, AWP: 5}


def carried(case: int, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the wanted tracks that this case has."""
    return tuple(t for t in wanted if t not in ABSENT_EVERY or case % ABSENT_EVERY[t])


def waves(
    tracks: tuple[str, ...], course: Course, subject: Subject, rng: np.random.Generator
) -> dict[str, Wave]:
    """Those of TRACKS that are named: CVP and CO2 in mmHg, airway pressure in hPa."""
    makers = {CVP: _venous, CO2: _carbon_dioxide, AWP: _airway}
    # drawn whether wanted or not, so that one track does not depend on which others are
    made = {name: maker(course, subject, rng) for name, maker in makers.items()}
    return {name: made[name] for name in tracks if name in made}


def _venous(course: Course, subject: Subject, rng: np.random.Generator) -> Wave:
    seconds = len(course.pressure_mmhg)
    times = np.arange(round(seconds * CVP_RATE_HZ)) / CVP_RATE_HZ
    level = rng.uniform(6, 10) + 0.12 * (course.pressure_mmhg - subject.pressure_mmhg)
    beats = np.cumsum(_slow(course.heart_rate_bpm, times)) / 60 / CVP_RATE_HZ
    beat = 1.2 * np.cos(2 * np.pi * beats) + 0.8 * np.cos(4 * np.pi * beats)
    breath = 1.5 * np.sin(2 * np.pi * subject.breaths_hz * times)
    values = _slow(level, times) + beat + breath
    return Wave(_noisy(values, 0.2, rng), CVP_RATE_HZ, "mmHg", 0.01, (-5, 30))


def _carbon_dioxide(course: Course, subject: Subject, rng: np.random.Generator) -> Wave:
    times = np.arange(round(len(course.perfusion) * PRIMUS_RATE_HZ)) / PRIMUS_RATE_HZ
    plateau = rng.uniform(32, 38) * np.sqrt(course.perfusion / subject.perfusion)
    place = (subject.breaths_hz * times) % 1
    out = (place - INSPIRED) / (1 - INSPIRED)  # of the breath out, where positive
    shape = np.where(out > 0, (1 - np.exp(-np.maximum(out, 0) / 0.08)) * (0.9 + 0.1 * out), 0.0)
    return Wave(
        _noisy(_slow(plateau, times) * shape, 0.2, rng), PRIMUS_RATE_HZ, "mmHg", 0.1, (0, 60)
    )


def _airway(course: Course, subject: Subject, rng: np.random.Generator) -> Wave:
    times = np.arange(round(len(course.perfusion) * PRIMUS_RATE_HZ)) / PRIMUS_RATE_HZ
    end, peak = rng.uniform(4, 6), rng.uniform(15, 20)
    place = (subject.breaths_hz * times) % 1
    rise = np.where(place < INSPIRED, 1 - np.exp(-place / 0.06), np.exp(-(place - INSPIRED) / 0.05))
    return Wave(_noisy(end + (peak - end) * rise, 0.1, rng), PRIMUS_RATE_HZ, "hPa", 0.1, (0, 40))


def _slow(course_1hz: np.ndarray, times: np.ndarray) -> np.ndarray:
    return np.interp(times, np.arange(len(course_1hz)), course_1hz)


def _noisy(values: np.ndarray, sd: float, rng: np.random.Generator) -> np.ndarray:
    return values + sd * rng.standard_normal(len(values), dtype=np.float32)
