"""A first run on a GPU: leases, correctness, resuming, speed. `python -m tests.gpu`.

Under nine minutes on one GPU: a part for which no time is left is skipped and said to be. With
`--device cpu` all that needs no GPU runs, at tiny sizes, so that this program is known to work.
Exit code 1: a check failed; 2: there is no GPU.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from physiome.config.gpu import GpuSpec
from physiome.devices.listing import visible_devices
from physiome.files import write_json
from physiome.training.runtime import needed_bytes
from tests.gpu import compiling, parity, processes, resume, speed
from tests.gpu.steps import names

LIMIT_S = 520.0
# share of the time after which none of a part is begun
PARTS = {
    "leases": 0.0, "parity": 0.45, "resume": 0.5, "speed": 0.7, "compile": 0.88, "jobs": 1.0,
}  # fmt: skip
JOBS = ("contrawr", "cbramod")  # small systems, of which several may fit on a device
COMPILED = ("dp_neuronet", "physiome", "multimae", "crossl")
RESUMED = ("neuronet", "physiome")


class Table:
    """What was found, printed as it comes and kept."""

    def __init__(self, output: Path, limit_s: float):
        self.found: dict[str, dict[str, Any]] = {}
        self.output, self.limit_s, self.began = output, limit_s, time.monotonic()
        self.failed = 0

    def add(self, part: str, key: str, run: Callable[[], dict[str, Any]]) -> None:
        """Run a check, if there is time; an exception is a finding like any other."""
        if time.monotonic() - self.began > self.limit_s * (PARTS[part] or 1.0):
            facts: dict[str, Any] = {"skipped": "no time left"}
        else:
            try:
                facts = run()
            except Exception as error:  # one system's failure must not hide the others
                facts = {"error": f"{type(error).__name__}: {error}"[:300], "ok": False}
        self.failed += facts.get("ok") is False
        self.found.setdefault(part, {})[key] = facts
        seconds = time.monotonic() - self.began
        print(f"{seconds:5.0f} s  {part:<7} {key:<22} {_line(facts)}", flush=True)
        write_json(self.output, self.found)


def _line(facts: dict[str, Any]) -> str:
    shown = {k: f"{v:.4g}" if isinstance(v, float) else v for k, v in facts.items()}
    return " ".join(f"{k}={v}" for k, v in shown.items())


def main(arguments: list[str] | None = None) -> int:
    """Run all parts, or one."""
    parser = argparse.ArgumentParser(prog="python -m tests.gpu", description=__doc__)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--output", type=Path, default=Path("results/bench/gpu.json"))
    parser.add_argument("--only", choices=tuple(PARTS), action="append", help="repeat it")
    parser.add_argument("--systems", nargs="+", help="default: all")
    parser.add_argument("--limit-s", type=float, default=LIMIT_S)
    options = parser.parse_args(arguments)
    if options.device == "cuda" and not torch.cuda.is_available():
        print(f"no GPU that torch {torch.__version__} can use; --device cpu tries this program")
        return 2
    options.output.parent.mkdir(parents=True, exist_ok=True)
    table = Table(options.output, options.limit_s)
    small = options.device == "cpu"
    systems = options.systems or names(small)
    for part in options.only or PARTS:
        globals()[f"_{part}"](table, options.device, small, systems)
    took = time.monotonic() - table.began
    print(f"{table.failed} failed in {took:.0f} s; {options.output}")
    return int(table.failed > 0)


def _leases(table: Table, device: str, small: bool, systems: list[str]) -> None:
    if device == "cpu":
        return
    uuids = visible_devices()
    table.add("leases", "devices", lambda: {"there": uuids, "ok": bool(uuids)})
    for name, facts in processes.leases(uuids[0] if uuids else "").items():
        table.add("leases", name, lambda facts=facts: facts)


def _parity(table: Table, device: str, small: bool, systems: list[str]) -> None:
    for name in systems:
        table.add("parity", name, lambda name=name: parity.compare(name, device, small))


def _resume(table: Table, device: str, small: bool, systems: list[str]) -> None:
    for name in (n for n in RESUMED if n in systems):
        table.add("resume", name, lambda name=name: resume.resumed(name, device))


def _speed(table: Table, device: str, small: bool, systems: list[str]) -> None:
    peak = speed.peak_flop_per_s(device)
    title = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    about = {"device": title, "torch": torch.__version__, "peak_tflop_per_s": peak / 1e12}
    table.add("speed", "device", lambda: about)
    for name in systems:
        table.add("speed", name, lambda name=name: speed.measure(name, device, small, peak))
        if device == "cuda":
            torch.cuda.empty_cache()


def _compile(table: Table, device: str, small: bool, systems: list[str]) -> None:
    for name in (n for n in COMPILED if n in systems):
        table.add("compile", name, lambda name=name: compiling.gain(name, device, small))


def _jobs(table: Table, device: str, small: bool, systems: list[str]) -> None:
    batch, seconds = (8, 1) if small else (0, 8)
    for name in (n for n in JOBS if n in systems):
        gb = 0.0  # the first has the device to itself, and tells what it takes
        for jobs in (1, 2) if small else (1, 2, 4):
            asked = (name, device, small, jobs, batch or speed.batch_size(name), seconds, gb)
            table.add("jobs", f"{name} x {jobs}", lambda a=asked: processes.several(*a))
            alone = table.found["jobs"][f"{name} x 1"].get("gb_each", 0.0)
            gb = (needed_bytes([int(alone * 1e9)], GpuSpec()) or 0.0) / 1e9


if __name__ == "__main__":
    sys.exit(main())
