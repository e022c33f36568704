"""Options and arguments that several verbs take."""

from pathlib import Path
from typing import Annotated

import typer

STEPS = "Steps of the workflow"  # their panel in --help

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
Batch = Annotated[int | None, typer.Option(min=1, help="windows at a time; default: as noted")]
Parents = Annotated[list[Path], typer.Option(help="weights it begins with, in order; repeat it")]
Shard = Annotated[str | None, typer.Option(help="settings the shards must have, as JSON")]
Model = Annotated[str | None, typer.Option(help="settings the weights must have, as JSON")]
Watched = Annotated[str | None, typer.Option(help="how to watch it, as JSON; default: not at all")]
Gpus = Annotated[int, typer.Option(help="GPUs to lease; 0: compute on the CPU")]
Gpu = Annotated[str, typer.Option(help="how to use them, as JSON")]
Device = Annotated[str, typer.Option(help="auto, cpu, or cuda (an error without a GPU)")]
Head = Annotated[
    str, typer.Option(help="or centred, context: windows seen against their recording's others")
]
