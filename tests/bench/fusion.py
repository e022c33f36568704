"""PhysioME's training step with every gradient flowing: speed beside DP-NeuroNet's, and memory."""

import json
import sys

import torch

from physiome.methods.build import build_encoder, build_method
from physiome.methods.physiome import PhysioME
from physiome.nn.neuronet import ModalityEncoder
from physiome.nn.physiome_parts import Part
from physiome.training.runtime import keep_freed_memory
from tests.bench import common
from tests.bench.common import Row

BATCH = 32


def rows(quick: bool) -> list[Row]:
    """Measured in a process of its own, whose peak memory is PhysioME's."""
    found = common.in_child("fusion", 1 if quick else 3)
    flowing = found["with_gradient"] == found["trained"]
    return [
        Row(f"PhysioME step, fp32, batch {BATCH}", f"{found['segments_per_s']:.1f} segments/s"),
        Row("its seconds / those of a DP-NeuroNet step", f"{found['ratio']:.2f}"),
        Row("share of its frozen frame networks", f"{100 * found['frames']:.0f} %"),
        Row(
            "its trainable tensors with a gradient",
            f"{found['with_gradient']} of {found['trained']}",
            "all",
            flowing,
        ),
        Row("its peak memory", f"{found['peak_mb'] / 1e3:.1f} GB"),
    ]


class Rotating(PhysioME):
    """Drops no, one and two modalities in turn, each modality once in three steps."""

    turn = 0

    def _draw_parts(self, present: tuple[str, ...], size: int, rng: torch.Generator) -> list[Part]:
        self.turn += 1
        dropped = [(), present[:1], present[1:]][self.turn % 3]
        return [Part(slice(0, size), tuple(m for m in present if m not in dropped), dropped)]


def measure(repeats: int) -> dict[str, float]:
    """Three PhysioME steps (none, one, two modalities dropped) against a DP-NeuroNet step."""
    keep_freed_memory()  # as the steps do
    torch.manual_seed(0)
    settings = common.sleep_settings()
    encoders = [build_encoder(settings, m) for m in settings.modalities]
    alone = build_encoder(settings, settings.modalities[0]).train()
    method = build_method(settings, encoders).train()
    assert isinstance(method, PhysioME)
    method.__class__ = Rotating
    batch = {m: torch.randn(BATCH, 3000) for m in settings.modalities}
    step = common.training_step(method, method.loss, batch, "cpu", bf16=False)
    trained = [p for p in method.parameters() if p.requires_grad]
    reached = set()
    for _ in range(3):
        step()
        reached |= {i for i, p in enumerate(trained) if p.grad is not None and p.grad.any()}
    peak = common.peak_mb()
    single = common.training_step(alone, alone.loss, batch, "cpu", bf16=False)
    seconds = common.in_turn(
        {
            "physiome": lambda: [step() for _ in range(3)],
            "encoder": single,
            "frames": lambda: frame_features(method, batch),
        },
        repeats,
        "cpu",
    )
    per_step = seconds["physiome"] / 3
    return {
        "segments_per_s": BATCH / per_step,
        "ratio": per_step / seconds["encoder"],
        "frames": seconds["frames"] / per_step,
        "trained": len(trained),
        "with_gradient": len(reached),
        "peak_mb": peak,
    }


@torch.no_grad()
def frame_features(method: PhysioME, batch: dict[str, torch.Tensor]) -> None:
    """What would not be computed again in every epoch if it were stored."""
    for m, x in batch.items():
        encoder = method.encoders[m]
        assert isinstance(encoder, ModalityEncoder)
        encoder.features(x)


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
