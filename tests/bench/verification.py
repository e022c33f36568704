"""What checking the bytes of recordings adds to cutting them: a night, and a surgical case."""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from physiome.config.data import ShardSettings
from physiome.data.cutting.cut import cut_record
from physiome.data.formats import open_reader
from physiome.data.recording import RawRecord
from physiome.data.sources.integrity import check_unaltered, with_digests
from physiome.data.synthetic.nights import write_night
from physiome.data.synthetic.operations import write_case
from tests.bench import common
from tests.bench.common import Row

NIGHT_H, CASE_H = 22, 3
BARS = {"sleep_edf": 0.15, "vitaldb": 0.30}


def rows(quick: bool) -> list[Row]:
    """The share of each data set's recording, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        found = common.in_child("verification", folder, 1 if quick else 5)
    return [
        Row(
            f"verification on top of cutting, {name} ({f['megabytes']:.0f} MB)",
            f"{f['share']:.0%} ({f['verify_s']:.2f} of {f['whole_s']:.2f} s of CPU)",
            f"{BARS[name]:.0%}",
            f["share"] <= BARS[name],
        )
        for name, f in found.items()
    ]


def measure(folder: Path, repeats: int) -> dict[str, dict[str, float]]:
    """Least CPU time of several runs in turn, after one that brings in the imports."""
    return {name: _measure(name, raw, repeats) for name, raw in _write(folder).items()}


def _write(folder: Path) -> dict[str, RawRecord]:
    night, stages = folder / "SC4001E0-PSG.edf", folder / "SC4001EC-Hypnogram.edf"
    write_night(night, stages, record="SC4001", subject="SC400", hours=NIGHT_H, seed=0)
    case = folder / "1.vital"
    write_case(case, record="1", subject="1", hours=CASE_H, seed=0)
    return {
        "sleep_edf": RawRecord("SC4001", "SC400", str(night), str(stages)),
        "vitaldb": RawRecord("1", "1", str(case)),
    }


def _measure(name: str, raw: RawRecord, repeats: int) -> dict[str, float]:
    settings = ShardSettings.parse(common.paper_config().datasets[name].shard_settings())
    noted = with_digests(raw)  # as the fetch step does

    def verify() -> None:
        check_unaltered(noted)
        open_reader(noted.signals)

    def whole() -> None:
        check_unaltered(noted)
        cut_record(noted, settings)

    seconds: dict[Callable[[], Any], float] = {}
    for turn in range(repeats + 1):
        for run in (whole, verify):
            began = time.process_time()
            run()
            if turn:
                took = time.process_time() - began
                seconds[run] = min(took, seconds.get(run, took))
    verify_s, whole_s = seconds[verify], seconds[whole]
    return {
        "verify_s": verify_s,
        "whole_s": whole_s,
        "share": verify_s / (whole_s - verify_s),
        "megabytes": Path(raw.signals).stat().st_size / 1e6,
    }


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]))))
