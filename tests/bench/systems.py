"""The training step of every system at the size of Sleep-EDF: speed, memory.

Each in a process of its own, whose peak memory is that system's.
"""

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import torch

from physiome.config.jobs import PretrainSettings, TrainSettings
from physiome.config.tree import Config
from physiome.methods.base import Method, Progress
from physiome.methods.build import build_encoder, build_method, fresh_parents
from physiome.registry import ENCODERS, METHODS
from physiome.training.runtime import keep_freed_memory
from tests.bench import common
from tests.bench.common import Row

BATCH = 16
STEPS = 4  # a cycle of MaskMentor's; the others do not care


def rows(quick: bool) -> Iterator[Row]:
    """One row per trained system and modality encoder, and per variant of Table 3."""
    for name in names(common.paper_config()):
        one = common.in_child("systems", name, 1 if quick else STEPS)
        yield Row(
            f"{name} step, batch {BATCH}, fp32",
            f"{one['segments_per_s']:.1f} segments/s, {one['parameters'] / 1e6:.1f} M, "
            f"{one['peak_mb'] / 1e3:.1f} GB",
        )


def names(config: Config) -> list[str]:
    """Encoders, then trained methods, then variants with another encoder."""
    trained = [m for m, entry in METHODS.items() if entry.trains and m != "random"]
    variants = [v for v, variant in config.variants.items() if variant.encoder]
    return [*ENCODERS, *trained, *variants]


def build(name: str, config: Config, dataset: str) -> Method:
    """A system with fresh weights at the size of a data set, ready to train."""
    torch.manual_seed(0)
    if name in ENCODERS:
        settings = PretrainSettings.parse_text(config.pretrain_settings(dataset, 1, name))
        return build_encoder(settings, next(iter(config.datasets[dataset].modalities))).train()
    settings = TrainSettings.parse_text(config.train_settings(dataset, 1, name))
    return build_method(settings, fresh_parents(settings)).train()


class Step:
    """Training steps of a system on noise, as the loop does them."""

    def __init__(self, name: str, config: Config, dataset: str, batch: int):
        self.method = build(name, config, dataset)
        spec = config.datasets[dataset]
        self.batch = {m: torch.randn(batch, spec.window.samples) for m in self.method.modalities}
        learns = name in METHODS and METHODS[name].labels
        self.labels = torch.arange(batch) % len(spec.classes) if learns else None
        trained = [p for p in self.method.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, fused=True)
        self.rng = torch.Generator().manual_seed(0)

    def __call__(self, number: int) -> None:
        method = self.method
        method.progress = Progress(1, 2, STEPS - 1 - number, STEPS)
        self.optimizer.zero_grad(set_to_none=True)
        if self.labels is None:
            for total, _ in method.objectives(self.batch, self.rng):
                total.backward()
        else:
            method.total(method.labelled_loss(self.batch, self.labels, self.rng)).backward()
        self.optimizer.step()
        method.after_step()


def measure(name: str, steps: int) -> dict[str, Any]:
    """Speed and memory of a step, after one that does not count."""
    keep_freed_memory()
    step = Step(name, common.paper_config(), "sleep_edf", BATCH)
    step(0)
    began = time.perf_counter()
    for number in range(steps):
        step(number)
    seconds = (time.perf_counter() - began) / steps
    return {
        "segments_per_s": BATCH / seconds,
        "peak_mb": common.peak_mb(),
        "parameters": sum(p.numel() for p in step.method.parameters()),
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
