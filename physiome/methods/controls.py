"""Trivial controls: hand-made features, the majority class, the pressure of the moment.

Hypotension minutes ahead is largely persistence of the present pressure, and class shares alone
give an accuracy; a learned row can only be read against these.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor

from physiome.config.systems.controls import PresentPressureSpec
from physiome.methods.base import Inputs, Method, Signals
from physiome.nn.leads import over_leads

BANDS_HZ = ((0.5, 2.0), (2.0, 4.0), (4.0, 8.0), (8.0, 12.0), (12.0, 16.0), (16.0, 30.0))
PULSE_HZ = (0.7, 3.5)  # heart rates of 42 to 210 per minute


class HandMade(Method):
    """Level, spread and rhythm of each modality, concatenated over the observed ones.

    Averaged over a modality's leads, so that any of them may be lost.
    """

    comparable = False  # the embedding grows with the subset

    def __init__(self, modalities: tuple[str, ...], rate_hz: float):
        super().__init__(modalities)
        self.rate_hz = rate_hz

    @classmethod
    def build(cls, spec: Any, inputs: Inputs, parents: Sequence[Any]) -> Self:
        """It needs only the sampling rate."""
        return cls(inputs.modalities, inputs.window.rate_hz)

    def encode(self, observed: Signals) -> dict[str, Tensor]:
        """Modality -> features (B, 16)."""
        return {m: over_leads(self._features, x) for m, x in observed.items()}

    def _features(self, x: Tensor) -> Tensor:
        return features(x, self.rate_hz)

    def fuse(self, encoded: Mapping[str, Tensor]) -> Tensor:
        """(B, 16 per observed modality)."""
        return torch.cat([encoded[m] for m in self.modalities if m in encoded], dim=1)


class Majority(Method):
    """An embedding that says nothing: the head on it predicts the class shares of training."""

    def fuse(self, encoded: Mapping[str, Tensor]) -> Tensor:
        """Zeros (B, 1)."""
        return next(iter(encoded.values())).new_zeros(len(next(iter(encoded.values()))), 1)


class PresentPressure(Method):
    """The mean of the window's pressure: what persistence alone says of the pressure to come."""

    comparable = False  # there is nothing to say without the pressure

    def __init__(self, modalities: tuple[str, ...], pressure: str):
        super().__init__(modalities)
        self.pressure = pressure

    @classmethod
    def build(cls, spec: PresentPressureSpec, inputs: Inputs, parents: Sequence[Any]) -> Self:
        """It needs the name of the modality."""
        return cls(inputs.modalities, spec.modality)

    def refuses(self, subset: Sequence[str]) -> str:
        """Subsets without the pressure."""
        return "" if self.pressure in subset else f"no {self.pressure}"

    def fuse(self, encoded: Mapping[str, Tensor]) -> Tensor:
        """Mean pressure in its unit (B, 1)."""
        return over_leads(_level, encoded[self.pressure])


def _level(x: Tensor) -> Tensor:
    return x.mean(dim=1, keepdim=True)


def features(x: Tensor, rate_hz: float) -> Tensor:
    """Sixteen features of (B, L): levels in the signal's unit, log band powers, pulse rate.

    Mean, standard deviation, log standard deviation, 1st/10th/50th/90th/99th percentile (for a
    pressure: diastolic and systolic levels), mean absolute slope, log power in six bands, and the
    frequency of the highest spectral line between 0.7 and 3.5 Hz (for a pulse: the heart rate); 0
    where a slow or short signal has no line there.
    """
    x = x.double()
    levels = torch.quantile(x, x.new_tensor([0.01, 0.1, 0.5, 0.9, 0.99]), dim=1).T  # (B, 5)
    spread = x.std(dim=1, keepdim=True)
    slope = x.diff(dim=1).abs().mean(dim=1, keepdim=True) * rate_hz
    power = torch.fft.rfft(x - x.mean(dim=1, keepdim=True)).abs().square()  # (B, L / 2 + 1)
    hz = torch.fft.rfftfreq(x.shape[1], 1 / rate_hz, dtype=x.dtype, device=x.device)
    bands = [power[:, (hz >= low) & (hz < high)].sum(dim=1) for low, high in BANDS_HZ]
    pulse = (hz >= PULSE_HZ[0]) & (hz <= PULSE_HZ[1])
    none = x.new_zeros(len(x))
    rate = hz[pulse][power[:, pulse].argmax(dim=1)] if pulse.any() else none
    tiny = 1e-8
    columns = [
        x.mean(dim=1, keepdim=True),
        spread,
        (spread + tiny).log(),
        levels,
        slope,
        (torch.stack(bands, dim=1) / x.shape[1] ** 2 + tiny).log(),
        rate[:, None],
    ]
    return torch.cat(columns, dim=1).float()
