"""The verbs for a person at the terminal."""

from pathlib import Path
from typing import Annotated

import typer

from physiome.cli.options import Head, TableFiles
from physiome.config.metrics import METRICS
from physiome.errors import PhysioError

PANEL = "For you"
app = typer.Typer()


@app.command(rich_help_panel=PANEL)
def init(
    folder: Annotated[Path, typer.Argument(help="of recordings, perhaps with a records.csv")],
    output: Annotated[Path, typer.Option(help="the YAML file to write")] = Path("mine.yaml"),
    label: Annotated[
        str | None, typer.Option(help="column of records.csv with the classes; default: a guess")
    ] = None,
    records: Annotated[
        bool, typer.Option("--records", help="write a missing records.csv, subjects by names")
    ] = False,
) -> None:
    """Write a small configuration that runs for a folder of your own recordings."""
    from physiome.steps import init as step

    print("\n".join(step.run(folder, output, label, records)))


@app.command(rich_help_panel=PANEL)
def inspect(
    paths: Annotated[list[Path], typer.Argument(help="recordings, or folders of them")],
    config: Annotated[list[Path], typer.Option(help="YAML file; repeat it, later ones win")] = [],
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Say what recordings hold, what each data set of --config would use, and propose a map.

    Reads every file whole and writes nothing.
    """
    from physiome.steps import inspect as step

    step.run(paths, config, as_json)


@app.command(rich_help_panel=PANEL)
def check(config: Annotated[list[Path], typer.Argument(help="YAML files, later ones win")]) -> None:
    """Validate configuration files, say what they plan and whether the recordings allow it.

    Reads headers of a few recordings. Exit code 2 for a FAIL.
    """
    from physiome.steps import check as step

    plans, findings = step.run(config)
    print("\n".join([*plans, *map(str, findings)]))
    if any(line.level == "FAIL" for line in findings):
        raise typer.Exit(PhysioError.exit_code)


@app.command(rich_help_panel=PANEL)
def doctor(
    config: Annotated[list[Path], typer.Argument(help="YAML files, later ones win")] = [
        Path("config.yaml")
    ],
    json: Annotated[bool, typer.Option(help="print the findings as JSON")] = False,
    verify: Annotated[bool, typer.Option(help="read every byte of the raw files")] = False,
) -> None:
    """Look at machine, disk, GPU, data and leftovers before a long run; exit code 2 for a FAIL."""
    from physiome.files import canonical_json
    from physiome.steps import doctor as step

    lines = step.run(config, verify)
    print(canonical_json([vars(x) for x in lines]) if json else "\n".join(map(str, lines)))
    if any(line.level == "FAIL" for line in lines):
        raise typer.Exit(PhysioError.exit_code)


@app.command(
    rich_help_panel=PANEL,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def run(context: typer.Context) -> None:
    """Run the workflow: snakemake with these arguments, one line a stage and a bar of all jobs."""
    from physiome.steps import run as step

    raise typer.Exit(step.run(context.args))


@app.command(rich_help_panel=PANEL)
def status(
    config: Annotated[
        list[Path], typer.Argument(help="YAML files: count the jobs of the whole experiment")
    ] = [],
    results: Annotated[
        Path | None, typer.Option(help="results folder; default: that of the latest run")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="look again every 2 s, to its end")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Say what the latest run in this folder is doing: jobs, trainings, what failed and why."""
    from physiome.steps import status as step

    step.run(config, results, watch, json)


@app.command(rich_help_panel=PANEL)
def why(
    targets: Annotated[
        list[str], typer.Argument(help="of snakemake; its options after --; default: everything")
    ] = [],
    config: Annotated[list[Path], typer.Option(help="as --configfile of the run; repeat it")] = [],
) -> None:
    """Say which setting, file or source changed since the last run, and which jobs it reruns."""
    from shutil import get_terminal_size

    from physiome.steps import why as step

    print("\n".join(step.run(targets, config, get_terminal_size().columns)))


@app.command(rich_help_panel=PANEL)
def show(
    tables: TableFiles,
    head: str = "logistic",
    metrics: Annotated[
        str | None,
        typer.Option(help=f"of {', '.join(METRICS)}, or all; default: those of the table"),
    ] = None,
) -> None:
    """Print tables at the terminal: scores of every method in percent, and its footnotes."""
    from physiome.steps import show as step

    chosen = ",".join(METRICS) if metrics == "all" else metrics
    step.run(tables, head, [name.strip() for name in chosen.split(",")] if chosen else None)


@app.command(rich_help_panel=PANEL)
def compare(
    first: Annotated[Path, typer.Argument(help="folder scores/<dataset> of a run")],
    second: Annotated[Path, typer.Argument(help="the same of another run, or the same folder")],
    method: Annotated[str, typer.Option(help="of the first; of the second, unless --with")],
    other: Annotated[
        str | None, typer.Option("--with", help="method of the second; default: the same")
    ] = None,
    head: str = "logistic",
    output: Annotated[Path | None, typer.Option(help="a CSV to write")] = None,
) -> None:
    """Compare two methods or two runs on the test windows that both scored, with intervals."""
    from physiome.steps import compare as step

    step.run((first, second), (method, other or method), head, output)


@app.command(rich_help_panel=PANEL)
def predict(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="recordings (EDF, BDF, .vhdr, .fif, .set, .vital, WFDB, CSV), or folders of them"
        ),
    ],
    output: Annotated[
        Path | None, typer.Option(help="one recording: the .csv to write, beside it a .json")
    ] = None,
    output_dir: Annotated[
        Path | None,
        typer.Option(help="folder for each recording's table, annotations, picture and summary"),
    ] = None,
    run: Annotated[Path | None, typer.Option(help="results folder the model is in")] = None,
    dataset: Annotated[str | None, typer.Option(help="of --run, where it has several")] = None,
    method: Annotated[str | None, typer.Option(help="of --run; default: physiome")] = None,
    fold: Annotated[int | None, typer.Option(help="default: the first")] = None,
    folds: Annotated[
        str | None, typer.Option(help="instead of --fold, averaged: all, or numbers such as 1,3")
    ] = None,
    bundle: Annotated[
        str | None,
        typer.Option(help="instead of --run: folder, .zip or hf://owner/name\\[@revision]"),
    ] = None,
    heads: Annotated[
        Path | None, typer.Option(help="instead of --run: <method>.heads.npz of the probe step")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help=".safetensors the heads were fitted on; controls have none")
    ] = None,
    map: Annotated[
        list[str],
        typer.Option(help="modality=CHANNEL where names differ, /minus= its reference; repeat it"),
    ] = [],
    modalities: Annotated[
        str | None, typer.Option(help="those to use, with commas; default: all that are there")
    ] = None,
    head: Head = "logistic",
    rescale: Annotated[
        str | None,
        typer.Option(help="scale these, or all, to vary as in training: another device"),
    ] = None,
    device: Annotated[
        str, typer.Option(help="auto (waits for a free GPU if there are any), cpu, or cuda")
    ] = "auto",
) -> None:
    """Score recordings of your own, from whichever modalities each window carries."""
    from physiome.predict import asked

    asked.run(
        files,
        asked.ModelFiles(run, dataset, method, fold, heads, weights, bundle, folds, head),
        output,
        output_dir,
        map,
        modalities,
        device,
        rescale,
    )


@app.command(rich_help_panel=PANEL)
def export(
    run: Annotated[Path, typer.Argument(help="results folder of a finished run")],
    output: Annotated[Path, typer.Option(help="folder to write, or a .zip")],
    dataset: Annotated[str | None, typer.Option(help="where the run has several")] = None,
    method: Annotated[str | None, typer.Option(help="default: physiome")] = None,
    fold: Annotated[int | None, typer.Option(help="default: the first")] = None,
    folds: Annotated[
        str | None, typer.Option(help="instead of --fold: all, or numbers such as 1,3")
    ] = None,
    licence: Annotated[
        str, typer.Option("--license", help="of the weights, as a hub names it, e.g. mit")
    ] = "unknown",
) -> None:
    """Write trained models as a bundle to hand on: weights, heads, sums and a model card."""
    from physiome.predict import asked
    from physiome.predict.bundle import export as step

    chosen = asked.chosen_folds(fold, folds)
    print("\n".join(step.run(run, output, dataset, method, chosen, licence)))
