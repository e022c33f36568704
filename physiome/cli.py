"""The command line: one verb per workflow step. Every rule of the workflow calls it like this."""

import logging
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from physiome import __version__
from physiome.errors import PhysioError

app = typer.Typer(
    help="PhysioME: from raw recordings to tables, one step at a time.",
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
)  # fmt: skip

File = Annotated[Path, typer.Option()]
Number = Annotated[int, typer.Option()]
Settings = Annotated[str, typer.Option(help="this step's slice of the configuration, as JSON")]
Transfer = Annotated[str, typer.Option(help="how files are transferred, as JSON")]
Modality = Annotated[str, typer.Option()]
Shards = Annotated[list[Path], typer.Argument(help="manifest.json of every shard")]
Probes = Annotated[list[Path], typer.Argument(help="per-window files of the probe step")]
Tables = Annotated[list[Path], typer.Argument(help="score files, one per data set")]
TableFiles = Annotated[list[Path], typer.Argument(help="CSV files of the table step")]
Metrics = Annotated[list[Path], typer.Argument(help=".metrics.jsonl files of trainings")]
Manifests = Annotated[list[Path], typer.Argument(help=".json manifests of trained models")]
Benchmarks = Annotated[list[Path], typer.Option(help="Snakemake's benchmark of each, in order")]
Facts = Annotated[list[Path], typer.Argument(help=".json files of the embed step")]
Parents = Annotated[list[Path], typer.Option(help="weights it begins with, in order; repeat it")]
Shard = Annotated[str | None, typer.Option(help="settings the shards must have, as JSON")]
Model = Annotated[str | None, typer.Option(help="settings the weights must have, as JSON")]
Watched = Annotated[str | None, typer.Option(help="how to watch it, as JSON; default: not at all")]
Gpus = Annotated[int, typer.Option(help="GPUs to lease; 0: compute on the CPU")]
Device = Annotated[str, typer.Option(help="auto, cpu, or cuda (an error without a GPU)")]


@app.callback(invoke_without_command=True)
def _start(version: Annotated[bool, typer.Option(help="print the version")] = False) -> None:
    if version:
        print(__version__)
        raise typer.Exit
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")


@app.command()
def records(settings: Settings, output: File, transfer: Transfer = "{}") -> None:
    """List a data set's records: which there are, and whose."""
    from physiome.steps import records as step

    step.run(settings, output, transfer)


@app.command()
def fetch(
    settings: Settings, batch: Number, batches: Number, output: File, transfer: Transfer = "{}",
    records: Annotated[Path | None, typer.Option(help="the list; default: list them now")] = None,
) -> None:  # fmt: skip
    """Make sure the raw files of one batch of records are there and whole."""
    from physiome.steps import fetch as step

    step.run(settings, records, batch, batches, output, transfer)


@app.command()
def shard(settings: Settings, raw: File, folder: File, workers: int = 1) -> None:
    """Cut one batch of records into labelled windows."""
    from physiome.steps import shard as step

    step.run(settings=settings, raw=raw, folder=folder, workers=workers)


@app.command()
def inspect(
    paths: Annotated[list[Path], typer.Argument(help="recordings, or folders of them")],
    config: Annotated[list[Path], typer.Option(help="YAML file; repeat it, later ones win")] = [],  # noqa: B006
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Say what recordings hold, what each data set of --config would use, and propose a map.

    Reads every file whole and writes nothing.
    """
    from physiome.steps import inspect as step

    step.run(paths, config, as_json)


@app.command()
def folds(
    settings: Settings, shards: Shards, output: File, records: File, shard_settings: Shard = None
) -> None:
    """Divide the subjects into folds and account for every record."""
    from physiome.steps import folds as step

    step.run(settings, _folders(shards), output, records, shard_settings)


@app.command()
def pretrain(
    settings: Settings, shards: Shards, folds: File, fold: Number, modality: Modality,
    output: File,
    gpus: Gpus = 0, device: Device = "auto", save_every_s: float = 300.0,
    shard_settings: Shard = None, monitor: Watched = None,
) -> None:  # fmt: skip
    """Pretrain one modality's encoder on a fold's pretrain subjects."""
    from physiome.steps import pretrain as step

    step.run(
        settings, _folders(shards), folds, fold, modality, output, gpus, device, save_every_s,
        shard_settings, monitor,
    )  # fmt: skip


@app.command()
def train(
    settings: Settings, shards: Shards, folds: File, fold: Number, output: File,
    parent: Parents = [],  # noqa: B006
    gpus: Gpus = 0, device: Device = "auto", save_every_s: float = 300.0,
    shard_settings: Shard = None, parent_settings: Model = None, monitor: Watched = None,
) -> None:  # fmt: skip
    """Train a method on a fold's pretrain subjects, or on labels of its train subjects."""
    from physiome.steps import train as step

    step.run(
        settings, _folders(shards), folds, fold, parent, output, gpus, device, save_every_s,
        shard_settings, parent_settings, monitor,
    )  # fmt: skip


@app.command()
def embed(
    settings: Settings, shards: Shards, folds: File, fold: Number, output: File,
    weights: Path | None = None, gpus: Gpus = 0, device: Device = "auto",
    shard_settings: Shard = None, train_settings: Model = None,
) -> None:  # fmt: skip
    """Embed a fold's labelled windows for every subset of modalities."""
    from physiome.steps import embed as step

    step.run(
        settings, _folders(shards), folds, fold, output, weights, gpus, device, shard_settings,
        train_settings,
    )  # fmt: skip


@app.command()
def probe(settings: Settings, embeddings: File, output: File, workers: int = 1) -> None:
    """Fit heads on frozen embeddings and score every test window."""
    from physiome.steps import probe as step

    step.run(settings, embeddings, output, workers)


@app.command()
def predict(
    file: Annotated[Path, typer.Argument(help="a recording: .edf, .vital or WFDB")],
    heads: Annotated[Path, typer.Option(help="<method>.heads.npz of the probe step")],
    output: Annotated[Path, typer.Option(help="the .csv to write; a .json lies beside it then")],
    weights: Annotated[
        Path | None, typer.Option(help=".safetensors the heads were fitted on; controls have none")
    ] = None,
    map: Annotated[
        list[str], typer.Option(help="modality=CHANNEL where names differ; repeat it")
    ] = [],  # noqa: B006
    modalities: Annotated[
        str | None, typer.Option(help="those to use, with commas; default: all that are there")
    ] = None,
    device: Annotated[
        str, typer.Option(help="auto (waits for a free GPU if there are any), cpu, or cuda")
    ] = "auto",
) -> None:
    """Score a recording of your own, from whichever modalities each window carries."""
    from physiome.predict import score as step

    step.run(file, heads, output, weights, map, modalities, device)


@app.command()
def scores(probes: Probes, output: File, by_subject: File) -> None:
    """Compute all metrics from per-window probabilities."""
    from physiome.steps import scores as step

    step.run(probes, output, by_subject)


@app.command()
def concat(scores: Tables, output: File) -> None:
    """Join the score files of several data sets."""
    from physiome.steps import scores as step

    step.run_concat(scores, output)


@app.command()
def table(settings: Settings, scores: File, csv: File, tex: File) -> None:
    """Lay out a table as CSV and LaTeX."""
    from physiome.steps import table as step

    step.run(settings, scores, csv, tex)


@app.command()
def intervals(settings: Settings, probes: Probes, output: File) -> None:
    """Compare methods by a paired bootstrap over test subjects."""
    from physiome.steps import intervals as step

    step.run(probes, output, settings)


@app.command()
def pairs(settings: Settings, probes: Probes, output: File) -> None:
    """Note which scores of a run `learn` compares."""
    from physiome.steps import pairs as step

    step.run(settings, probes, output)


@app.command()
def learn(
    runs: Annotated[list[Path], typer.Argument(help="pairs.json of every data set and seed")],
    output: File, note: Annotated[list[str], typer.Option(help="a line for the page")] = [],  # noqa: B006
) -> None:  # fmt: skip
    """Compare every learned system with its own untrained weights: summary.csv, .svg and .txt."""
    from physiome.steps import learn as step

    print(step.run(runs, output, note), end="")


@app.command()
def costs(
    settings: Settings, output: File,
    manifests: Manifests = [], benchmark: Benchmarks = [],  # noqa: B006
) -> None:  # fmt: skip
    """Size, time and memory of every method's training; of rows without weights nothing."""
    from physiome.steps import costs as step

    step.run(settings, manifests, output, benchmark)


@app.command()
def comparison(
    settings: Settings, embeddings: Facts, scores: File, robustness: File, restoration: File,
    numbers: File,
) -> None:  # fmt: skip
    """Draw scores by the number of missing modalities, and errors of restored tokens."""
    from physiome.steps import compare_figures as step

    step.run(settings, scores, embeddings, robustness, restoration, numbers)


@app.command()
def show(
    tables: TableFiles,
    head: str = "logistic",
    metrics: Annotated[
        str, typer.Option(help="of acc, auc, balanced_acc, f1, kappa, auprc, ece")
    ] = "acc,auc",
) -> None:
    """Print tables at the terminal: scores of every method in percent, and its footnotes."""
    from physiome.steps import show as step

    step.run(tables, head, [name.strip() for name in metrics.split(",")])


@app.command()
def figures(
    settings: Settings, probes: Probes, scores: File, confusion: File, timeline: File, subsets: File
) -> None:
    """Draw confusion matrices, a record over time, and scores by subset."""
    from physiome.steps import figures as step

    step.run(settings, probes, scores, confusion, timeline, subsets)


@app.command()
def curves(metrics: Metrics, output: File) -> None:
    """Draw training curves."""
    from physiome.steps import curves as step

    step.run(metrics, output)


@app.command()
def check(config: Annotated[list[Path], typer.Argument(help="YAML files, later ones win")]) -> None:
    """Validate configuration files and say what they plan."""
    from physiome.steps import check as step

    print("\n".join(step.run(config)))


@app.command()
def doctor(
    config: Annotated[
        list[Path], typer.Argument(help="YAML files, later ones win")
    ] = [Path("config.yaml")],  # noqa: B006
    json: Annotated[bool, typer.Option(help="print the findings as JSON")] = False,
    verify: Annotated[bool, typer.Option(help="read every byte of the raw files")] = False,
) -> None:  # fmt: skip
    """Look at machine, disk, GPU, data and leftovers before a long run; exit code 2 for a FAIL."""
    from physiome.files import canonical_json
    from physiome.steps import doctor as step

    lines = step.run(config, verify)
    print(canonical_json([vars(x) for x in lines]) if json else "\n".join(map(str, lines)))
    if any(line.level == "FAIL" for line in lines):
        raise typer.Exit(PhysioError.exit_code)


def _folders(manifests: list[Path]) -> list[Path]:
    return [path.parent for path in manifests]


def _stop(number: int, _: object) -> None:
    # Not an error of ours: a step could take it for that of a record, and go on.
    print(
        f"physiome: error: stopped by {signal.Signals(number).name} - nothing is half-written"
        " - run the same command again", file=sys.stderr,
    )  # fmt: skip
    raise SystemExit(128 + number)


def main() -> None:
    """Run the command line; our own errors end as one line and exit code 2.

    SIGTERM ends it with 143, Ctrl-C with 130, after what was begun is removed; training saves its
    progress first.
    """
    signal.signal(signal.SIGTERM, _stop)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # ignored in the background
        signal.signal(signal.SIGINT, _stop)
    try:
        app()
    except PhysioError as error:
        if os.environ.get("PHYSIOME_DEBUG"):
            raise
        print(f"physiome: error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:  # a file that may not be read, a disk that fails
        if os.environ.get("PHYSIOME_DEBUG"):
            raise
        line = PhysioError(
            "file cannot be read or written", where=error.filename,
            why=error.strerror or str(error),
            do="check the file, its permissions and its disk, then run again",
        )  # fmt: skip
        print(f"physiome: error: {line}", file=sys.stderr)
        sys.exit(line.exit_code)
