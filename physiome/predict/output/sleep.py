"""Statistics of a night from its stages, by the definitions that sleep laboratories use.

Minutes; the night is the recording, as nobody says when the lights went out. They are those of the
library yasa (`sleep_statistics`), which tests compare them with where it can be imported.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

WAKE, REM = "W", "REM"
SLEEP = ("N1", "N2", "N3", REM)
STAGES = (WAKE, *SLEEP)
DRAWN = (WAKE, REM, "N1", "N2", "N3")  # from the top of a hypnogram


def is_staging(classes: Sequence[str]) -> bool:
    """Whether classes are the five sleep stages."""
    return sorted(classes) == sorted(STAGES)


def sleep_statistics(stages: Sequence[str], window_s: float) -> dict[str, float | None]:
    """What a hypnogram says of the night.

    Args:
        stages: of all windows in order, of STAGES; "" where none was scored.
        window_s: length of a window.

    Returns:
        time_in_bed_min, unscored_min, and
        total_sleep_min (TST): in N1, N2, N3 or REM;
        sleep_period_min (SPT): from the first window of sleep to the last;
        waso_min: awake within it;
        sleep_efficiency_percent: TST of the time in bed;
        sleep_onset_latency_min: to the first window of sleep; and to N1, N2, N3, REM
        (latency_<stage>_min), all from the start; rem_latency_from_onset_min: REM from sleep onset;
        <stage>_min and <stage>_percent (of TST). None where it does not exist.
    """
    hypnogram = np.asarray(stages, dtype=str)
    minute = window_s / 60
    asleep = np.flatnonzero(np.isin(hypnogram, SLEEP))
    counts = {stage: int((hypnogram == stage).sum()) for stage in STAGES}
    found: dict[str, Any] = {
        "time_in_bed_min": len(hypnogram) * minute,
        "unscored_min": int((hypnogram == "").sum()) * minute,
        "total_sleep_min": len(asleep) * minute,
    }
    first, last = (int(asleep[0]), int(asleep[-1])) if len(asleep) else (0, -1)
    period = hypnogram[first : last + 1]
    found["sleep_period_min"] = len(period) * minute
    found["waso_min"] = int((period == WAKE).sum()) * minute
    found["sleep_efficiency_percent"] = 100 * len(asleep) / len(hypnogram)
    found["sleep_onset_latency_min"] = first * minute if len(asleep) else None
    for stage in SLEEP:
        places = np.flatnonzero(hypnogram == stage)
        found[f"latency_{stage}_min"] = int(places[0]) * minute if len(places) else None
    rem = found[f"latency_{REM}_min"]
    found["rem_latency_from_onset_min"] = None if rem is None else rem - first * minute
    for stage in STAGES:
        found[f"{stage}_min"] = counts[stage] * minute
    for stage in SLEEP:
        share = 100 * counts[stage] / len(asleep) if len(asleep) else None
        found[f"{stage}_percent"] = share
    return {name: value if value is None else round(value, 3) for name, value in found.items()}
