"""Build methods and encoders from a job's settings."""

from collections.abc import Sequence
from typing import Any

from physiome.config.encoder import encoder_spec
from physiome.config.jobs import MethodSettings, PretrainSettings
from physiome.methods.base import Inputs, Method
from physiome.registry import ENCODERS, METHODS, lookup


def build_encoder(settings: PretrainSettings | MethodSettings, modality: str) -> Method:
    """The self-supervised encoder of one modality, freshly initialised."""
    spec, window = encoder_spec(settings.encoder or {}), settings.window
    leads = settings.leads.get(modality, 0)
    return ENCODERS[spec.name].load()(spec, modality, window.samples, window.rate_hz, leads)


def build_method(settings: MethodSettings, parents: Sequence[Method] = ()) -> Method:
    """The method of these settings, freshly initialised.

    Args:
        parents: the trained methods it begins with; see `fresh_parents`.
    """
    entry = lookup(METHODS, settings.base, "methods")
    owner = entry.settings_of or settings.base
    kind = METHODS[owner].specification()
    spec: Any = settings.method if kind is None else kind.parse(settings.method, owner)
    inputs = Inputs(
        settings.modalities, settings.window, settings.classes, settings.scored, settings.leads
    )
    return entry.load().build(spec, inputs, parents)


def fresh_parents(settings: MethodSettings) -> list[Method]:
    """What the method begins with, without trained weights: they are loaded later."""
    entry = METHODS[settings.base]
    if entry.on_encoders or entry.fresh_encoders:
        return [build_encoder(settings, m) for m in settings.modalities]
    if entry.trained_after is not None:
        before = settings.model_copy(update={"base": entry.trained_after})
        return [build_method(before, fresh_parents(before))]
    return []
