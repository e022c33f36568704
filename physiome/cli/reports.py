"""The verbs that rules of the workflow call to write tables, pages and figures."""

from pathlib import Path
from typing import Annotated

import typer

from physiome.cli.options import (
    STEPS,
    Benchmarks,
    Facts,
    File,
    Head,
    Manifests,
    Metrics,
    Probes,
    Settings,
)

app = typer.Typer()


@app.command(rich_help_panel=STEPS)
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


@app.command(rich_help_panel=STEPS)
def few_labels_figure(
    settings: Settings,
    scores: Annotated[list[Path], typer.Argument(help="files of the step few-labels")],
    csv: File,
    figure: File,
) -> None:
    """Draw scores by the number of labelled subjects."""
    from physiome.steps import few_labels_figure as step

    step.run(settings, scores, csv, figure)


@app.command(rich_help_panel=STEPS)
def table(settings: Settings, scores: File, csv: File, tex: File) -> None:
    """Lay out a table as CSV and LaTeX."""
    from physiome.steps import table as step

    step.run(settings, scores, csv, tex)


@app.command(rich_help_panel=STEPS)
def summary(settings: Settings, output: File) -> None:
    """Write the page that a run opens with."""
    from physiome.steps import summary as step

    step.run(settings, output)


@app.command(rich_help_panel=STEPS)
def intervals(settings: Settings, probes: Probes, output: File) -> None:
    """Compare methods by a paired bootstrap over test subjects."""
    from physiome.steps import intervals as step

    step.run(probes, output, settings)


@app.command(rich_help_panel=STEPS)
def really_missing(settings: Settings, probes: Probes, output: File) -> None:
    """Compare windows that really lack modalities with windows in which they are hidden."""
    from physiome.steps import really_missing as step

    step.run(settings, probes, output)


@app.command(rich_help_panel=STEPS)
def pairs(settings: Settings, probes: Probes, output: File) -> None:
    """Note which scores of a run `learn` compares."""
    from physiome.steps import pairs as step

    step.run(settings, probes, output)


@app.command(rich_help_panel=STEPS)
def learn(
    runs: Annotated[list[Path], typer.Argument(help="pairs.json of every data set and seed")],
    output: File,
    note: Annotated[list[str], typer.Option(help="a line for the page")] = [],
    head: Head = "logistic",
) -> None:
    """Compare every learned system with its own untrained weights: summary.csv, .svg and .txt."""
    from physiome.steps import learn as step

    print(step.run(runs, output, note, head), end="")


@app.command(rich_help_panel=STEPS)
def costs(
    settings: Settings,
    output: File,
    manifests: Manifests = [],
    benchmark: Benchmarks = [],
) -> None:
    """Size, time and memory of every method's training; of rows without weights nothing."""
    from physiome.steps import costs as step

    step.run(settings, manifests, output, benchmark)


@app.command(rich_help_panel=STEPS)
def comparison(
    settings: Settings,
    embeddings: Facts,
    scores: File,
    robustness: File,
    restoration: File,
    restored: File,
    numbers: File,
) -> None:
    """Draw scores by the number of missing modalities, and how well tokens are restored."""
    from physiome.steps import compare_figures as step

    step.run(settings, scores, embeddings, robustness, restoration, restored, numbers)


@app.command(rich_help_panel=STEPS)
def figures(
    settings: Settings, probes: Probes, scores: File, confusion: File, timeline: File, subsets: File
) -> None:
    """Draw confusion matrices, a record over time, and scores by subset."""
    from physiome.steps import figures as step

    step.run(settings, probes, scores, confusion, timeline, subsets)


@app.command(rich_help_panel=STEPS)
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


@app.command(rich_help_panel=STEPS)
def curves(metrics: Metrics, output: File) -> None:
    """Draw training curves."""
    from physiome.steps import curves as step

    step.run(metrics, output)
