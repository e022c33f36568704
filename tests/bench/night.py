"""One night of 22 hours, from its EDF file to a shard: seconds and memory."""

import json
import sys
import tempfile
import time
from pathlib import Path

from physiome.data.recording import RawRecord
from physiome.data.synthetic.nights import write_night
from physiome.files import canonical_json, write_json
from physiome.steps import shard
from tests.bench import common
from tests.bench.common import Row

HOURS = 22
SECONDS_BAR, MEMORY_BAR_MB = 3.0, 400.0


def rows(quick: bool) -> list[Row]:
    """In a process of its own that has cut a short night before, so imports do not count."""
    with tempfile.TemporaryDirectory() as folder:
        night = _write(Path(folder), "SC4001", HOURS)
        _write(Path(folder), "SC4011", 1)
        found = [common.in_child("night", folder) for _ in range(1 if quick else 3)]
        size = night.stat().st_size / 1e6
    best, work = (min(f[key] for f in found) for key in ("seconds", "cpu_s"))
    memory = max(f["growth_mb"] for f in found)
    return [
        Row(
            f"EDF night to shard ({size:.0f} MB)",
            f"{best:.2f} s ({work:.2f} s of CPU)",
            "3 s",
            best <= SECONDS_BAR,
        ),
        Row("its memory beyond imports", f"{memory:.0f} MB", "400 MB", memory <= MEMORY_BAR_MB),
    ]


def _write(folder: Path, record: str, hours: float) -> Path:
    """A made-up night and the batch file that lists it."""
    signals, stages = folder / f"{record}.edf", folder / f"{record}-hypnogram.edf"
    write_night(signals, stages, record=record, subject=record[:5], hours=hours, seed=0)
    raw = RawRecord(record, record[:5], str(signals), str(stages)).plain()
    write_json(folder / f"{record}.json", {"dataset": "sleep_edf", "records": [raw]})
    return signals


def measure(folder: Path) -> dict[str, float]:
    """Cut the short night, then the long one."""
    settings = canonical_json(common.paper_config().datasets["sleep_edf"].shard_settings())
    shard.run(settings=settings, raw=folder / "SC4011.json", folder=folder / "short")
    before, began, worked = common.resident_mb(), time.perf_counter(), time.process_time()
    shard.run(settings=settings, raw=folder / "SC4001.json", folder=folder / "long")
    seconds, worked = time.perf_counter() - began, time.process_time() - worked
    return {"seconds": seconds, "cpu_s": worked, "growth_mb": common.peak_mb() - before}


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]))))
