"""Build methods and encoders from settings."""

from collections.abc import Mapping, Sequence
from typing import Any

from physiome.config.encoder import encoder_spec
from physiome.methods.base import Inputs, Method
from physiome.registry import ENCODERS, METHODS, lookup


def build_encoder(settings: Mapping[str, Any], modality: str) -> Method:
    """The self-supervised encoder of one modality, freshly initialised.

    Args:
        settings: a slice with keys encoder, modalities and window.
    """
    spec, window = encoder_spec(settings["encoder"]), Inputs.of(settings).window
    return ENCODERS[spec.name].load()(spec, modality, window.samples, window.rate_hz)


def build_method(name: str, settings: Mapping[str, Any], parents: Sequence[Method] = ()) -> Method:
    """The method called `name`, freshly initialised.

    Args:
        settings: a slice with keys modalities, window, and what the method's class reads.
        parents: the trained methods it begins with; see `fresh_parents`.
    """
    cls = lookup(METHODS, name, "methods").load()
    return cls.build(settings, Inputs.of(settings), parents)


def fresh_parents(name: str, settings: Mapping[str, Any]) -> list[Method]:
    """What the method called `name` begins with, without trained weights: they are loaded later."""
    entry = METHODS[name]
    if entry.on_encoders:
        return [build_encoder(settings, m) for m in settings["modalities"]]
    if entry.trained_after is not None:
        return [
            build_method(
                entry.trained_after, settings, fresh_parents(entry.trained_after, settings)
            )
        ]
    return []
