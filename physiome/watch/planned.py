"""The jobs of a dry run of Snakemake, each with its reason, as its own records tell them.

`python -m physiome.watch.planned FILE ARGUMENT...` writes them: Snakemake plans in a process of its
own, for a Snakefile may end it.
"""

import json
import logging
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from physiome.errors import ConfigError
from physiome.files import write_json

OURS = "physiome: error: "
CHATTER = ("Using ", "Config file ", "host: ", "Assuming ", "Building DAG")


@dataclass(frozen=True)
class Planned:
    """A job that would run.

    Attributes:
        reason: in Snakemake's words.
        command: of the shell.
    """

    rule: str
    wildcards: dict[str, str]
    input: list[str]
    output: list[str]
    reason: str
    command: str = ""


class Collector(logging.Handler):
    """Keeps what Snakemake says of every job."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: list[Planned] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record that is about a job."""
        told: dict[str, Any] = vars(record)
        if "rule_name" in told and "reason" in told:
            self.jobs.append(
                Planned(
                    told["rule_name"],
                    {k: str(v) for k, v in told["wildcards"].items()},
                    [str(path) for path in told["input"]],
                    [str(path) for path in told["output"]],
                    told["reason"],
                    told["shellcmd"] or "",
                )
            )


def plan(arguments: list[str]) -> list[Planned]:
    """The jobs that Snakemake would run here.

    Args:
        arguments: of its command line.

    Raises:
        ConfigError: it cannot plan; with its reason.
    """
    with TemporaryDirectory(prefix="physiome-") as folder:
        file = Path(folder, "jobs.json")
        command = [sys.executable, "-m", __name__, str(file), *arguments]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode == 0:
            return [Planned(**job) for job in json.loads(file.read_text())]
    said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    said = [line for line in said if not line.startswith(CHATTER)]
    ours = [line.removeprefix(OURS) for line in said if line.startswith(OURS)]
    raise ConfigError(
        "Snakemake cannot plan",
        why=(ours or said or ["it said nothing"])[-1],
        do="give the arguments of your run, its --config above all",
    )


def main() -> None:
    """Plan, and write the jobs."""
    from snakemake.cli import main as snakemake

    file, *arguments = sys.argv[1:]
    collector = Collector()
    logging.getLogger().addHandler(collector)
    try:
        snakemake([*arguments, "--dry-run"])
    except SystemExit as ended:
        if ended.code:
            raise
    write_json(file, [asdict(job) for job in collector.jobs])


if __name__ == "__main__":
    main()
