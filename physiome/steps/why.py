"""The verb `why`: which jobs would run again, and for what."""

import textwrap
from pathlib import Path

from physiome.errors import ConfigError
from physiome.watch.causes import Cause, causes, counted
from physiome.watch.planned import plan


def run(targets: list[str], config: list[Path], width: int) -> list[str]:
    """What changed since the last run, and the jobs it reruns, in lines.

    Args:
        targets: of Snakemake's command line; empty: everything.
        config: files of its --configfile.
        width: of a line, in columns.

    Raises:
        ConfigError: a target is a file of settings, or Snakemake cannot plan.
    """
    _refuse_settings(targets, config)
    files = ["--configfile", *map(str, config)] if config else []
    jobs = [job for job in plan([*targets, *files]) if job.output]
    if not jobs:
        return ["nothing would run again"]
    total = f"{len(jobs)} {'job' if len(jobs) == 1 else 'jobs'} would run: {counted(jobs)}"
    lines = textwrap.wrap(total, width)
    for cause in causes(jobs):
        lines += ["", *textwrap.wrap(cause.text, width, break_long_words=False)]
        lines += textwrap.wrap(_jobs(cause), width, initial_indent="  ", subsequent_indent="  ")
    return lines


def _refuse_settings(targets: list[str], config: list[Path]) -> None:
    """No rule makes a .yaml: it is a second file after one --config."""
    odd = [target for target in targets if target.endswith((".yaml", ".yml"))]
    if odd:
        every = " ".join(f"--config {file}" for file in [*config, *odd])
        raise ConfigError(
            f"{', '.join(odd)} is no target, but a file of settings", do=f"repeat --config: {every}"
        )


def _jobs(cause: Cause) -> str:
    shared = []
    for key in ("method", "encoder", "dataset", "fold"):
        values = {job.wildcards.get(key, "") for job in cause.jobs}
        if len(values) == 1 and "" not in values:
            shared.append(f"fold {values.pop()}" if key == "fold" else values.pop())
    whose = f" ({', '.join(shared)})" if shared else ""
    above = f"; what stands on them: {counted(cause.above)}" if cause.above else ""
    return f"{counted(cause.jobs)}{whose}{above}"
