"""The training step of every system at the paper's sizes: speed, floating-point work, memory.

Each in a process of its own, whose peak memory is that system's. `results/bench/systems.json` keeps
the figures for `python -m tests.bench.estimate`.
"""

import json
import sys
import time
from collections.abc import Iterator

import torch
from torch.utils.flop_counter import FlopCounterMode

from physiome.config.tree import Config
from physiome.files import write_json
from physiome.methods.base import Method, Moment
from physiome.methods.build import build_encoder, build_method, fresh_stands
from physiome.registry import ENCODERS, METHODS
from physiome.training.runtime import keep_freed_memory
from tests.bench import common
from tests.bench.common import Row

BATCH = 16
STEPS = 4  # a cycle of MaskMentor's; the others do not care
FIGURES = common.ROOT / "results/bench/systems.json"


def rows(quick: bool) -> Iterator[Row]:
    """One row per trained system and modality encoder, and per variant of Table 3."""
    found = {}
    for name in names(common.paper_config()):
        one = common.in_child("systems", name, 1 if quick else STEPS)
        found[name] = one
        yield Row(
            f"{name} step, batch {BATCH}, fp32",
            f"{one['segments_per_s']:.1f} segments/s, {one['parameters'] / 1e6:.1f} M, "
            f"{one['peak_mb'] / 1e3:.1f} GB",
        )
    write_json(FIGURES, found)


def names(config: Config) -> list[str]:
    """Encoders, then trained methods, then variants with another encoder."""
    trained = [m for m, entry in METHODS.items() if entry.trains and m != "random"]
    variants = [v for v, variant in config.variants.items() if variant.encoder]
    return [*ENCODERS, *trained, *variants]


def build(name: str, config: Config) -> Method:
    """A system with fresh weights at Sleep-EDF size, ready to train."""
    if name in ENCODERS:
        settings = json.loads(config.pretrain_settings("sleep_edf", 1, name))
        return build_encoder(settings, "eeg_fpz_cz")
    settings = json.loads(config.train_settings("sleep_edf", 1, name))
    base = settings["base"]
    return build_method(base, settings, fresh_stands(base, settings))


def measure(name: str, steps: int) -> dict[str, float]:
    """Speed of a step in the middle of a training, its work per segment, parameters, memory."""
    keep_freed_memory()
    torch.manual_seed(0)
    method = build(name, common.paper_config()).train()
    batch = {m: torch.randn(BATCH, 3000) for m in method.modalities}
    labels = torch.arange(BATCH) % 5 if name in METHODS and METHODS[name].labels else None
    optimizer = torch.optim.AdamW([p for p in method.parameters() if p.requires_grad], fused=True)
    rng = torch.Generator().manual_seed(0)

    def step(number: int) -> None:
        method.moment = Moment(1, 2, STEPS - 1 - number, STEPS)
        optimizer.zero_grad(set_to_none=True)
        if labels is None:
            for total, _ in method.objectives(batch, rng):
                total.backward()
        else:
            method.total(method.labelled_loss(batch, labels, rng)).backward()
        optimizer.step()
        method.after_step()

    with FlopCounterMode(display=False) as counted:
        step(0)
    began = time.perf_counter()
    for number in range(steps):
        step(number)
    seconds = (time.perf_counter() - began) / steps
    return {
        "segments_per_s": BATCH / seconds, "flop_per_segment": counted.get_total_flops() / BATCH,
        "parameters": sum(p.numel() for p in method.parameters()), "peak_mb": common.peak_mb(),
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
