"""What `gpu.compile` gains: the same steps with compiled blocks, after those without."""

import time

import torch

from physiome.nn.compiled import compile_blocks
from tests.gpu.parity import LEAST
from tests.gpu.speed import SMALL_BATCH, timed
from tests.gpu.steps import CYCLE, Steps, batch_size

BOUND = 5e-2  # relative difference of a loss that is no fault, as for bf16


def gain(name: str, device: str, small: bool) -> dict[str, object]:
    """Milliseconds of a step without and with, seconds of compiling, largest difference of a loss.

    Weights and draws begin the same, so the losses of a cycle can be compared.
    """
    bf16, batch = device == "cuda", SMALL_BATCH if small else batch_size(name)
    plain, other = (Steps(name, batch, device, small, bf16, dropout=False) for _ in range(2))
    blocks = compile_blocks(other.method, device)
    began = time.perf_counter()
    losses = [(float(other(0)), float(plain(0)))]
    first_s = time.perf_counter() - began
    losses += [(float(other(number)), float(plain(number))) for number in range(1, CYCLE)]
    apart = max(abs(a - b) / max(abs(a), LEAST) for a, b in losses)
    numbers = iter(range(CYCLE, 10**9))
    took = [timed(lambda run=run: run(next(numbers)), device, CYCLE) for run in (plain, other)]
    torch._dynamo.reset()
    return {
        "blocks": blocks,
        "plain_ms": took[0] * 1e3,
        "compiled_ms": took[1] * 1e3,
        "gain": took[0] / took[1],
        "first_step_s": first_s,
        "apart": apart,
        "ok": blocks > 0 and apart <= BOUND,
    }
