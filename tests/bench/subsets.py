"""Embedding all seven subsets: one encoding for all of them against an encoding for each."""

import torch

from physiome.evaluation.embed import embed_subsets
from physiome.methods.build import build_encoder, build_method
from physiome.subsets import all_subsets
from physiome.training.runtime import keep_freed_memory
from tests.bench import common
from tests.bench.common import Row

BATCH = 8
PROBE_EPOCHS = 20  # Table 7; the published evaluation encodes anew in each
BAR = 20.0


def rows(quick: bool) -> list[Row]:
    """PhysioME at sleep size."""
    keep_freed_memory()  # as the steps do
    torch.manual_seed(0)
    settings = common.sleep_settings()
    encoders = [build_encoder(settings, m) for m in settings.modalities]
    method = build_method(settings, encoders).eval()
    signals = {m: torch.randn(BATCH, 3000) for m in settings.modalities}
    subsets = all_subsets(settings.modalities)
    runs = {
        "once": lambda: embed_subsets(method, signals, subsets),
        "each": lambda: [method.embed({m: signals[m] for m in s}) for s in subsets],
    }
    seconds = common.in_turn(runs, 2 if quick else 5, "cpu")
    ratio = seconds["each"] / seconds["once"]
    speed = BATCH / seconds["once"]
    return [
        Row(
            f"embedding {len(subsets)} subsets, encoded once or for each",
            f"{speed:.1f} segments/s, {ratio:.2f} x",
        ),
        Row(
            f"the same, published recipe of {PROBE_EPOCHS} probe epochs",
            f"{ratio * PROBE_EPOCHS:.0f} x",
            f"{BAR:.0f} x",
            ratio * PROBE_EPOCHS >= BAR,
        ),
    ]
