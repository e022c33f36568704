"""The whole configuration, and the slice of it that each step depends on.

A slice is canonical JSON and becomes a rule's parameter: what is not in a job's slice cannot rerun
it.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from physiome.config import checks
from physiome.config.base import deep_merge
from physiome.config.data import Dataset
from physiome.config.experiment import Experiment
from physiome.config.folds import FoldsSettings
from physiome.config.jobs import EmbedSettings, PretrainSettings, TrainSettings
from physiome.config.modality import carriers
from physiome.config.report import (
    CostSpec,
    FigureSpec,
    IntervalSpec,
    TableSpec,
    main_method,
)
from physiome.config.resolve import Resolved, resolve_encoder, resolve_pretrain
from physiome.config.sources import SourceSettings
from physiome.config.strict_yaml import read_yaml
from physiome.errors import ConfigError, nearest
from physiome.files import canonical_json
from physiome.subsets import subset_name

# Sections by names: `table3: null` in a later file takes out what an earlier one gave
BY_NAME = ("datasets", "variants", "encoder_variants", "ablations", "overrides")
# Section -> what is by names within each of its own
WITHIN = {"datasets": ("modalities",), "systems": checks.BY_MODALITY}


class Config(Experiment):
    """The root of `config.yaml`, checked."""

    @classmethod
    def load(cls, plain: Mapping[str, Any]) -> "Config":
        """Validate everything that can be known before any work.

        Raises:
            ConfigError: naming the key's path, its value, what is allowed, the nearest known key.
        """
        config = cls.parse(_without_removed(plain))
        checks.check(config)
        return config

    def check_folders(self) -> None:
        """Refuse a run whose own folders of recordings are not there."""
        checks.check_folders(self)

    # Slices, one per step

    def records_settings(self, dataset: str) -> str:
        """For `records` and `fetch`: the source, but not how it is transferred."""
        spec = self.datasets[dataset]
        settings = SourceSettings(
            dataset=dataset,
            source=spec.source,
            folder=self.raw_folder(dataset),
            modalities={key: lead.channel for key, lead in carriers(spec.modalities).items()},
        )
        return canonical_json(settings.model_dump(mode="json", exclude={"source": {"transfer"}}))

    def transfer_settings(self, dataset: str) -> str:
        """What else `records` and `fetch` need: a mirror or a timeout changes no recording."""
        source = self.datasets[dataset].source.model_dump(mode="json", include={"transfer"})
        return canonical_json({"source": source})

    def shard_settings(self, dataset: str) -> str:
        """For `shard`."""
        return canonical_json(self.datasets[dataset].shard_settings())

    def folds_settings(self, dataset: str) -> str:
        """For `folds`."""
        spec, folds = self.datasets[dataset], self.section("folds", dataset)
        settings = FoldsSettings(folds=folds, classes=spec.classes, max_left_out=spec.max_left_out)
        # how many folds are run does not change what they are
        return canonical_json(settings.model_dump(mode="json", exclude={"folds": {"use"}}))

    def pretrain_settings(self, dataset: str, fold: int, encoder: str) -> str:
        """For `pretrain`: architecture and training of the modality encoders."""
        return PretrainSettings(
            **self._shape(dataset),
            encoder=resolve_encoder(self, encoder, dataset, fold).plain(),
            pretrain=resolve_pretrain(self, encoder, dataset, fold),
        ).text()

    def train_settings(self, dataset: str, fold: int, method: str) -> str:
        """For `train`."""
        found = self.resolve(method, dataset, fold)
        own = self._method(found, dataset, fold)
        if found.entry.labels:
            own["classes"] = self.datasets[dataset].classes
        if found.takes:
            own["takes"] = True
        return TrainSettings(**own, train=found.train).text()

    def published(self, dataset: str, fold: int, method: str) -> list[str]:
        """Files of published weights that a training begins with."""
        return list((self.resolve(method, dataset, fold).settings.get("published") or {}).values())

    def gpu_settings(self) -> str:
        """What else all jobs get that may compute on a GPU."""
        return canonical_json(self.gpu.plain())

    def monitor_settings(self) -> str:
        """What else `pretrain` and `train` get: being watched changes no weight."""
        return canonical_json(self.monitor.plain() if self.monitor else None)

    def embed_settings(self, dataset: str, fold: int, method: str) -> str:
        """For `embed`."""
        own = self._method(self.resolve(method, dataset, fold), dataset, fold)
        subsets, scored = self.subsets_of(method, dataset), self.datasets[dataset].scored
        if scored is not None:
            own["scored"] = scored
        if self.embed_precision != "fp32":  # a slice that says nothing of it stays what it was
            own["precision"] = self.embed_precision
        return EmbedSettings(
            **own,
            classes=self.datasets[dataset].classes,
            subsets=None if subsets is None else tuple(subsets),
        ).text()

    def probe_settings(self, dataset: str, fold: int) -> str:
        """For `probe`."""
        return canonical_json(self.section("probe", dataset, fold).plain())

    def few_labels_settings(self, dataset: str, fold: int) -> str:
        """For `few_labels`: the main head, and how subjects are drawn."""
        probe = self.section("probe", dataset, fold)
        others = {"centred": None, "context_s": None, "paper_head": None, "one_head": False}
        plain = {"probe": probe.model_copy(update=others).plain()}
        return canonical_json(plain | self.tables.few_labels.plain())

    def table_settings(self, table: str) -> str:
        """For `table`."""
        ablation, dataset = self.ablations.get(table), self.datasets[self.tables_of[table]]
        own: dict[str, Any] = {**self.shown(table), "paper_table": dataset.paper_table}
        if ablation is not None:
            subsets = tuple(subset_name(s) for s in ablation.parsed(dataset.modalities))
            own |= {"paper_table": ablation.paper_table, "subsets": subsets}
            own |= {"title": ablation.title, "layout": "variants"}
        if dataset.made_up:
            own["paper_table"] = None
        look = self.tables
        own |= {"more_if_unbalanced": True} if look.metrics is None else {"metrics": look.metrics}
        return TableSpec(**own, head=look.head, decimals=look.decimals).text()

    def interval_settings(self, table: str) -> str:
        """For `intervals`: every method against PhysioME, or against the last row."""
        shown = self.shown(table)
        rows = tuple(shown["methods"])
        own = {"scored": shown["scored"]} if "scored" in shown else {}
        return IntervalSpec(
            dataset=shown["dataset"],
            modalities=tuple(shown["modalities"]),
            methods=rows,
            reference="physiome" if "physiome" in rows else rows[-1],
            head=self.tables.head,
            resamples=self.tables.intervals.resamples,
            seed=self.tables.intervals.seed,
            **own,
        ).text()

    def cost_settings(
        self, table: str, folder: str, ancestors: Mapping[str, Mapping[str, Sequence[int]]]
    ) -> str:
        """For `costs`; `ancestors`: folds of each model trained before each method's own.

        One text is a single argument of a command, of which a system takes 131,072 bytes.
        """
        before = {m: {k: tuple(v) for k, v in found.items()} for m, found in ancestors.items()}
        rows, dataset = self.rows_of(table), self.tables_of[table]
        return CostSpec(dataset=dataset, methods=rows, folder=folder, ancestors=before).text()

    def figure_settings(self, dataset: str) -> str:
        """For `figures`, `comparison` and `diagnostics`."""
        return self._figures(dataset).text()

    def main_method(self, dataset: str) -> str:
        """The row that a data set's figures are about."""
        return main_method(self._figures(dataset).methods)

    def _figures(self, dataset: str) -> FigureSpec:
        drawn = self.tables.intervals.plain()
        return FigureSpec(**self.shown(self.table_name(dataset)), head=self.tables.head, **drawn)

    def _shape(self, dataset: str) -> dict[str, Any]:
        spec = self.datasets[dataset]
        shape = {"dataset": dataset, "modalities": tuple(spec.modalities), "window": spec.window}
        leads = self.leads_of(dataset)
        return shape | ({"leads": leads} if leads else {})

    def leads_of(self, dataset: str) -> dict[str, int]:
        """Number of leads of each modality that has several."""
        modalities = self.datasets[dataset].modalities
        return {m: len(spec.lead_names) for m, spec in modalities.items() if spec.lead_names}

    def _method(self, found: Resolved, dataset: str, fold: int) -> dict[str, Any]:
        """Of `MethodSettings`."""
        own = {"name": found.name, "base": found.base, "method": found.settings}
        if found.encoder is not None:
            own["encoder"] = resolve_encoder(self, found.encoder, dataset, fold).plain()
        if found.untrained:
            own["untrained"] = True
        scored = self.datasets[dataset].scored
        if found.entry.scope == "dedicated" and scored is not None:
            own["scored"] = scored  # it holds a model of each
        return {**self._shape(dataset), **own}


def load_files(paths: Sequence[Path]) -> Config:
    """The configuration in YAML files, merged from left to right as Snakemake does.

    Raises:
        ConfigError: as `read_yaml`, `check_removed` and `Config.load` do; if only changes to a
            configuration are given.
    """
    given = {path: read_yaml(path) for path in paths}
    plain: dict[str, Any] = {}
    for path in paths:
        plain = deep_merge(plain, given[path])
    required = {key for key, field in Config.model_fields.items() if field.is_required()}
    absent = sorted(required - plain.keys())
    # Changes to a data set say less than a whole one does.
    parts = [f"datasets.{name}.{key}" for name, key in _absent_of_datasets(plain)][:3]
    if absent or parts:
        own = parts and not absent and len(paths) > 1  # something stands before the changes
        raise ConfigError(
            f"no {', '.join([*absent, *parts])}",
            where=" ".join(map(str, paths)) or "config",
            why="" if own else "not a whole configuration",
            do="write it, as workflow/overlays/own-recordings.yaml does, or correct the set's name"
            if own
            else "name config.yaml before changes to it",
        )
    check_removed(given)
    return Config.load(plain)


def _absent_of_datasets(plain: Mapping[str, Any]) -> list[tuple[str, str]]:
    found, datasets = [], plain.get("datasets")
    needed = [key for key, field in Dataset.model_fields.items() if field.is_required()]
    for name, part in datasets.items() if isinstance(datasets, Mapping) else ():
        if isinstance(part, Mapping):
            found += [(str(name), key) for key in needed if key not in part]
    return found


def _removed(plain: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Where a name's section is null: of data sets, modalities and the like."""
    sections = [(key,) for key in BY_NAME]
    for key, within in WITHIN.items():
        parts = plain.get(key)
        for name in parts if isinstance(parts, Mapping) else ():
            sections += [(key, name, inner) for inner in within]
    for path in sections:
        section = _at(plain, path)
        if isinstance(section, Mapping):
            yield from ((*path, name) for name, part in section.items() if part is None)


def _at(plain: Any, path: tuple[str, ...]) -> Any:
    """What stands there; None if nothing does."""
    for key in path:
        plain = plain.get(key) if isinstance(plain, Mapping) else None
    return plain


def _without_removed(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Without names whose section is null."""
    left = copy.deepcopy(dict(plain))
    for *path, name in _removed(plain):
        _at(left, tuple(path)).pop(name, None)
    return left


def check_removed(given: Mapping[Path, Mapping[str, Any]]) -> None:
    """Refuse a file that takes out what no other gives: a slip of the pen would pass unseen.

    Args:
        given: configuration files and what they hold.
    """
    for path, plain in given.items():
        for *section, name in _removed(plain):
            others = [_at(other, tuple(section)) for at, other in given.items() if at != path]
            known = {str(key) for other in others if isinstance(other, Mapping) for key in other}
            if str(name) not in known:  # which may be a number
                raise ConfigError(
                    f"{'.'.join(map(str, (*section, name)))}: null takes out nothing",
                    where=path,
                    why="no other file has this name",
                    do=nearest(str(name), known),
                )
