"""The sections of `config.yaml`: what may be written there, and what can be told from it alone."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, field_validator

from physiome.config.base import Folder, Spec
from physiome.config.cluster import Cluster
from physiome.config.data import Dataset
from physiome.config.evaluation import ProbeSpec
from physiome.config.folds import FoldSpec
from physiome.config.gpu import GpuSpec
from physiome.config.modality import Name
from physiome.config.model import EncoderSpec
from physiome.config.monitor import MonitorSpec
from physiome.config.output import Tables, Threads
from physiome.config.training import TrainSpec
from physiome.config.variants import Ablation, EncoderVariant, Variant, flattened
from physiome.registry import lineage

Names = Annotated[tuple[Name, ...], Field(min_length=1)]

# What may be overridden for a data set or a fold
SECTIONS = ("folds", "encoder", "encoders", "pretrain", "systems", "train", "probe")


class Sections(Spec):
    """The root of `config.yaml`."""

    results: str = "results"
    seed: NonNegativeInt = 0  # added to the seeds of pretrain and train
    data_folder: Folder | None = None  # where relative folders of `recordings` begin; null: here
    device: Literal["auto", "cpu", "cuda"] = "auto"
    gpu: GpuSpec = GpuSpec()
    save_every_s: NonNegativeFloat = 300.0  # a training's progress
    threads: Threads = Threads()
    cluster: Cluster = Cluster()
    datasets: dict[Name, Dataset]
    # What a plain `snakemake` makes; null: all
    use_datasets: Names | None = None
    use_tables: Names | None = None
    folds: FoldSpec = FoldSpec()
    encoder: EncoderSpec  # of every encoder that has such a key
    encoders: dict[str, dict[str, Any]] = Field(default_factory=dict)  # of one, by its name
    pretrain: TrainSpec
    train: TrainSpec
    monitor: MonitorSpec | None = MonitorSpec()
    systems: dict[str, dict[str, Any]] = Field(default_factory=dict)  # by method
    methods: tuple[str, ...]  # columns of the data sets' tables: methods or variants
    methods_add: tuple[str, ...] = ()  # further ones of every data set's table
    variants: dict[Name, Variant] = Field(default_factory=dict)
    # For variants to name
    encoder_variants: dict[Name, EncoderVariant] = Field(default_factory=dict)
    ablations: dict[Name, Ablation] = Field(default_factory=dict)  # by table
    embed_batch: PositiveInt = 256
    embed_precision: Literal["fp32", "auto", "bf16"] = "fp32"  # auto: bf16 on a GPU
    probe: ProbeSpec = ProbeSpec()
    tables: Tables = Tables()
    overrides: dict[str, dict[str, dict[str, Any]]] = Field(default_factory=dict)

    @field_validator("results")
    @classmethod
    def _one_spelling(cls, results: str) -> str:
        """Snakemake knows what it made by the text of its path: `x/` would not be `x` to it."""
        if not results or "://" in results:  # refused, by the name that was given
            return results
        plain = os.path.normpath(results)
        return f"./{plain}" if plain.startswith("-") and results[0] != "-" else plain

    @field_validator("variants")
    @classmethod
    def _of_methods(cls, variants: dict[str, Variant]) -> dict[str, Variant]:
        return flattened(variants)

    @property
    def used(self) -> list[str]:
        """Data sets of a plain run, in the order of the configuration."""
        return [d for d in self.datasets if self.use_datasets is None or d in self.use_datasets]

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
        return tuple(dict.fromkeys((*(self.methods if own is None else own), *self.methods_add)))

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

    def raw_folder(self, dataset: str) -> str:
        """Where a data set's raw files lie."""
        source = self.datasets[dataset].source.plain()
        if "raw" in source:
            return source["raw"]["folder"] or f"{self.results}/raw/{dataset}"
        if self.data_folder is None:
            return source["folder"]
        return str(Path(self.data_folder, source["folder"]))
