"""Progress of a training, in steps: what each said, and how fast they pass."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic

import torch
from torch import Tensor

from physiome.data.store.batches import Batch
from physiome.progress import Progress


@dataclass(frozen=True)
class Taken:
    """A step that was taken, and what it said, which may still be on its way from the device.

    Attributes:
        step: number of steps taken before it.
        rate: of learning.
        pieces: share of the batch -> loss terms of that share.
        norms: of the gradients of each group that is clipped; empty if none is.
    """

    step: int
    epoch: int
    batch: Batch
    rate: float
    pieces: Sequence[tuple[float, Mapping[str, Tensor | float]]]
    norms: Sequence[Tensor]


def read_terms(steps: Sequence[Taken]) -> list[dict[str, float]]:
    """Loss terms of each step by name, fetched at once: each fetch waits for all that is queued.

    Of pieces of a batch the mean, weighted by their shares; `lr`, and `gradient_norm` over all
    groups where they are clipped.
    """
    values = iter(_fetched([x for taken in steps for x in _tensors(taken)]))
    found = []
    for taken in steps:
        logged = {"lr": taken.rate}
        for share, terms in taken.pieces:
            for name, x in terms.items():
                value = next(values) if isinstance(x, Tensor) else float(x)
                logged[name] = logged.get(name, 0.0) + share * value
        if taken.norms:
            logged["gradient_norm"] = math.hypot(*(next(values) for _ in taken.norms))
        found.append(logged)
    return found


def _tensors(taken: Taken) -> list[Tensor]:
    """In the order in which they are read."""
    terms = [x for _, terms in taken.pieces for x in terms.values() if isinstance(x, Tensor)]
    return [*terms, *taken.norms]


def _fetched(scalars: Sequence[Tensor]) -> list[float]:
    if not scalars:
        return []
    device = scalars[0].device
    return torch.stack([x.detach().to(device, torch.float64) for x in scalars]).tolist()


class Reporter(Progress):
    """Counts steps and segments since it was made; says how fast they pass and what is left."""

    def __init__(self, title: str, steps: int, done: int, every_s: float = 10.0):
        super().__init__(title, steps, done, every_s, stays=True)
        self.title, self.started, self.segments = title, monotonic(), 0

    @property
    def segments_per_s(self) -> float:
        """Segments per second."""
        return self.segments / max(monotonic() - self.started, 1e-9)

    def step(self, segments: int, loss: float, epoch: int, note: str = "") -> None:
        """One optimiser step over `segments` windows is done; `note`: what else to show of it."""
        self.segments += segments
        if self.add(1) or self.done == self.total:
            speed = f"segments_per_s={self.segments_per_s:.1f}"
            facts = f"epoch={epoch} loss={loss:.4f} {speed} {note}".rstrip()
            step = f"step={self.done}/{self.total}"
            self.tell(facts, f"{self.title} {step} {facts} left_s={self.left_s or 0:.0f}")

    def look(self, facts: str) -> None:
        """What a look between two steps showed."""
        self.say(f"{self.title} look {facts}")
