"""Systems small enough for tests, and signals with something in them to learn."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from physiome.config.model import EncoderSpec
from physiome.config.systems.physiome import PhysioMESpec
from physiome.config.window import Window
from physiome.methods.base import Inputs
from physiome.methods.neuronet import DPNeuroNet, NeuroNet
from physiome.methods.physiome import PhysioME

torch.set_num_threads(1)  # for tensors this small, threads cost more than they give
NAMES = ("a", "b", "c")
RATE_HZ = 100.0
SAMPLES = 900  # 9 s: five frames of 3 s, one every 1.5 s
N = 5
WINDOW = {"length_s": 9.0, "rate_hz": RATE_HZ, "lowpass_hz": None}
ENCODER = {
    "frame_s": 3.0, "step_s": 1.5, "channels": (4, 4, 8, 8), "width": 32, "depth": 1, "heads": 4,
    "decoder_width": 16, "decoder_depth": 1, "decoder_heads": 4, "projection": (24, 16),
    "mask_ratio": 0.5,
}  # fmt: skip
FUSION = {
    "width": 32, "depth": 1, "heads": 4, "decoder_width": 16, "decoder_depth": 1,
    "decoder_heads": 4, "restore_width": 24, "restore_depth": 1, "restore_heads": 4,
    "projection": (24, 16),
}  # fmt: skip


def inputs(names: Sequence[str] = NAMES, classes: Sequence[str] = (), **window: Any) -> Inputs:
    """What a method is fed; `window` changes the tiny one."""
    return Inputs(tuple(names), Window.parse({**WINDOW, **window}, "window"), tuple(classes))


def draws(seed: int = 0) -> torch.Generator:
    """A generator for a method's random draws."""
    return torch.Generator().manual_seed(seed)


def waves(batch: int = 6, names: Sequence[str] = NAMES, seed: int = 0) -> dict[str, Tensor]:
    """Noisy waves (batch, SAMPLES): a row's frequency and height are shared by its modalities."""
    rng = draws(seed)
    t = torch.arange(SAMPLES) / RATE_HZ
    rate_hz = 1.0 + 9.0 * torch.rand(batch, 1, generator=rng)
    height = 0.5 + torch.rand(batch, 1, generator=rng)
    signals = {}
    for name in names:
        phase = 6.3 * torch.rand(batch, 1, generator=rng)
        noise = 0.1 * torch.randn(batch, SAMPLES, generator=rng)
        signals[name] = height * torch.sin(6.283 * rate_hz * t + phase) + noise
    return signals


def neuronet(cls: type[NeuroNet] = DPNeuroNet, modality: str = "a", seed: int = 0, **changes):
    """A tiny encoder with its pretraining parts, freshly initialised."""
    torch.manual_seed(seed)
    return cls(EncoderSpec(**{**ENCODER, **changes}), modality, SAMPLES, RATE_HZ)


def physiome(
    cls: type[PhysioME] = PhysioME, names: Sequence[str] = NAMES, seed: int = 0, **changes
):
    """A tiny PhysioME on tiny encoders whose batch-norms have seen data, in training mode."""
    encoders = {}
    for i, name in enumerate(names):
        method = neuronet(modality=name, seed=seed + i)
        method.train()
        method.loss(waves(8, [name], seed=seed + i), draws(i))  # moves the running statistics
        encoders[name] = method.encoder
    torch.manual_seed(seed)
    return cls(PhysioMESpec(**{**FUSION, **changes}), encoders).train()
