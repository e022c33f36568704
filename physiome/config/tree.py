"""The whole configuration, and the slice of it that each step depends on.

A slice is canonical JSON and becomes a rule's parameter: what is not in a job's slice cannot rerun
it.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, PositiveInt

from physiome.config.base import Spec, deep_merge
from physiome.config.data import Dataset, Name
from physiome.config.evaluation import ProbeSpec
from physiome.config.folds import FoldSpec
from physiome.config.model import EncoderSpec, PhysioMESpec
from physiome.config.training import TrainSpec
from physiome.errors import ConfigError, nearest
from physiome.files import canonical_json
from physiome.registry import ENCODERS, METHODS, lookup

SECTIONS = ("folds", "encoder", "pretrain", "physiome", "train", "probe")  # may be overridden
TRANSFER = {"urls", "timeout_s", "attempts", "connections", "accept_terms"}  # of a source


class Threads(Spec):
    """CPU threads of one job; they change no result."""

    shard: PositiveInt = 4
    train: PositiveInt = 4
    probe: PositiveInt = 4


class Tables(Spec):
    """How tables look."""

    head: Literal["logistic", "paper", "one_head"] = "logistic"
    decimals: int = 2


class Config(Spec):
    """The root of `config.yaml`."""

    results: str = "results"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Threads = Threads()
    datasets: dict[Name, Dataset]
    use_datasets: tuple[Name, ...] | None = None  # what a plain `snakemake` runs; null: all
    folds: FoldSpec = FoldSpec()
    encoder: EncoderSpec
    pretrain: TrainSpec
    physiome: PhysioMESpec = PhysioMESpec()
    train: TrainSpec
    methods: tuple[str, ...]
    embed_batch: PositiveInt = 256
    probe: ProbeSpec = ProbeSpec()
    tables: Tables = Tables()
    overrides: dict[str, dict[str, dict[str, Any]]] = Field(default_factory=dict)

    @classmethod
    def load(cls, plain: Mapping[str, Any]) -> "Config":
        """Validate everything that can be known before any work.

        Raises:
            ConfigError: naming the key's path, its value, what is allowed, the nearest known key.
        """
        config = cls.parse(dict(plain))
        lookup(ENCODERS, config.encoder.name, "encoder.name")
        for method in config.methods:
            lookup(METHODS, method, "methods")
        for name in config.use_datasets or ():
            if name not in config.datasets:
                raise ConfigError(f"use_datasets: {name!r} - {nearest(name, config.datasets)}")
        config._check_tables()
        for scope, sections in config.overrides.items():
            config._check_scope(scope, sections)
        for name, dataset in config.datasets.items():
            for fold in (None, *config.numbers(name)):
                config._check_frames(name, dataset, fold)
        return config

    @property
    def used(self) -> list[str]:
        """Data sets of a plain run, in the order of the configuration."""
        return [d for d in self.datasets if self.use_datasets is None or d in self.use_datasets]

    def numbers(self, dataset: str) -> list[int]:
        """The folds that are run for a data set."""
        return self.section("folds", dataset).numbers

    def section(self, name: str, dataset: str, fold: int | None = None) -> Any:
        """One section with the overrides of the data set and the fold applied."""
        return _section(self, name, dataset, fold)

    def table_name(self, dataset: str) -> str:
        """`table1` for the data set of the paper's Table 1; otherwise the data set's own name."""
        number = self.datasets[dataset].paper_table
        return f"table{number}" if number else dataset

    def dataset_of_table(self, table: str) -> str:
        """The data set whose table is called `table`."""
        return {self.table_name(name): name for name in self.datasets}[table]

    # Slices, one per step

    def records_settings(self, dataset: str) -> str:
        """For `records` and `fetch`: the source, but not how it is transferred."""
        spec = self.datasets[dataset]
        channels = {m: modality.channel for m, modality in spec.modalities.items()}
        source, _ = _without_transfer(spec.source.plain())
        folder = _raw_folder(self.results, dataset, spec.source.plain())
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

    def pretrain_settings(self, dataset: str, fold: int) -> str:
        """For `pretrain`: architecture and training of the modality encoders."""
        trained = self.section("pretrain", dataset, fold).plain()
        return canonical_json({**self._model(dataset, fold), "pretrain": trained})

    def train_settings(self, dataset: str, fold: int, method: str) -> str:
        """For `train`."""
        own = self._method(dataset, fold, method)
        trained = self.section("train", dataset, fold).plain()
        return canonical_json({**self._model(dataset, fold), **own, "train": trained})

    def embed_settings(self, dataset: str, fold: int, method: str) -> str:
        """For `embed`."""
        own = self._method(dataset, fold, method)
        facts = {"classes": self.datasets[dataset].classes, "batch": self.embed_batch}
        return canonical_json({**self._model(dataset, fold), **own, **facts})

    def probe_settings(self, dataset: str, fold: int) -> str:
        """For `probe`."""
        return canonical_json(self.section("probe", dataset, fold).plain())

    def table_settings(self, dataset: str) -> str:
        """For `table`."""
        paper = {"paper_table": self.datasets[dataset].paper_table}
        return json.dumps({**self._shown(dataset), **paper, **self.tables.plain()})

    def figure_settings(self, dataset: str) -> str:
        """For `figures`."""
        return json.dumps({**self._shown(dataset), "head": self.tables.head})

    def _shown(self, dataset: str) -> dict[str, Any]:
        """What tables and figures show. Not sorted: the order of columns and rows is meant."""
        spec = self.datasets[dataset]
        titles = {m: modality.title or m for m, modality in spec.modalities.items()}
        methods = {m: {"title": METHODS[m].title, "scope": METHODS[m].scope} for m in self.methods}
        facts = {"dataset": dataset, "title": spec.title}
        return {**facts, "modalities": titles, "methods": methods}

    def _model(self, dataset: str, fold: int) -> dict[str, Any]:
        spec = self.datasets[dataset]
        shape = {"modalities": list(spec.modalities), "window": spec.window.plain()}
        return {
            "dataset": dataset,
            **shape,
            "encoder": self.section("encoder", dataset, fold).plain(),
        }

    def _method(self, dataset: str, fold: int, method: str) -> dict[str, Any]:
        own = self.section(method, dataset, fold).plain() if method in SECTIONS else {}
        return {"name": method, "method": own}

    # Checks across sections, and of what must be on disk already

    def check_folders(self) -> None:
        """Refuse a run whose own folders of recordings are not there.

        Raises:
            ConfigError: naming the key and the folder.
        """
        for name in self.used:
            source = self.datasets[name].source.plain()
            if "raw" in source and source["raw"]["fill"] != "folder":
                continue
            folder = _raw_folder(self.results, name, source)
            if not Path(folder).is_dir():
                raise ConfigError(
                    f"datasets.{name}.source: folder {folder!r} is not there - "
                    "give the path of your recordings"
                )

    def _check_tables(self) -> None:
        owner: dict[str, str] = {}
        for name in self.datasets:
            table = self.table_name(name)
            if table in owner:
                raise ConfigError(
                    f"data sets {owner[table]!r} and {name!r} would both be {table}",
                    do="give one of them another paper_table, or null",
                )
            owner[table] = name

    def _check_scope(self, scope: str, sections: Mapping[str, Any]) -> None:
        dataset, _, fold = scope.partition("/")
        if dataset not in self.datasets:
            known = nearest(dataset, self.datasets)
            raise ConfigError(f"overrides.{scope}: unknown data set {dataset!r} - {known}")
        allowed = set(SECTIONS) - ({"folds"} if fold else set())
        for section in sections:
            if section not in allowed:
                raise ConfigError(f"overrides.{scope}.{section} - {nearest(section, allowed)}")
        folds = [str(n) for n in range(1, self.section("folds", dataset).count + 1)]
        if fold and fold not in folds:
            raise ConfigError(f"overrides.{scope}: no fold {fold!r} - folds: {', '.join(folds)}")
        for section in sections:
            self.section(section, dataset, int(fold) if fold else None)

    def _check_frames(self, name: str, dataset: Dataset, fold: int | None) -> None:
        encoder = self.section("encoder", name, fold)
        if encoder.frame_s > dataset.window.length_s:
            raise ConfigError(
                f"encoder.frame_s {encoder.frame_s} is longer than a window of {name} "
                f"({dataset.window.length_s} s) - set overrides.{name}.encoder.frame_s"
            )
        if encoder.frames(dataset.window.length_s) < 2:
            raise ConfigError(
                f"a window of {name} holds one frame, of which none can be masked - "
                f"shorten overrides.{name}.encoder.frame_s or step_s"
            )


@cache
def _section_cached(text: str, where: str, kind: type[Spec]) -> Spec:
    return kind.parse_text(text, where)


def _section(config: Config, name: str, dataset: str, fold: int | None) -> Any:
    base = getattr(config, name)
    merged, where = base.plain(), name
    for scope in (dataset, f"{dataset}/{fold}"):
        part = config.overrides.get(scope, {}).get(name)
        if part is not None:
            merged, where = deep_merge(merged, part), f"overrides.{scope}.{name}"
    return _section_cached(canonical_json(merged), where, type(base))


def load_files(paths: Sequence[Path]) -> Config:
    """The configuration in YAML files, merged from left to right as Snakemake does.

    Raises:
        ConfigError: if a file is missing or is not YAML, or as `Config.load` does.
    """
    plain: dict[str, Any] = {}
    for path in paths:
        try:
            part = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ConfigError("cannot read", where=path, why=" ".join(str(error).split())) from None
        if not isinstance(part, dict):
            raise ConfigError("not a configuration", where=path, why="no `key: value` at its top")
        plain = deep_merge(plain, part)
    return Config.load(plain)


def _raw_folder(results: str, dataset: str, source: Mapping[str, Any]) -> str:
    """Where a data set's raw files lie."""
    if "raw" in source:
        return source["raw"]["folder"] or f"{results}/raw/{dataset}"
    return source["folder"]


def _without_transfer(source: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A source without the keys that say how files are transferred, and those keys alone."""
    kept = {k: v for k, v in source.items() if k not in TRANSFER}
    moved = {k: v for k, v in source.items() if k in TRANSFER}
    if "raw" in source:
        kept["raw"], moved["raw"] = _without_transfer(source["raw"])
    return kept, moved
