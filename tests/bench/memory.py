"""Resident memory after an epoch of training: it must not grow with the number of shards."""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from physiome.config.training import TrainSpec
from physiome.data.store.shards import window_columns, write_shard
from physiome.data.store.windows import WindowStore
from physiome.methods.base import Method, Signals
from physiome.training.checkpoint import ResumeState
from physiome.training.loop import fit
from tests.bench import common
from tests.bench.common import Row

FEW, MANY = 4, 64
WINDOWS, SAMPLES = 600, 3000  # per shard: 7 MB
BAR_MB = 50.0


def rows(quick: bool) -> list[Row]:
    """A process of its own for each number of shards."""
    with tempfile.TemporaryDirectory() as folder:
        for i in range(MANY):
            _write(Path(folder) / f"batch{i}", i)
        few, many = (common.in_child("memory", folder, n)["rss_mb"] for n in (FEW, MANY))
    size = MANY * WINDOWS * SAMPLES * 4 / 1e6
    return [
        Row(
            f"memory after an epoch, {MANY} shards ({size:.0f} MB) - {FEW}",
            f"{many - few:+.0f} MB ({few:.0f} -> {many:.0f})",
            "50 MB",
            many - few <= BAR_MB,
        )
    ]


def _write(folder: Path, seed: int) -> None:
    x = np.random.default_rng(seed).standard_normal((WINDOWS, SAMPLES), dtype=np.float32)
    table = pd.DataFrame({name: [0] * WINDOWS for name in window_columns({"x": (SAMPLES,)})})
    table = table.assign(record=folder.name, subject=folder.name, has_x=True)
    with write_shard(folder, {"x": (SAMPLES,)}, {"settings_digest": "bench"}) as writer:
        writer.add({"x": x}, table)
        writer.note({"record": folder.name})


class Tiny(Method):
    """A model that costs nothing, so that the data's memory is what is seen."""

    def __init__(self):
        super().__init__(("x",), {"error": 1.0})
        self.layer = nn.Linear(SAMPLES, 1)

    def loss(self, batch: Signals, rng: torch.Generator) -> dict[str, Tensor]:
        return {"error": self.layer(batch["x"]).square().mean()}


def measure(folder: Path, shards: int) -> dict[str, float]:
    """Train one epoch on the first `shards` shards."""
    store = WindowStore([folder / f"batch{i}" for i in range(shards)], ["x"])
    groups = [(("x",), np.arange(len(store.table)))]
    spec = TrainSpec(epochs=1, batch=128, learning_rate=1e-4)
    resume = ResumeState(folder / f"tiny{shards}", "bench")
    with resume.held():
        fit(Tiny(), store, groups, spec, "cpu", resume, "bench")
    return {"rss_mb": common.resident_mb()}


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]))))
