"""Statistics of a night: by hand, and as yasa has them where it is installed."""

import numpy as np
import pytest

from physiome.predict.output.sleep import STAGES, is_staging, sleep_statistics

NIGHT = ["W", "W", "N1", "W", "N2", "", "N3", "REM", "N2", "W"]


def test_a_short_night_by_hand():
    found = sleep_statistics(NIGHT, 30.0)
    assert found["time_in_bed_min"] == 5.0
    assert found["unscored_min"] == 0.5
    assert found["total_sleep_min"] == 2.5
    assert found["sleep_period_min"] == 3.5
    assert found["waso_min"] == 0.5
    assert found["sleep_efficiency_percent"] == 50.0
    assert found["sleep_onset_latency_min"] == found["latency_N1_min"] == 1.0
    assert found["latency_REM_min"] == 3.5
    assert found["rem_latency_from_onset_min"] == 2.5
    assert (found["N2_min"], found["N2_percent"], found["W_min"]) == (1.0, 40.0, 2.0)


def test_a_night_awake_has_no_latencies():
    found = sleep_statistics(["W"] * 4, 30.0)
    assert found["total_sleep_min"] == found["sleep_period_min"] == found["waso_min"] == 0.0
    assert found["sleep_onset_latency_min"] is None
    assert found["latency_REM_min"] is found["N3_percent"] is None


def test_five_stages_are_known_in_any_order():
    assert is_staging(["REM", "W", "N3", "N1", "N2"])
    assert not is_staging(["W", "N1", "N2", "N3"])


@pytest.mark.parametrize("seed", range(5))
def test_they_are_those_of_yasa(seed):
    yasa = pytest.importorskip("yasa", reason="yasa is not installed")
    rng = np.random.default_rng(seed)
    codes = rng.choice([0, 0, 1, 2, 2, 3, 4], 300)
    theirs = yasa.sleep_statistics(codes, 1 / 30)
    mine = sleep_statistics([STAGES[c] for c in codes], 30.0)
    same = {
        "TIB": "time_in_bed_min", "TST": "total_sleep_min", "SPT": "sleep_period_min",
        "WASO": "waso_min", "SE": "sleep_efficiency_percent", "SOL": "sleep_onset_latency_min",
        "Lat_REM": "latency_REM_min", "N1": "N1_min", "N2": "N2_min", "N3": "N3_min",
        "REM": "REM_min", "%N1": "N1_percent", "%REM": "REM_percent",
    }  # fmt: skip
    for name, own in same.items():
        assert mine[own] == pytest.approx(theirs[name], abs=1e-2), name
