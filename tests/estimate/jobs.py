"""Jobs on a device that the paper's tables need, and how many steps each takes: the plan's own."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from physiome.config.jobs import EmbedSettings, PretrainSettings, TrainSettings
from physiome.config.tree import Config
from physiome.doctor.amounts import ASSUMED_S
from physiome.doctor.work import trainings
from physiome.plan.graph import Graph
from physiome.plan.layout import Model, Row

Rule = Literal["pretrain", "train", "embed"]


@dataclass(frozen=True)
class Job:
    """One job.

    Attributes:
        steps: of a training; batches of an embedding.
        epochs, looks: of a training, which ends with a checkpoint; of the monitor.
    """

    rule: Rule
    dataset: str
    fold: int
    system: str
    modality: str | None
    steps: float
    epochs: int
    looks: int


def windows(config: Config, dataset: str) -> float:
    """Of all subjects of a data set, assumed as the doctor does before anything is fetched."""
    spec = config.datasets[dataset]
    return ASSUMED_S[spec.source.kind] / spec.window.length_s


def jobs_of(config: Config, tables: Iterable[str]) -> list[Job]:
    """Every job that leases a device for some tables, each once."""
    graph = Graph(config)
    rows = [*dict.fromkeys(row for table in tables for row in graph.rows(table))]
    found = []
    for dataset in dict.fromkeys(row.dataset for row in rows):
        mine, count = [row for row in rows if row.dataset == dataset], windows(config, dataset)
        for model, passes in trainings(graph, mine, count).items():
            found.append(_training(config, graph, model, passes * count))
        found += [_embedding(config, row, count) for row in mine if graph.model(row)]
    return found


def _training(config: Config, graph: Graph, model: Model, seen: float) -> Job:
    spec = graph.training(model)
    every = config.monitor.every_epochs if config.monitor else 0
    looks = 1 + -(-spec.epochs // every) if every and spec.epochs else 0
    rule: Rule = "train" if model.modality is None else "pretrain"
    own = (model.dataset, model.fold, model.name, model.modality)
    return Job(rule, *own, steps=seen / spec.batch, epochs=spec.epochs, looks=looks)


def _embedding(config: Config, row: Row, count: float) -> Job:
    folds = config.section("folds", row.dataset)
    share = 1 / folds.count + (1 - 1 / folds.count) * folds.train_share  # tested and labelled
    batches = share * count / config.embed_batch
    return Job("embed", row.dataset, row.fold, row.method, None, batches, 0, 0)


def settings_of(config: Config, job: Job) -> EmbedSettings | TrainSettings | PretrainSettings:
    """What a job is built from, as its step gets it."""
    own: Any = (job.dataset, job.fold, job.system)
    if job.rule == "pretrain":
        return PretrainSettings.parse_text(config.pretrain_settings(*own))
    if job.rule == "train":
        return TrainSettings.parse_text(config.train_settings(*own))
    return EmbedSettings.parse_text(config.embed_settings(*own)).at_once(config.embed_batch)
