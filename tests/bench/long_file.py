"""Three days of one channel at 1 kHz, from its EDF file (0.5 GB) to a shard: seconds and memory."""

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from physiome.config.data import ShardSettings
from physiome.data.recording import RawRecord
from physiome.files import canonical_json, write_json
from physiome.steps import shard
from tests.bench import common
from tests.bench.common import Row

HOURS, RATE_HZ = 72, 1000
BAR_MB = 1000.0
SETTINGS = {
    "kind": "recordings", "classes": ["no", "yes"],
    "modalities": {"ecg": {"channel": "ECG", "unit": "mV", "low": -5.0, "high": 5.0}},
    "window": {"length_s": 30.0, "rate_hz": 100.0, "lowpass_hz": 40.0},
    "labels": {"rule": "column", "column": "k", "texts": {"no": "no", "yes": "yes"}},
    "quality": {}, "incomplete_windows": "keep", "strict_channels": False, "strict_rates": False,
}  # fmt: skip


def rows(quick: bool) -> list[Row]:
    """In a process of its own that has cut a quarter of an hour before."""
    with tempfile.TemporaryDirectory() as folder:
        file = _write(Path(folder), "long", HOURS if not quick else HOURS // 6)
        _write(Path(folder), "short", 0.25)
        size = file.stat().st_size / 1e6
        found = common.in_child("long_file", folder)
    return [
        Row(
            f"EDF of {RATE_HZ} Hz ({size:.0f} MB) to shard: memory in all",
            f"{found['peak_mb']:.0f} MB ({found['seconds']:.0f} s)",
            "1000 MB",
            found["peak_mb"] <= BAR_MB,
        )
    ]


def _write(folder: Path, record: str, hours: float) -> Path:
    """An EDF file, written record by record, and the batch file that lists it."""
    path, seconds = folder / f"{record}.edf", round(hours * 3600)
    fields = [
        (8, "0"),
        (80, "X X X X"),
        (80, "Startdate X X X X"),
        (8, "01.01.01"),
        (8, "00.00.00"),
        (8, "512"),
        (44, ""),
        (8, seconds),
        (8, "1"),
        (4, "1"),
        (16, "ECG"),
        (80, ""),
        (8, "mV"),
        (8, "-5"),
        (8, "5"),
        (8, "-32768"),
        (8, "32767"),
        (80, ""),
        (8, RATE_HZ),
        (32, ""),
    ]
    rng = np.random.default_rng(0)
    with open(path, "wb") as file:
        file.write("".join(str(text).ljust(width) for width, text in fields).encode("ascii"))
        for _ in range(seconds // 60):
            t = np.arange(60 * RATE_HZ) / RATE_HZ
            wave = 5000 * np.sin(2 * np.pi * 1.2 * t) + rng.normal(0, 300, len(t))
            file.write(wave.astype("<i2").tobytes())
    raw = RawRecord(record, record, str(path), columns={"k": "no"}).plain()
    write_json(folder / f"{record}.json", {"dataset": "own", "records": [raw]})
    return path


def measure(folder: Path) -> dict[str, float]:
    """Cut the short file, then the long one."""
    settings = canonical_json(ShardSettings.parse(SETTINGS, "bench").plain())
    shard.run(settings=settings, raw=folder / "short.json", folder=folder / "short")
    began = time.perf_counter()
    shard.run(settings=settings, raw=folder / "long.json", folder=folder / "long")
    return {"seconds": time.perf_counter() - began, "peak_mb": common.peak_mb()}


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]))))
