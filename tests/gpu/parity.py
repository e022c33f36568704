"""Four steps of every system on the device against the CPU in float32, with the same draws."""

import torch

from physiome.training import runtime
from tests.gpu.steps import CYCLE, Steps

# kind -> (autocast, TF32, the largest relative difference of a loss that is no fault)
KINDS = {"fp32": (False, False, 1e-4), "tf32": (False, True, 5e-3), "bf16": (True, False, 5e-2)}
LEAST = 1e-3  # below this a loss is compared as if it were this
BATCH = 8


def compare(name: str, device: str, small: bool) -> dict[str, object]:
    """Largest difference of a loss by kind, whether it is within bounds, and the gradients."""
    base, reached = _losses(name, "cpu", small, bf16=False)
    found: dict[str, object] = {"loss": base[0], "gradients": len(reached)}
    sound = bool(reached)
    for kind, (bf16, rounds, bound) in KINDS.items():
        with runtime.tf32(rounds):
            losses, others = _losses(name, device, small, bf16)
        apart = max(abs(a - b) / max(abs(b), LEAST) for a, b in zip(losses, base, strict=True))
        found[kind] = apart
        sound = sound and apart <= bound and others == reached
    return found | {"ok": sound}


def _losses(name: str, device: str, small: bool, bf16: bool) -> tuple[list[float], set[str]]:
    steps = Steps(name, BATCH, device, small, bf16, dropout=False)
    losses, reached = [], set()
    for number in range(CYCLE):
        losses.append(steps(number))
        reached |= steps.reached()
    return torch.stack(losses).tolist(), reached
