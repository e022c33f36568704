"""Checks across sections of the configuration, all before any work begins."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from physiome.config.experiment import Experiment
from physiome.config.frame_length import joined_length
from physiome.config.model import CommonEncoderSpec, EncoderSpec
from physiome.config.resolve import resolve_encoder, resolve_pretrain
from physiome.config.schema import SECTIONS
from physiome.config.systems.controls import PresentPressureSpec
from physiome.config.table_checks import check_rows, check_tables, check_titles
from physiome.config.variants import Variant
from physiome.errors import ConfigError, nearest
from physiome.registry import ENCODERS, METHODS, lookup

UNSAFE = set("{}*?[]<>\n\t\0")  # signs that Snakemake or a shell take for more than a name
LONGEST_NAME, LONGEST_PATH = 255, 4096  # bytes, of Linux file systems
BELOW = 400  # bytes that paths below the results folder may take, temporary names included
# Settings of systems that name modalities.
BY_MODALITY = ("spectral", "mask_ratios", "bands_hz", "slow", "published")
ABP = PresentPressureSpec().modality


def check(config: Experiment) -> None:
    """Everything that can be known from the configuration alone.

    Raises:
        ConfigError: naming the key's path, its value, what is allowed, the nearest known key.
    """
    lookup(ENCODERS, config.encoder.name, "encoder.name")
    for name in config.use_datasets or ():
        if name not in config.datasets:
            raise ConfigError(f"use_datasets: {name!r} - {nearest(name, config.datasets)}")
    check_tables(config)
    for scope, changes in config.overrides.items():
        _check_scope(config, scope, changes)
    _check_methods(config)
    check_rows(config)
    for name in config.datasets:
        for fold in (None, *config.numbers(name)):
            _check_reach(config, name, fold)
            for encoder in [*ENCODERS, *config.encoder_variants]:
                found = resolve_encoder(config, encoder, name, fold)
                if name in config.used:  # of others nothing is cut into frames
                    _check_frames(config, name, found)
                resolve_pretrain(config, encoder, name, fold)
            for method in config.all_methods:
                config.resolve(method, name, fold)
    for method in config.all_methods:
        _check_modalities(config, method)
        _check_published(config, method)
    check_titles(config)


def _check_reach(config: Experiment, dataset: str, fold: int | None) -> None:
    """Refuse a head of neighbours that would see none: windows lie one behind the other."""
    reach_s = config.section("probe", dataset, fold).reach_s
    length_s = config.datasets[dataset].window.length_s
    if dataset in config.used and reach_s is not None and reach_s < length_s:
        raise ConfigError(
            f"probe.context_s: no window of {dataset} has a neighbour within {reach_s:g} s",
            why=f"one begins every {length_s:g} s",
            do=f"make it longer, or null for this data set (overrides.{dataset}.probe)",
        )


def check_folders(config: Experiment) -> None:
    """Refuse a run whose results cannot be written or whose own recordings are not there.

    Raises:
        ConfigError: naming the key and the folder.
    """
    _check_results(config.results)
    for name in config.used:
        for method in config.rows_of(config.table_name(name)):
            _check_weights(config, method, name)
        source = config.datasets[name].source.plain()
        if "raw" in source and source["raw"]["fill"] != "folder":
            continue
        folder = config.raw_folder(name)
        _check_name(f"datasets.{name}.source", folder)
        if not Path(folder).is_dir():
            raise ConfigError(
                f"datasets.{name}.source: folder {folder!r} is not there - "
                "give the path of your recordings"
            )


def _check_weights(config: Experiment, method: str, dataset: str) -> None:
    for modality, path in (config.resolve(method, dataset).settings.get("published") or {}).items():
        if not Path(path).is_file():
            raise ConfigError(f"{method}.published.{modality}: file {path!r} is not there")


def _check_results(results: str) -> None:
    """A results folder that every job could write below."""
    _check_name("results", results)
    absolute = os.fsencode(os.path.abspath(results))
    longest = max(len(name) for name in absolute.split(b"/"))
    if longest > LONGEST_NAME or len(absolute) > LONGEST_PATH - BELOW:
        raise ConfigError(
            f"results: {results[:40]!r}... is too long - at most {LONGEST_NAME} bytes a name and "
            f"{LONGEST_PATH - BELOW} in all (here {longest} and {len(absolute)})"
        )
    folder = Path(results).absolute()
    nearest_there = next(f for f in (folder, *folder.parents) if f.exists())
    if not nearest_there.is_dir():
        raise ConfigError(f"results: {str(nearest_there)!r} is a file - give another folder")
    if not os.access(nearest_there, os.W_OK | os.X_OK):
        raise ConfigError(
            f"results: {str(nearest_there)!r} cannot be written - change its rights or give "
            "another folder"
        )


def _check_name(key: str, folder: str) -> None:
    """A folder's name that shells, Snakemake and every step read alike."""
    why = ""
    if not folder or set(folder) & UNSAFE:
        why = "leave out { } * ? [ ] < > and tabs"
    elif folder.startswith("-"):
        why = "programs take it for an option: put ./ before it"
    elif folder.startswith("~"):
        why = "~ is not expanded here: write the path in full"
    elif "://" in folder:
        why = "an address is no folder: mount it, or give a local folder"
    if why:
        raise ConfigError(f"{key}: {folder!r} cannot be a folder - {why}")


def _check_modalities(config: Experiment, method: str) -> None:
    """Settings of a system that name a modality which no data set has."""
    known = sorted({m for spec in config.datasets.values() for m in spec.modalities})
    for dataset in config.datasets:
        settings = config.resolve(method, dataset).settings
        named = {key: settings.get(key) or () for key in BY_MODALITY}
        if settings.get("modality", ABP) != ABP:  # its default need not be there
            named["modality"] = [settings["modality"]]
        for key, names in named.items():
            for name in names:
                if name not in known:
                    raise ConfigError(
                        f"{method}.{key}: modality {name!r} does not exist - {nearest(name, known)}"
                    )


def _check_published(config: Experiment, method: str) -> None:
    """Published weights know EEG in a voltage; other modalities have none."""
    for dataset, spec in config.datasets.items():
        for name in config.resolve(method, dataset).settings.get("published") or ():
            unit = spec.modalities[name].unit if name in spec.modalities else "uV"
            if unit != "uV":
                raise ConfigError(
                    f"{method}.published.{name}: {dataset} has it in {unit!r}",
                    why="these weights were trained on uV",
                    do=f"set datasets.{dataset}.modalities.{name}.unit to uV",
                )


def _check_encoders(config: Experiment) -> None:
    for name, own in config.encoders.items():
        if name not in ENCODERS and "of" in own:
            right = f"encoder_variants.{name}"
            raise ConfigError(f"encoders.{name}: a variant of an encoder belongs at {right}")
        lookup(ENCODERS, name, "encoders")
        _refuse_name(own, f"encoders.{name}")
    for name, variant in config.encoder_variants.items():
        if name in ENCODERS:
            raise ConfigError(f"encoder_variants.{name}: a modality encoder has this name already")
        lookup(ENCODERS, variant.of, f"encoder_variants.{name}.of")
        _refuse_name(variant.settings, f"encoder_variants.{name}.settings")


def _refuse_name(settings: Any, where: str) -> None:
    """Settings of an encoder that would make it another one."""
    if isinstance(settings, Mapping) and "name" in settings:
        raise ConfigError(f"{where}.name: {settings['name']!r} - encoder.name chooses")


def _check_methods(config: Experiment) -> None:
    known = [*METHODS, *config.variants]
    _check_encoders(config)
    encoders = {**ENCODERS, **{e: ENCODERS[v.of] for e, v in config.encoder_variants.items()}}
    for name, variant in config.variants.items():
        if name in METHODS:
            raise ConfigError(f"variants.{name}: a method has this name already")
        lookup(METHODS, variant.of, f"variants.{name}.of")
        if variant.encoder is not None:
            lookup(encoders, variant.encoder, f"variants.{name}.encoder")
        _check_read(name, variant)
        _check_later(name, variant)
    for name in config.systems:
        lookup(METHODS, name, "systems")
    named = {"methods": config.methods, "methods_add": config.methods_add}
    named |= {f"datasets.{d}.methods": spec.methods or () for d, spec in config.datasets.items()}
    for where, methods in named.items():
        for name in methods:
            if name not in known:
                raise ConfigError(f"{where}: {name!r} does not exist - {nearest(name, known)}")
    for table, ablation in config.ablations.items():
        for name in ablation.rows:
            if name not in known:
                raise ConfigError(
                    f"ablations.{table}.rows: {name!r} does not exist - {nearest(name, known)}"
                )


def _check_read(name: str, variant: Variant) -> None:
    """What a variant changes is read of it."""
    entry, of, where = METHODS[variant.of], variant.of, f"variants.{name}"
    if "train" in variant.method:
        raise ConfigError(f"{where}.method.train: it belongs at {where}.train")
    if variant.encoder is not None and not (entry.on_encoders or entry.fresh_encoders):
        raise ConfigError(f"{where}.encoder: {of} has no modality encoders - leave it out")
    if variant.train and not entry.trains:
        raise ConfigError(f"{where}.train: {of} is not trained - leave it out")


def _check_later(name: str, variant: Variant) -> None:
    """A variant of a method that is trained after another changes what its own training reads."""
    entry = METHODS[variant.of]
    if entry.trained_after is None or variant.untrained:
        return
    owner = METHODS[entry.settings_of or variant.of].specification()
    own = owner.later[variant.of] if owner else frozenset()
    for key in sorted(set(variant.method) - own):
        raise ConfigError(
            f"variants.{name}.method.{key}: the weights it begins with are those of "
            f"{entry.trained_after}, which has another value",
            do=f"change systems.{entry.settings_of or variant.of}.{key}; its own training reads "
            f"{', '.join(sorted(own))}",
        )


def _check_scope(config: Experiment, scope: str, changes: Mapping[str, Any]) -> None:
    dataset, of_fold, fold = scope.partition("/")
    if dataset not in config.datasets:
        known = nearest(dataset, config.datasets)
        raise ConfigError(f"overrides.{scope}: unknown data set {dataset!r} - {known}")
    allowed = set(SECTIONS) - ({"folds"} if of_fold else set())
    for section in changes:
        if section not in allowed:
            raise ConfigError(f"overrides.{scope}.{section} - {nearest(section, allowed)}")
    folds = [str(n) for n in range(1, config.section("folds", dataset).count + 1)]
    if of_fold and fold not in folds:
        raise ConfigError(f"overrides.{scope}: no fold {fold!r} - folds: {', '.join(folds)}")
    for name in changes.get("systems", {}):
        lookup(METHODS, name, f"overrides.{scope}.systems")
    for name in changes.get("encoders", {}):
        lookup(ENCODERS, name, f"overrides.{scope}.encoders")
        _refuse_name(changes["encoders"][name], f"overrides.{scope}.encoders.{name}")
    for section in set(changes) - {"systems", "encoders"}:
        found = config.section(section, dataset, int(fold) if fold else None)
        if section == "encoder":
            lookup(ENCODERS, found.name, f"overrides.{scope}.encoder.name")


def _check_frames(config: Experiment, name: str, encoder: CommonEncoderSpec) -> None:
    if not isinstance(encoder, EncoderSpec):  # it sees images
        return
    window = config.datasets[name].window
    length_s = window.length_s
    if encoder.frame_s > length_s:
        raise ConfigError(
            f"encoder.frame_s {encoder.frame_s} is longer than a window of {name} "
            f"({length_s} s) - set overrides.{name}.encoder.frame_s"
        )
    if encoder.frames(window.samples, window.rate_hz) < 2:
        raise ConfigError(
            f"a window of {name} holds one frame, of which none can be masked - "
            f"shorten overrides.{name}.encoder.frame_s or step_s"
        )
    joined_length(encoder.in_samples(window.rate_hz)[0])
