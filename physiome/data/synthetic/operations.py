"""Made-up operations in the layout of the VitalDB open data set: the same bytes for the same seed.

Arterial pressure tells the most about a coming spell of hypotension, the finger pulse less, the
ECG (by its rate only) the least.
"""

import csv
import gzip
import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from physiome.data.synthetic import ventilation
from physiome.data.synthetic.pressure import Course, Subject, draw_course
from physiome.data.synthetic.waves import generator
from physiome.data.synthetic.write_vital import Wave, write_vital
from physiome.errors import ConfigError
from physiome.files import atomic_path

RATE_HZ = 500
ART, ECG, PLETH = "SNUADC/ART", "SNUADC/ECG_II", "SNUADC/PLETH"
PULSE_TRACKS = (ART, ECG, PLETH)
SHORTEST_H = 0.05
START_S = 1_500_000_000  # 2017-07-14: the first made-up case
TABLE_POINTS = 512  # of a heartbeat's shape

# waves of a heartbeat: (place in the beat, width, height)
ECG_WAVES = (
    (0.15, 0.025, 0.12),
    (0.26, 0.008, -0.1),
    (0.28, 0.010, 1.0),
    (0.30, 0.009, -0.2),
    (0.52, 0.050, 0.25),
)
PRESSURE_WAVES = ((0.42, 0.060, 1.0), (0.56, 0.090, 0.55), (0.68, 0.050, 0.28), (0.85, 0.150, 0.15))
PLETH_WAVES = ((0.58, 0.090, 1.0), (0.78, 0.100, 0.45), (1.00, 0.120, 0.15))


def check_hours(hours: float) -> None:
    """Raise ConfigError if a case of that length is too short."""
    if hours < SHORTEST_H:
        raise ConfigError(
            "case is too short",
            where="raw.synthetic.hours",
            why=f"{hours} h",
            do=f"ask for at least {SHORTEST_H} h",
        )


def write_case(
    path: Path,
    *,
    record: str,
    subject: str,
    hours: float,
    seed: int,
    tracks: tuple[str, ...] = PULSE_TRACKS,
) -> None:
    """Write a made-up case: pressure (mmHg), ECG II (mV) and finger pulse, 500 Hz each.

    Args:
        tracks: what is wanted; of the ventilator's and the veins' those that the case has are there
            too, if named (see `ventilation`).
    """
    check_hours(hours)
    rng = generator(seed, "vital", record)
    person = Subject.draw(generator(seed, "vital", subject))
    course = draw_course(round(hours * 3600), person, rng)
    art, ecg, pleth = _waveforms(course, person, rng)
    waves = {
        ART: Wave(art, RATE_HZ, "mmHg", 0.1, (0, 200)),
        ECG: Wave(ecg, RATE_HZ, "mV", 0.001, (-1, 2)),
        PLETH: Wave(pleth, RATE_HZ, "", 0.01, (0, 100)),
    }
    begins_s = START_S + 86400 * int(rng.integers(365))
    more = ventilation.carried(int(record), tracks)
    apart = generator(seed, "ventilation", record)
    write_vital(path, waves | ventilation.waves(more, course, person, apart), begins_s)


def _waveforms(
    course: Course, subject: Subject, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pressure, ECG and finger pulse (samples,) from the slow courses."""
    seconds = len(course.pressure_mmhg)
    times = np.arange(seconds * RATE_HZ) / RATE_HZ

    def slow(course_1hz: np.ndarray) -> np.ndarray:
        return np.interp(times, np.arange(seconds), course_1hz)

    breath = np.sin(2 * np.pi * subject.breaths_hz * times)
    rate_hz = slow(course.heart_rate_bpm * (1 + 0.02 * rng.standard_normal(seconds))) / 60
    beats = np.cumsum(rate_hz * (1 + 0.02 * breath)) / RATE_HZ  # passed so far
    pulse_mmhg = subject.pulse_mmhg * slow(np.sqrt(course.pressure_mmhg / subject.pressure_mmhg))
    art = slow(course.pressure_mmhg) + pulse_mmhg * _beat(PRESSURE_WAVES, beats) + 1.5 * breath
    ecg = _beat(ECG_WAVES, beats) * (1 + 0.05 * breath) + 0.08 * breath
    pleth = 40 + slow(course.perfusion) * _beat(PLETH_WAVES, beats) + 1.5 * breath
    noise = (0.4, 0.03, 0.3)
    art, ecg, pleth = (
        wave + sd * rng.standard_normal(len(times), dtype=np.float32)
        for wave, sd in zip((art, ecg, pleth), noise, strict=True)
    )
    return art, ecg, pleth


def _beat(waves: Iterable[tuple[float, float, float]], beats: np.ndarray) -> np.ndarray:
    """A periodic shape at these places (samples,): mean 0 over a beat, height about 1."""
    place = np.arange(TABLE_POINTS) / TABLE_POINTS
    shape = np.zeros(TABLE_POINTS)
    for center, width, height in waves:
        distance = (place - center + 0.5) % 1 - 0.5
        shape += height * np.exp(-0.5 * (distance / width) ** 2)
    shape = (shape - shape.mean()) / np.ptp(shape)
    return np.interp(beats % 1, np.append(place, 1.0), np.append(shape, shape[0]))


def write_lists(
    track_list: Path,
    case_list: Path | None,
    subjects: int,
    cases_per_subject: int,
    tracks: tuple[str, ...] = PULSE_TRACKS,
) -> None:
    """Write the lists of tracks and of cases in the data set's own format.

    Subject i has the cases i * n + 1 to i * n + n. One further case of each tenth subject lacks the
    arterial line, as most cases of the data set do. `tracks` as in `write_case`.
    """
    more = tuple(t for t in tracks if t in ventilation.TRACKS)
    cases = [
        (s * cases_per_subject + n + 1, s + 1, PULSE_TRACKS)
        for s in range(subjects)
        for n in range(cases_per_subject)
    ]
    without = range(0, subjects, 10)
    cases += [(len(cases) + i + 1, s + 1, (ECG, PLETH)) for i, s in enumerate(without)]
    rows = [
        (case, name, generator(0, str(case), name).bytes(20).hex())
        for case, _, names in cases
        for name in (*names, *ventilation.carried(case, more))
    ]
    _write_csv(track_list, ("caseid", "tname", "tid"), rows)
    if case_list is not None:
        _write_csv(case_list, ("caseid", "subjectid"), [case[:2] for case in cases])


def _write_csv(path: Path, header: tuple[str, ...], rows: Iterable[tuple]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    raw = text.getvalue().encode()
    with atomic_path(path) as temporary:
        temporary.write_bytes(gzip.compress(raw, mtime=0) if path.suffix == ".gz" else raw)
