"""The whole configuration, and the slice of it that each step depends on.

A slice is canonical JSON and becomes a rule's parameter: what is not in a job's slice cannot rerun
it.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator

from physiome.config import checks
from physiome.config.base import Spec, deep_merge
from physiome.config.data import Dataset, Name
from physiome.config.evaluation import ProbeSpec
from physiome.config.folds import FoldSpec
from physiome.config.model import EncoderSpec, PhysioMESpec
from physiome.config.monitor import MonitorSpec
from physiome.config.output import Tables, Threads
from physiome.config.resolve import (
    Resolved,
    encoder_entry,
    resolve,
    resolve_encoder,
    resolve_pretrain,
    section,
)
from physiome.config.strict_yaml import read_yaml
from physiome.config.training import TrainSpec
from physiome.config.variants import Ablation, EncoderVariant, Variant, flattened
from physiome.errors import ConfigError
from physiome.files import canonical_json
from physiome.registry import Entry, lineage
from physiome.subsets import subset_name

# What may be overridden for a data set or a fold
SECTIONS = ("folds", "encoder", "pretrain", "physiome", "systems", "train", "probe")
# of a source
TRANSFER = {
    "urls", "connect_timeout_s", "timeout_s", "attempts", "connections", "heartbeat_s",
    "accept_terms",
}  # fmt: skip


class Config(Spec):
    """The root of `config.yaml`."""

    results: str = "results"
    seed: NonNegativeInt = 0  # added to the seeds of pretrain and train
    data_folder: str | None = None  # where relative folders of `recordings` begin; null: here
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Threads = Threads()
    datasets: dict[Name, Dataset]
    # What a plain `snakemake` makes; null: all
    use_datasets: tuple[Name, ...] | None = None
    use_tables: tuple[Name, ...] | None = None
    folds: FoldSpec = FoldSpec()
    encoder: EncoderSpec
    pretrain: TrainSpec
    physiome: PhysioMESpec = PhysioMESpec()
    train: TrainSpec
    monitor: MonitorSpec | None = MonitorSpec()
    systems: dict[str, dict[str, Any]] = Field(default_factory=dict)  # by method
    methods: tuple[str, ...]  # columns of the data sets' tables: methods or variants
    variants: dict[Name, Variant] = Field(default_factory=dict)
    encoders: dict[Name, EncoderVariant] = Field(default_factory=dict)  # for variants to name
    ablations: dict[Name, Ablation] = Field(default_factory=dict)  # by table
    embed_batch: PositiveInt = 256
    probe: ProbeSpec = ProbeSpec()
    tables: Tables = Tables()
    overrides: dict[str, dict[str, dict[str, Any]]] = Field(default_factory=dict)

    @field_validator("variants")
    @classmethod
    def _of_methods(cls, variants: dict[str, Variant]) -> dict[str, Variant]:
        return flattened(variants)

    @classmethod
    def load(cls, plain: Mapping[str, Any]) -> "Config":
        """Validate everything that can be known before any work.

        Raises:
            ConfigError: naming the key's path, its value, what is allowed, the nearest known key.
        """
        config = cls.parse(dict(plain))
        checks.check(config, SECTIONS)
        return config

    def check_folders(self) -> None:
        """Refuse a run whose own folders of recordings are not there."""
        checks.check_folders(self)

    @property
    def used(self) -> list[str]:
        """Data sets of a plain run, in the order of the configuration."""
        return [d for d in self.datasets if self.use_datasets is None or d in self.use_datasets]

    def numbers(self, dataset: str) -> list[int]:
        """The folds that are run for a data set."""
        return self.section("folds", dataset).numbers

    def section(self, name: str, dataset: str, fold: int | None = None) -> Any:
        """One section with the overrides of the data set and the fold applied."""
        return section(self, name, dataset, fold)

    def resolve(self, name: str, dataset: str, fold: int | None = None) -> Resolved:
        """What a method or variant is, for a fold of a data set.

        Raises:
            ConfigError: for settings that its specification refuses.
        """
        return resolve(self, name, dataset, fold)

    def encoder_entry(self, name: str) -> Entry:
        """The registered modality encoder that a name, perhaps of a variant, stands for."""
        return encoder_entry(self, name)

    @property
    def all_methods(self) -> list[str]:
        """All methods and variants that some table shows, and those trained before them."""
        shown = [name for dataset in self.datasets for name in self.methods_of(dataset)]
        shown += [name for a in self.ablations.values() for name in a.rows]
        bases = (v.of if (v := self.variants.get(name)) else name for name in shown)
        return [*dict.fromkeys(shown + [name for base in bases for name in lineage(base)[1:]])]

    def methods_of(self, dataset: str) -> tuple[str, ...]:
        """Columns of a data set's own table: methods or variants."""
        own = self.datasets[dataset].methods
        return self.methods if own is None else own

    def table_name(self, dataset: str) -> str:
        """`table1` for the data set of the paper's Table 1; otherwise the data set's own name."""
        number = self.datasets[dataset].paper_table
        return f"table{number}" if number else dataset

    @property
    def tables_of(self) -> dict[str, str]:
        """Table -> data set, of all tables of the used data sets."""
        found = {self.table_name(name): name for name in self.used}
        return found | {t: a.dataset for t, a in self.ablations.items() if a.dataset in self.used}

    @property
    def made_tables(self) -> list[str]:
        """Tables of a plain run."""
        return [t for t in self.tables_of if self.use_tables is None or t in self.use_tables]

    def rows_of(self, table: str) -> dict[str, str]:
        """Method or variant -> title, of a table."""
        if table in self.ablations:
            return self.ablations[table].rows
        dataset = self.tables_of[table]
        found = {m: self.resolve(m, dataset) for m in self.methods_of(dataset)}
        return {m: r.title for m, r in found.items() if self._applies(r, dataset)}

    def _applies(self, found: Resolved, dataset: str) -> bool:
        """A method of one modality is no row where a data set does not have it."""
        return found.settings.get("modality") in (None, *self.datasets[dataset].modalities)

    def folds_of(self, table: str) -> list[int]:
        """The folds a table is made of."""
        numbers = self.numbers(self.tables_of[table])
        return numbers[: self.ablations[table].folds] if table in self.ablations else numbers

    def subsets_of(self, method: str, dataset: str) -> list[str] | None:
        """The subsets that some table shows of a method; None: all."""
        if method in self.methods_of(dataset):
            return None
        tables = [a for a in self.ablations.values() if a.dataset == dataset and method in a.rows]
        return sorted({subset for a in tables for subset in a.subsets}) or None

    # Slices, one per step

    def records_settings(self, dataset: str) -> str:
        """For `records` and `fetch`: the source, but not how it is transferred."""
        spec = self.datasets[dataset]
        channels = {m: modality.channel for m, modality in spec.modalities.items()}
        source, _ = _without_transfer(spec.source.plain())
        folder = self.raw_folder(dataset)
        return canonical_json(
            {"dataset": dataset, "source": source, "modalities": channels, "folder": folder}
        )

    def transfer_settings(self, dataset: str) -> str:
        """What else `records` and `fetch` need: a mirror or a timeout changes no recording."""
        return canonical_json(
            {"source": _without_transfer(self.datasets[dataset].source.plain())[1]}
        )

    def shard_settings(self, dataset: str) -> str:
        """For `shard`."""
        return canonical_json(self.datasets[dataset].shard_settings())

    def folds_settings(self, dataset: str) -> str:
        """For `folds`."""
        spec, folds = self.datasets[dataset], self.section("folds", dataset).plain()
        folds.pop("use")  # how many folds are run does not change what they are
        facts = {"classes": spec.classes, "max_left_out": spec.max_left_out}
        return canonical_json({"folds": folds, **facts})

    def pretrain_settings(self, dataset: str, fold: int, encoder: str) -> str:
        """For `pretrain`: architecture and training of the modality encoders."""
        return canonical_json(
            {
                **self._shape(dataset),
                "encoder": self._encoder(dataset, fold, encoder),
                "pretrain": resolve_pretrain(self, encoder, dataset, fold).plain(),
            }
        )

    def train_settings(self, dataset: str, fold: int, method: str) -> str:
        """For `train`."""
        found = self.resolve(method, dataset, fold)
        return canonical_json({**self._method(found, dataset, fold), "train": found.train.plain()})

    def monitor_settings(self) -> str:
        """What else `pretrain` and `train` get: being watched changes no weight."""
        return canonical_json(self.monitor.plain() if self.monitor else None)

    def embed_settings(self, dataset: str, fold: int, method: str) -> str:
        """For `embed`."""
        own = self._method(self.resolve(method, dataset, fold), dataset, fold)
        shown = {"subsets": self.subsets_of(method, dataset), "batch": self.embed_batch}
        return canonical_json({**own, **shown, "classes": self.datasets[dataset].classes})

    def probe_settings(self, dataset: str, fold: int) -> str:
        """For `probe`."""
        return canonical_json(self.section("probe", dataset, fold).plain())

    def table_settings(self, table: str) -> str:
        """For `table`."""
        ablation, dataset = self.ablations.get(table), self.tables_of[table]
        paper = {"paper_table": self.datasets[dataset].paper_table}
        if ablation is not None:
            subsets = [subset_name(s) for s in ablation.parsed(self.datasets[dataset].modalities)]
            paper = {"paper_table": ablation.paper_table, "subsets": subsets}
            paper |= {"title": ablation.title, "layout": "variants"}
        look = self.tables.plain()
        look.pop("intervals")
        return json.dumps({**self.shown(table), **paper, **look})

    def interval_settings(self, table: str) -> str:
        """For `intervals`: every method against PhysioME, or against the last row."""
        shown = self.shown(table)
        rows = list(shown["methods"])
        reference = "physiome" if "physiome" in rows else rows[-1]
        facts = {"dataset": shown["dataset"], "modalities": list(shown["modalities"])}
        facts |= {"methods": rows, "reference": reference, "head": self.tables.head}
        return json.dumps({**facts, **self.tables.intervals.plain()})

    def cost_settings(self, table: str, ancestors: Mapping[str, Sequence[str]]) -> str:
        """For `costs`; `ancestors`: manifests of all models trained before each method's own."""
        rows = {"dataset": self.tables_of[table], "methods": self.rows_of(table)}
        return json.dumps({**rows, "ancestors": {m: list(paths) for m, paths in ancestors.items()}})

    def figure_settings(self, dataset: str) -> str:
        """For `figures`."""
        shown = self.shown(self.table_name(dataset))
        return json.dumps({**shown, "head": self.tables.head})

    def shown(self, table: str) -> dict[str, Any]:
        """What tables and figures show. Not sorted: the order of columns and rows is meant."""
        dataset = self.tables_of[table]
        spec, rows = self.datasets[dataset], self.rows_of(table)
        titles = {m: modality.title or m for m, modality in spec.modalities.items()}
        methods = {
            m: {"title": title, "scope": self.resolve(m, dataset).entry.scope}
            for m, title in rows.items()
        }
        return {"dataset": dataset, "title": spec.title, "modalities": titles, "methods": methods}

    def _shape(self, dataset: str) -> dict[str, Any]:
        spec = self.datasets[dataset]
        shape = {"modalities": list(spec.modalities), "window": spec.window.plain()}
        return {"dataset": dataset, **shape}

    def _encoder(self, dataset: str, fold: int, name: str) -> dict[str, Any]:
        spec = resolve_encoder(self, name, dataset, fold).plain()
        if encoder_entry(self, name).section != "backbone":
            spec.pop("backbone")  # what an encoder does not read cannot rerun it
        return spec

    def _method(self, found: Resolved, dataset: str, fold: int) -> dict[str, Any]:
        own = {"name": found.name, "base": found.base, "method": found.settings}
        if found.encoder is not None:
            own["encoder"] = self._encoder(dataset, fold, found.encoder)
        if found.untrained:
            own["untrained"] = True
        if found.entry.labels:
            own["classes"] = list(self.datasets[dataset].classes)
        return {**self._shape(dataset), **own}

    def raw_folder(self, dataset: str) -> str:
        """Where a data set's raw files lie."""
        source = self.datasets[dataset].source.plain()
        if "raw" in source:
            return source["raw"]["folder"] or f"{self.results}/raw/{dataset}"
        if self.data_folder is None:
            return source["folder"]
        return str(Path(self.data_folder, source["folder"]))


def load_files(paths: Sequence[Path]) -> Config:
    """The configuration in YAML files, merged from left to right as Snakemake does.

    Raises:
        ConfigError: as `read_yaml` and `Config.load` do; if only changes to a configuration are
            given.
    """
    plain: dict[str, Any] = {}
    for path in paths:
        plain = deep_merge(plain, read_yaml(path))
    required = {key for key, field in Config.model_fields.items() if field.is_required()}
    absent = sorted(required - plain.keys())
    # Changes to a data set say less than a whole one does.
    absent += [f"datasets.{name}.{key}" for name, key in _absent_of_datasets(plain)][:3]
    if absent:
        raise ConfigError(
            f"no {', '.join(absent)}", where=" ".join(map(str, paths)) or "config",
            why="not a whole configuration", do="name config.yaml before changes to it",
        )  # fmt: skip
    return Config.load(plain)


def _absent_of_datasets(plain: Mapping[str, Any]) -> list[tuple[str, str]]:
    found, datasets = [], plain.get("datasets")
    needed = [key for key, field in Dataset.model_fields.items() if field.is_required()]
    for name, part in datasets.items() if isinstance(datasets, Mapping) else ():
        if isinstance(part, Mapping):
            found += [(str(name), key) for key in needed if key not in part]
    return found


def _without_transfer(source: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A source without the keys that say how files are transferred, and those keys alone."""
    kept = {k: v for k, v in source.items() if k not in TRANSFER}
    moved = {k: v for k, v in source.items() if k in TRANSFER}
    if "raw" in source:
        kept["raw"], moved["raw"] = _without_transfer(source["raw"])
    return kept, moved
