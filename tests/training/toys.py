"""Methods that train in no time, and a training run of them."""

import os
from pathlib import Path

import numpy as np
import torch
from torch import nn

from physiome.config.agreement import Owner
from physiome.config.gpu import GpuSpec
from physiome.config.monitor import MonitorSpec
from physiome.config.training import TrainSpec
from physiome.data.store.batches import patterns
from physiome.data.store.windows import WindowStore
from physiome.methods.base import Method
from physiome.training.job import train_to_file
from physiome.training.monitor import Monitor


class Toy(Method):
    """A linear map with dropout that predicts noise: all that a resumed run must repeat."""

    def __init__(self, names=("a",), samples=900):
        super().__init__(names, {"fit": 1.0})
        self.map = nn.Linear(samples, 3)
        self.norm = nn.BatchNorm1d(3)
        self.drop = nn.Dropout(0.3)

    def loss(self, batch, rng):
        x = self.drop(batch[self.modalities[0]])
        y = self.norm(self.map(x))
        noise = torch.randn(y.shape, generator=rng)
        return {"fit": (y - noise).square().mean(), "level": x.mean().detach()}

    def fuse(self, encoded):
        return self.map(encoded[self.modalities[0]])


class Uncoupled(Toy):
    """Each window's loss stands for itself, and nothing is random."""

    def __init__(self, names=("a",), samples=900):
        super().__init__(names, samples)
        self.sizes: list[int] = []

    def loss(self, batch, rng):
        x = batch[self.modalities[0]]
        self.sizes.append(len(x))
        return {"fit": (self.map(x) - 1.0).square().mean()}


class Stumbling(Toy):
    """Does something at its n-th loss: raises an error, or sends its own process a signal."""

    def __init__(self, at: int, deed, names=("a",), samples=900):
        super().__init__(names, samples)
        self.at, self.deed, self.calls = at, deed, 0

    def loss(self, batch, rng):
        self.calls += 1
        if self.calls == self.at:
            if isinstance(self.deed, BaseException):
                raise self.deed
            os.kill(os.getpid(), self.deed)
        return super().loss(batch, rng)


def train(
    build,
    store: WindowStore,
    output: Path,
    settings: dict | None = None,
    save_every_s: float = 300.0,
    monitor: MonitorSpec | None = None,
    gpu: GpuSpec | None = None,
    **spec,
) -> Path:
    """Train on all windows of the store that have the method's modalities; return `output`.

    A monitor sees all of them as windows of train subjects.
    """
    chosen = {"epochs": 3, "batch": 4, "learning_rate": 1e-2, "precision": "fp32", **spec}
    index = np.arange(len(store.table))
    train_to_file(
        build,
        store,
        patterns(store, index),
        settings or {"x": 1},
        TrainSpec(**chosen),
        "cpu",
        output,
        Owner("toy", 0, "toy"),
        "pretrain",
        save_every_s,
        monitor=Monitor(monitor, store, index),
        gpu=gpu,
    )
    return output
