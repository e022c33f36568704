"""Build methods and encoders from settings."""

from collections.abc import Mapping, Sequence
from typing import Any

from physiome.config.model import EncoderSpec
from physiome.methods.base import Inputs, Method
from physiome.registry import ENCODERS, METHODS, lookup


def build_encoder(settings: Mapping[str, Any], modality: str) -> Method:
    """The self-supervised encoder of one modality, freshly initialised.

    Args:
        settings: a slice with keys encoder, modalities and window.
    """
    spec, inputs = EncoderSpec.parse(settings["encoder"], "encoder"), Inputs.of(settings)
    entry = lookup(ENCODERS, spec.name, "encoder.name")
    return entry.load()(spec, modality, inputs.window.samples, inputs.window.rate_hz)


def build_method(name: str, settings: Mapping[str, Any], stands: Sequence[Method] = ()) -> Method:
    """The method called `name`, freshly initialised.

    Args:
        settings: a slice with keys modalities, window, and what the method's class reads.
        stands: the pretrained methods it stands on; see `fresh_stands`.
    """
    cls = lookup(METHODS, name, "methods").load()
    return cls.build(settings, Inputs.of(settings), stands)


def fresh_stands(name: str, settings: Mapping[str, Any]) -> list[Method]:
    """What the method called `name` stands on, without trained weights: they are loaded later."""
    entry = METHODS[name]
    if entry.on_encoders:
        return [build_encoder(settings, m) for m in settings["modalities"]]
    if entry.after is not None:
        return [build_method(entry.after, settings, fresh_stands(entry.after, settings))]
    return []
