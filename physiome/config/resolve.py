"""What a section or a method's name stands for, for a fold of a data set."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from physiome.config.base import deep_merge
from physiome.config.model import CommonEncoderSpec
from physiome.config.schema import Sections
from physiome.config.training import TrainSpec
from physiome.config.variants import Variant
from physiome.errors import ConfigError
from physiome.files import canonical_json
from physiome.registry import ENCODERS, METHODS, Entry


@dataclass(frozen=True)
class Resolved:
    """A method or variant with every change of its data set and fold applied."""

    name: str
    base: str  # the registered method
    entry: Entry
    title: str
    encoder: str | None  # the modality encoder it is made with, if any
    settings: dict[str, Any]  # its architecture
    train: TrainSpec
    untrained: bool = False  # it has no parents, and epochs are 0
    takes: bool = False  # the weights of the method it is a variant of, and epochs are 0


def section(config: Sections, name: str, dataset: str, fold: int | None) -> Any:
    """One section with the overrides of the data set and the fold applied, and its seed shifted."""
    found = _section(config, name, dataset, fold)
    return _shifted(config, found) if isinstance(found, TrainSpec) else found


def _shifted(config: Sections, train: TrainSpec) -> TrainSpec:
    return train.model_copy(update={"seed": train.seed + config.seed})


def _section(config: Sections, name: str, dataset: str, fold: int | None) -> Any:
    base = getattr(config, name)
    merged, where = base.plain(), name
    for scope in (dataset, f"{dataset}/{fold}"):
        part = config.overrides.get(scope, {}).get(name)
        if part is not None:
            merged, where = deep_merge(merged, part), f"overrides.{scope}.{name}"
    return _parsed(canonical_json(merged), where, type(base))


def resolve(config: Sections, name: str, dataset: str, fold: int | None) -> Resolved:
    """A method or variant with every change of its data set and fold applied.

    Raises:
        ConfigError: for settings that its specification refuses.
    """
    variant = config.variants.get(name)
    base = variant.of if variant else name
    entry = METHODS[base]
    part, title, where = entry.settings_of or base, entry.title, f"systems.{base}.train"
    own = _system(config, part, dataset, fold)
    trained = _system(config, base, dataset, fold).get("train", {})
    encoder = None
    if entry.on_encoders or entry.fresh_encoders:
        encoder = entry.encoder or section(config, "encoder", dataset, fold).name
    if variant is not None:
        title, encoder = variant.title, variant.encoder or encoder
        changed, trained = deep_merge(own, variant.method), deep_merge(trained, variant.train)
        own, where = _checked(part, changed, f"variants.{name}.method"), f"variants.{name}.train"
    own.pop("train", None)
    untrained = variant is not None and variant.untrained
    takes = variant is not None and _reads_otherwise(variant)
    if untrained or takes:
        entry = replace(entry, on_encoders=False, trained_after=base if takes else None)
        trained = {**trained, "epochs": 0}
    common = _section(config, "train", dataset, fold).plain()
    train = _parsed(canonical_json(deep_merge(common, trained)), where, TrainSpec)
    if own.get("published"):
        title += f" (published weights: {', '.join(own['published'])})"
    train = _shifted(config, train)
    return Resolved(name, base, entry, title, encoder, own, train, untrained, takes)


def _reads_otherwise(variant: Variant) -> bool:
    """Whether it changes nothing but how a method is read: then it is trained with that method."""
    if variant.untrained or variant.encoder or variant.train or not variant.method:
        return False
    kind = METHODS[variant.of].specification()
    return set(variant.method) <= getattr(kind, "read_out", frozenset())


def encoder_entry(config: Sections, name: str) -> Entry:
    """The registered modality encoder that a name, perhaps of a variant, stands for."""
    variant = config.encoder_variants.get(name)
    return ENCODERS[variant.of if variant else name]


def resolve_encoder(
    config: Sections, name: str, dataset: str, fold: int | None
) -> CommonEncoderSpec:
    """A modality encoder or a variant of one with every change of its data set and fold applied.

    The section `encoder` counts for what the encoder has, `encoders.<name>` changes it.
    """
    variant = config.encoder_variants.get(name)
    base = variant.of if variant else name
    kind = ENCODERS[base].specification()
    common = section(config, "encoder", dataset, fold).plain() | {"name": base}
    shared = {key: value for key, value in common.items() if key in kind.model_fields}
    own, where = _overridden(config, "encoders", config.encoders, base, dataset, fold)
    merged = deep_merge(shared, own)
    found = _parsed(canonical_json(merged), where, kind)
    if variant is None:
        return found
    merged = deep_merge(merged, variant.settings)
    return _parsed(canonical_json(merged), f"encoder_variants.{name}.settings", kind)


def resolve_pretrain(config: Sections, name: str, dataset: str, fold: int | None) -> TrainSpec:
    """The section `pretrain` as it is for a modality encoder or a variant of one."""
    base, variant = _section(config, "pretrain", dataset, fold), config.encoder_variants.get(name)
    merged = deep_merge(base.plain(), variant.pretrain if variant else {})
    spec = _parsed(canonical_json(merged), f"encoder_variants.{name}.pretrain", TrainSpec)
    return _shifted(config, spec)


def _system(config: Sections, name: str, dataset: str, fold: int | None) -> dict[str, Any]:
    """A section of `systems` with its overrides."""
    merged, where = _overridden(config, "systems", config.systems, name, dataset, fold)
    return _checked(name, merged, where)


def _overridden(
    config: Sections,
    of: str,
    sections: Mapping[str, dict[str, Any]],
    name: str,
    dataset: str,
    fold: int | None,
) -> tuple[dict[str, Any], str]:
    """A section of `systems` or `encoders` with its overrides, and where it was changed last."""
    merged, where = sections.get(name, {}), f"{of}.{name}"
    for scope in (dataset, f"{dataset}/{fold}"):
        part = config.overrides.get(scope, {}).get(of, {}).get(name)
        if part is not None:
            where = f"overrides.{scope}.{of}.{name}"
            if not isinstance(part, Mapping):
                raise ConfigError("not a section", where=where, why=repr(part)[:100])
            merged = deep_merge(merged, part)
    return merged, where


def _checked(name: str, plain: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Settings of a system with their defaults; without a specification, as they are."""
    kind = METHODS[name].specification()
    if kind is None and plain and not METHODS[name].trains:  # what is trained has at least `train`
        raise ConfigError(f"{name} has no settings", where=where, do="leave it out")
    if kind is None and not isinstance(train := plain.get("train", {}), Mapping):
        raise ConfigError("not a section", where=f"{where}.train", why=repr(train)[:100])
    return _parsed(canonical_json(plain), where, kind).plain() if kind else dict(plain)


@cache
def _parsed(text: str, where: str, kind: type[Any]) -> Any:
    return kind.parse_text(text, where)
