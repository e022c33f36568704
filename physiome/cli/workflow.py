"""The verbs that rules of the workflow call, one for each step."""

from pathlib import Path
from typing import Annotated

import typer

from physiome.cli.options import (
    Benchmarks,
    Device,
    Facts,
    File,
    Gpus,
    Manifests,
    Metrics,
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

PANEL = "Steps of the workflow"
app = typer.Typer()


@app.command(rich_help_panel=PANEL)
def records(settings: Settings, output: File, transfer: Transfer = "{}") -> None:
    """List a data set's records: which there are, and whose."""
    from physiome.steps import records as step

    step.run(settings, output, transfer)


@app.command(rich_help_panel=PANEL)
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


@app.command(rich_help_panel=PANEL)
def shard(settings: Settings, raw: File, folder: File, workers: int = 1) -> None:
    """Cut one batch of records into labelled windows."""
    from physiome.steps import shard as step

    step.run(settings=settings, raw=raw, folder=folder, workers=workers)


@app.command(rich_help_panel=PANEL)
def folds(
    settings: Settings, shards: Shards, output: File, records: File, shard_settings: Shard = None
) -> None:
    """Divide the subjects into folds and account for every record."""
    from physiome.steps import folds as step

    step.run(settings, _folders(shards), output, records, shard_settings)


@app.command(rich_help_panel=PANEL)
def pretrain(
    settings: Settings,
    shards: Shards,
    folds: File,
    fold: Number,
    modality: Modality,
    output: File,
    gpus: Gpus = 0,
    device: Device = "auto",
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
        save_every_s,
        shard_settings,
        monitor,
    )


@app.command(rich_help_panel=PANEL)
def train(
    settings: Settings,
    shards: Shards,
    folds: File,
    fold: Number,
    output: File,
    parent: Parents = [],
    gpus: Gpus = 0,
    device: Device = "auto",
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
        save_every_s,
        shard_settings,
        parent_settings,
        monitor,
    )


@app.command(rich_help_panel=PANEL)
def embed(
    settings: Settings,
    shards: Shards,
    folds: File,
    fold: Number,
    output: File,
    weights: Path | None = None,
    gpus: Gpus = 0,
    device: Device = "auto",
    shard_settings: Shard = None,
    train_settings: Model = None,
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
        shard_settings,
        train_settings,
    )


@app.command(rich_help_panel=PANEL)
def probe(settings: Settings, embeddings: File, output: File, workers: int = 1) -> None:
    """Fit heads on frozen embeddings and score every test window."""
    from physiome.steps import probe as step

    step.run(settings, embeddings, output, workers)


@app.command(rich_help_panel=PANEL)
def lost_leads(
    shards: Shards,
    folds: File,
    fold: Number,
    heads: File,
    output: File,
    weights: Path | None = None,
    gpus: Gpus = 0,
    device: Device = "auto",
    shard_settings: Shard = None,
) -> None:
    """Score a fold's test windows with leads of a modality taken away."""
    from physiome.predict import lost_leads as step

    step.run(_folders(shards), folds, fold, heads, output, weights, gpus, device, shard_settings)


@app.command(rich_help_panel=PANEL)
def lost_leads_figure(
    settings: Settings,
    windows: Annotated[list[Path], typer.Argument(help="files of the step lost-leads")],
    csv: File,
    figure: File,
    classes: Annotated[list[str], typer.Option("--class", help="in order; repeat it")] = [],
) -> None:
    """Draw scores by the number of leads left."""
    from physiome.steps import lost_leads_figure as step

    step.run(settings, classes, windows, csv, figure)


@app.command(rich_help_panel=PANEL)
def few_labels(settings: Settings, embeddings: File, output: File, workers: int = 1) -> None:
    """Fit heads on few of the labelled subjects and score them."""
    from physiome.steps import few_labels as step

    step.run(settings, embeddings, output, workers)


@app.command(rich_help_panel=PANEL)
def few_labels_figure(
    settings: Settings,
    scores: Annotated[list[Path], typer.Argument(help="files of the step few-labels")],
    csv: File,
    figure: File,
) -> None:
    """Draw scores by the number of labelled subjects."""
    from physiome.steps import few_labels_figure as step

    step.run(settings, scores, csv, figure)


@app.command(rich_help_panel=PANEL)
def scores(probes: Probes, output: File, by_subject: File) -> None:
    """Compute all metrics from per-window probabilities."""
    from physiome.steps import scores as step

    step.run(probes, output, by_subject)


@app.command(rich_help_panel=PANEL)
def concat(scores: Tables, output: File) -> None:
    """Join the score files of several data sets."""
    from physiome.steps import scores as step

    step.run_concat(scores, output)


@app.command(rich_help_panel=PANEL)
def table(settings: Settings, scores: File, csv: File, tex: File) -> None:
    """Lay out a table as CSV and LaTeX."""
    from physiome.steps import table as step

    step.run(settings, scores, csv, tex)


@app.command(rich_help_panel=PANEL)
def summary(settings: Settings, output: File) -> None:
    """Write the page that a run opens with."""
    from physiome.steps import summary as step

    step.run(settings, output)


@app.command(rich_help_panel=PANEL)
def intervals(settings: Settings, probes: Probes, output: File) -> None:
    """Compare methods by a paired bootstrap over test subjects."""
    from physiome.steps import intervals as step

    step.run(probes, output, settings)


@app.command(rich_help_panel=PANEL)
def really_missing(settings: Settings, probes: Probes, output: File) -> None:
    """Compare windows that really lack modalities with windows in which they are hidden."""
    from physiome.steps import really_missing as step

    step.run(settings, probes, output)


@app.command(rich_help_panel=PANEL)
def pairs(settings: Settings, probes: Probes, output: File) -> None:
    """Note which scores of a run `learn` compares."""
    from physiome.steps import pairs as step

    step.run(settings, probes, output)


@app.command(rich_help_panel=PANEL)
def learn(
    runs: Annotated[list[Path], typer.Argument(help="pairs.json of every data set and seed")],
    output: File,
    note: Annotated[list[str], typer.Option(help="a line for the page")] = [],
) -> None:
    """Compare every learned system with its own untrained weights: summary.csv, .svg and .txt."""
    from physiome.steps import learn as step

    print(step.run(runs, output, note), end="")


@app.command(rich_help_panel=PANEL)
def costs(
    settings: Settings,
    output: File,
    manifests: Manifests = [],
    benchmark: Benchmarks = [],
) -> None:
    """Size, time and memory of every method's training; of rows without weights nothing."""
    from physiome.steps import costs as step

    step.run(settings, manifests, output, benchmark)


@app.command(rich_help_panel=PANEL)
def comparison(
    settings: Settings,
    embeddings: Facts,
    scores: File,
    robustness: File,
    restoration: File,
    numbers: File,
) -> None:
    """Draw scores by the number of missing modalities, and errors of restored tokens."""
    from physiome.steps import compare_figures as step

    step.run(settings, scores, embeddings, robustness, restoration, numbers)


@app.command(rich_help_panel=PANEL)
def figures(
    settings: Settings, probes: Probes, scores: File, confusion: File, timeline: File, subsets: File
) -> None:
    """Draw confusion matrices, a record over time, and scores by subset."""
    from physiome.steps import figures as step

    step.run(settings, probes, scores, confusion, timeline, subsets)


@app.command(rich_help_panel=PANEL)
def diagnostics(
    settings: Settings,
    probes: Probes,
    scores: File,
    by_subject: File,
    costs: File,
    embeddings: File,
    paired: File,
    reliability: File,
    cost_score: File,
    embedding_map: File,
) -> None:
    """Draw single subjects' differences, calibration, costs against scores, and embeddings."""
    from physiome.steps import diagnostics as step

    step.run(
        settings, probes, scores, by_subject, costs, embeddings,
        paired, reliability, cost_score, embedding_map,
    )  # fmt: skip


@app.command(rich_help_panel=PANEL)
def curves(metrics: Metrics, output: File) -> None:
    """Draw training curves."""
    from physiome.steps import curves as step

    step.run(metrics, output)


def _folders(manifests: list[Path]) -> list[Path]:
    return [path.parent for path in manifests]
