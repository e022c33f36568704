"""A control: PhysioME with fresh weights, encoders included, never trained."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from physiome.config.systems.physiome import PhysioMESpec
from physiome.methods.base import Inputs, Method, Signals
from physiome.methods.build import build_encoder
from physiome.methods.physiome import PhysioME


class RandomPhysioME(PhysioME):
    """What an architecture says before it has learned anything."""

    calibrated = True

    def __init__(self, spec: PhysioMESpec, made: Mapping[str, Method]):
        super().__init__(spec, {m: method.encoder for m, method in made.items()})
        self._made = dict(made)  # the same weights; only to hand on the constants of the inputs

    @classmethod
    def build(cls, settings: Mapping[str, Any], inputs: Inputs, encoders: Sequence[Any]) -> Self:
        """On freshly initialised encoders of the configured kind."""
        spec = PhysioMESpec.parse(settings["method"], "physiome")
        return cls(spec, {m: build_encoder(settings, m) for m in inputs.modalities})

    def set_scaling(self, constants: Mapping[str, tuple[float, float]]) -> None:
        """Its encoders have not been trained, so they need the constants of this fold."""
        super().set_scaling(constants)
        for m, method in self._made.items():
            method.set_scaling({m: constants[m]})

    def calibrate(self, sample: Signals) -> None:
        """As `set_scaling`, for encoders that see images."""
        for m, method in self._made.items():
            method.calibrate({m: sample[m]})
