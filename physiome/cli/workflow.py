"""The verbs that rules of the workflow call to make shards, folds, models and scores."""

from pathlib import Path
from typing import Annotated

import typer

from physiome.cli.options import (
    STEPS,
    Batch,
    Device,
    File,
    Gpu,
    Gpus,
    Modality,
    Model,
    Number,
    Parents,
    Probes,
    Settings,
    Shard,
    Shards,
    Tables,
    Transfer,
    Watched,
)

app = typer.Typer()


@app.command(rich_help_panel=STEPS)
def records(settings: Settings, output: File, transfer: Transfer = "{}") -> None:
    """List a data set's records: which there are, and whose."""
    from physiome.steps import records as step

    step.run(settings, output, transfer)


@app.command(rich_help_panel=STEPS)
def fetch(
    settings: Settings,
    batch: Number,
    batches: Number,
    output: File,
    transfer: Transfer = "{}",
    records: Annotated[Path | None, typer.Option(help="the list; default: list them now")] = None,
) -> None:
    """Make sure the raw files of one batch of records are there and whole."""
    from physiome.steps import fetch as step

    step.run(settings, records, batch, batches, output, transfer)


@app.command(rich_help_panel=STEPS)
def shard(settings: Settings, raw: File, folder: File, workers: int = 1) -> None:
    """Cut one batch of records into labelled windows."""
    from physiome.steps import shard as step

    step.run(settings=settings, raw=raw, folder=folder, workers=workers)


@app.command(rich_help_panel=STEPS)
def folds(
    settings: Settings, shards: Shards, output: File, records: File, shard_settings: Shard = None
) -> None:
    """Divide the subjects into folds and account for every record."""
    from physiome.steps import folds as step

    step.run(settings, _folders(shards), output, records, shard_settings)


@app.command(rich_help_panel=STEPS)
def pretrain(
    settings: Settings,
    shards: Shards,
    folds: File,
    fold: Number,
    modality: Modality,
    output: File,
    gpus: Gpus = 0,
    device: Device = "auto",
    gpu: Gpu = "{}",
    save_every_s: float = 300.0,
    shard_settings: Shard = None,
    monitor: Watched = None,
) -> None:
    """Pretrain one modality's encoder on a fold's pretrain subjects."""
    from physiome.steps import pretrain as step

    step.run(
        settings,
        _folders(shards),
        folds,
        fold,
        modality,
        output,
        gpus,
        device,
        gpu,
        save_every_s,
        shard_settings,
        monitor,
    )


@app.command(rich_help_panel=STEPS)
def train(
    settings: Settings,
    shards: Shards,
    folds: File,
    fold: Number,
    output: File,
    parent: Parents = [],
    gpus: Gpus = 0,
    device: Device = "auto",
    gpu: Gpu = "{}",
    save_every_s: float = 300.0,
    shard_settings: Shard = None,
    parent_settings: Model = None,
    monitor: Watched = None,
) -> None:
    """Train a method on a fold's pretrain subjects, or on labels of its train subjects."""
    from physiome.steps import train as step

    step.run(
        settings,
        _folders(shards),
        folds,
        fold,
        parent,
        output,
        gpus,
        device,
        gpu,
        save_every_s,
        shard_settings,
        parent_settings,
        monitor,
    )


@app.command(rich_help_panel=STEPS)
def embed(
    settings: Settings,
    shards: Shards,
    folds: File,
    fold: Number,
    output: File,
    weights: Path | None = None,
    gpus: Gpus = 0,
    device: Device = "auto",
    gpu: Gpu = "{}",
    shard_settings: Shard = None,
    train_settings: Model = None,
    batch: Batch = None,
) -> None:
    """Embed a fold's labelled windows for every subset of modalities."""
    from physiome.steps import embed as step

    step.run(
        settings,
        _folders(shards),
        folds,
        fold,
        output,
        weights,
        gpus,
        device,
        gpu,
        shard_settings,
        train_settings,
        batch,
    )


@app.command(rich_help_panel=STEPS)
def probe(settings: Settings, embeddings: File, output: File, workers: int = 1) -> None:
    """Fit heads on frozen embeddings and score every test window."""
    from physiome.steps import probe as step

    step.run(settings, embeddings, output, workers)


@app.command(rich_help_panel=STEPS)
def lost_leads(
    shards: Shards,
    folds: File,
    fold: Number,
    heads: File,
    output: File,
    weights: Path | None = None,
    gpus: Gpus = 0,
    device: Device = "auto",
    gpu: Gpu = "{}",
    shard_settings: Shard = None,
    batch: Batch = None,
) -> None:
    """Score a fold's test windows with leads of a modality taken away."""
    from physiome.predict import lost_leads as step

    step.run(
        _folders(shards),
        folds,
        fold,
        heads,
        output,
        weights,
        gpus,
        device,
        gpu,
        shard_settings,
        batch,
    )


@app.command(rich_help_panel=STEPS)
def few_labels(settings: Settings, embeddings: File, output: File, workers: int = 1) -> None:
    """Fit heads on few of the labelled subjects and score them."""
    from physiome.steps import few_labels as step

    step.run(settings, embeddings, output, workers)


@app.command(rich_help_panel=STEPS)
def scores(probes: Probes, output: File, by_subject: File) -> None:
    """Compute all metrics from per-window probabilities."""
    from physiome.steps import scores as step

    step.run(probes, output, by_subject)


@app.command(rich_help_panel=STEPS)
def concat(scores: Tables, output: File) -> None:
    """Join the score files of several data sets."""
    from physiome.steps import scores as step

    step.run_concat(scores, output)


def _folders(manifests: list[Path]) -> list[Path]:
    return [path.parent for path in manifests]
