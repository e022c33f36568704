"""The real loop from shards: a training that was stopped and resumed, against two that were not."""

import os
import signal
import tempfile
from pathlib import Path

import numpy as np
import torch

from physiome.config.training import TrainSpec
from physiome.methods.base import Method
from physiome.training.checkpoint import ResumeState
from physiome.training.loop import Interrupted, fit
from tests.gpu.steps import built

STOP = 5  # steps before the signal
WINDOWS = 48


def resumed(name: str, device: str) -> dict[str, object]:
    """Largest difference between weights of two runs, and of a resumed one from the first.

    Kernels of a GPU add in changing order: what a resumed run may differ by is what two runs do.
    """
    from tinyshards import tiny_store

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        store = tiny_store(place, windows=WINDOWS)

        def trained(tag: str, stop: int = 0) -> dict[str, torch.Tensor]:
            method = built(name, small=True)
            if stop:
                _stop_after(method, stop)
            state = ResumeState(place / tag, "same")
            groups = [(method.modalities, np.arange(WINDOWS))]
            spec = TrainSpec(epochs=2, batch=8, learning_rate=1e-3)
            with state.held():
                fit(method, store, groups, spec, device, state, tag)
            return {k: x.float().cpu() for k, x in method.state_dict().items()}

        one, two = trained("one"), trained("two")
        stopped = False
        try:
            trained("three", STOP)
        except Interrupted:
            stopped = True
        three = trained("three")
    between, after = _apart(one, two), _apart(one, three)
    ok = stopped and after <= max(10 * between, 1e-6 if device == "cuda" else 0.0)
    return {"stopped": stopped, "run_to_run": between, "resumed": after, "ok": ok}


def _apart(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    return max(float((a[k] - b[k]).abs().max()) for k in a)


def _stop_after(method: Method, steps: int) -> None:
    after, seen = method.after_step, []

    def counted() -> None:
        after()
        seen.append(1)
        if len(seen) == steps:
            os.kill(os.getpid(), signal.SIGTERM)

    method.after_step = counted  # type: ignore[method-assign]
