"""No step waits for its device: on a GPU each wait costs the time of launching what comes next.

Tensors of the device "meta" have shapes and no values. What would read a value back from a GPU
raises there, as does an operation on tensors of two devices: a step on it is a step on a GPU as far
as a machine without one can tell. Draws alone are on the CPU.
"""

import sys
from contextlib import nullcontext

import contract
import pytest
import torch
from small import job_of
from tiny import draws
from torch.utils._python_dispatch import TorchDispatchMode

from physiome.methods.base import Method, Progress
from physiome.methods.build import build_encoder, build_method, fresh_parents
from physiome.nn import draws as drawing
from physiome.registry import ENCODERS, METHODS

TRAINED = [n for n in [*METHODS, *ENCODERS] if n in ENCODERS or METHODS[n].trains]
META = torch.device("meta")
NUMBER = 11  # of the step, in an epoch of 12: every term of a loss is there

pytestmark = pytest.mark.slow

# What a method may wait for in a step, and why it does
WAITS = {"crossl": "pytorch-metric-learning's VICReg picks the rows of a mask"}


class Sent(TorchDispatchMode):
    """Counts tensors that come from the CPU: each must be sent by `send`, which does not wait."""

    def __init__(self):
        super().__init__()
        self.from_cpu = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if name in ("_to_copy", "copy_") and isinstance(out, torch.Tensor) and out.is_meta:
            given = [x for x in args if isinstance(x, torch.Tensor)]
            self.from_cpu += any(x.device.type == "cpu" for x in given)
        return out


def build(name: str) -> Method:
    torch.manual_seed(0)
    settings = job_of(name)
    method = (
        build_encoder(settings, "a")
        if name in ENCODERS
        else build_method(settings, fresh_parents(settings))
    )
    return method.train()


def step(method: Method, batch, number: int, labelled: bool) -> None:
    """Forward and backward on the device "meta", which knows no autocast."""
    method.progress = Progress(1, 2, number, 12)
    batch = {m: x.to(META) for m, x in batch.items()}
    if labelled:
        terms = method.labelled_loss(batch, torch.arange(8).to(META) % 2, draws(number))
        each = iter([(method.total(terms), terms)])
    else:
        each = method.objectives(batch, draws(number))
    for total, terms in each:
        assert total.is_meta
        assert all(x.is_meta for x in terms.values())
        if total.requires_grad:
            total.backward()
    method.after_step()


def counted(monkeypatch, method, batch, number, labelled) -> tuple[int, int]:
    """Tensors that were sent, and that came from the CPU, in a step."""
    sent = []
    real = drawing.send

    def send(x, device):
        sent.append(x)
        return real(x, device)

    monkeypatch.setattr(drawing, "send", send)
    for module in list(sys.modules.values()):
        if getattr(module, "send", None) is real:
            monkeypatch.setattr(module, "send", send)
    with Sent() as mode:
        step(method, batch, number, labelled)
    return len(sent), mode.from_cpu - len(batch) - labelled


@pytest.fixture
def no_autocast(monkeypatch):
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())


@pytest.mark.parametrize("name", TRAINED)
def test_a_step_reads_nothing_back_and_sends_no_more_than_its_draws(name, no_autocast, monkeypatch):
    method = build(name)
    labelled = name in METHODS and METHODS[name].labels
    batch = contract.some(method, 8)
    method = method.to(META)
    if name in WAITS:
        with pytest.raises(NotImplementedError, match="nonzero"):
            step(method, batch, NUMBER, labelled)
        return
    sent, came = counted(monkeypatch, method, batch, NUMBER, labelled)
    assert came == sent
