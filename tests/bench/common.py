"""What the benchmarks share: timing in turn, the machine's matrix rate, rows, child processes."""

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

from physiome.config.jobs import TrainSettings
from physiome.config.tree import Config
from physiome.methods.base import Method

ROOT = Path(__file__).resolve().parents[2]
MATRIX = 4096  # side of the matrices whose product gives the machine's rate


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    figure: str
    bar: str = ""
    ok: bool | None = None  # None: stated, not judged


def in_turn(runs: dict[str, Callable[[], Any]], repeats: int, device: str) -> dict[str, float]:
    """Median seconds of each run, A B A B, after one round that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(repeats + 1):
        for name, run in runs.items():
            _finish(device)
            began = time.perf_counter()
            run()
            _finish(device)
            if turn:
                seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(values) for name, values in seconds.items()}


def _finish(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def matrix_product(dtype: torch.dtype, device: str) -> Callable[[], Any]:
    """A run of `MATRIX_FLOP` operations."""
    a = torch.randn(MATRIX, MATRIX, device=device).to(dtype)
    return lambda: a @ a


MATRIX_FLOP = 2 * MATRIX**3


def memory_copy(device: str) -> Callable[[], Any]:
    """A run that reads and writes `COPY_BYTES` together, far more than any cache holds."""
    a = torch.zeros(COPY_BYTES // 8, device=device)
    b = torch.empty_like(a)
    return lambda: b.copy_(a)


COPY_BYTES = 1 << 30


def paper_config() -> Config:
    """The paper's experiment, from config.yaml."""
    return Config.load(yaml.safe_load((ROOT / "config.yaml").read_text()))


def sleep_settings(method: str = "physiome") -> TrainSettings:
    """What a method at Sleep-EDF size is built from, as the train step gets it."""
    return TrainSettings.parse_text(paper_config().train_settings("sleep_edf", 1, method))


def training_step(
    method: Method, loss: Callable, batch: dict[str, torch.Tensor], device: str, bf16: bool
) -> Callable[[], None]:
    """Forward, backward and AdamW, as the training loop does them."""
    trained = [p for p in method.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-5, fused=True)
    rng = torch.Generator(device).manual_seed(0)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device, dtype=torch.bfloat16, enabled=bf16):
            total = method.total(loss(batch, rng))
        total.backward()
        optimizer.step()

    return step


def in_child(module: str, *arguments: Any) -> dict[str, Any]:
    """Run `python -m tests.bench.<module>` alone and return the JSON of its last line."""
    command = [sys.executable, "-m", f"tests.bench.{module}", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def resident_mb() -> float:
    """This process's resident memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def peak_mb() -> float:
    """The most it has been since this program began.

    Not `ru_maxrss`, which a program inherits from the process that started it.
    """
    status = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6
