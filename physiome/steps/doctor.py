"""Step: look at everything a long run stands on, before it begins. Changes nothing."""

from collections.abc import Iterator
from pathlib import Path

from physiome.config.tree import Config, load_files
from physiome.doctor import gpus, leftovers, machine, plan, space, stored, work
from physiome.doctor.finding import Finding
from physiome.errors import PhysioError


def run(paths: list[Path], verify: bool = False) -> list[Finding]:
    """All findings. A configuration that is refused is one, and ends the list.

    Args:
        paths: YAML files, later ones win.
        verify: read every byte of the raw files.
    """
    lines = list(machine.versions()) + list(machine.memory())
    try:
        config = load_files(paths)
        config.check_folders()
    except PhysioError as error:
        return [*lines, Finding("FAIL", "config", str(error))]
    lines.append(Finding("ok", "config", f"valid; data sets: {', '.join(config.used)}"))
    return [*lines, *_of(config, verify)]


def _of(config: Config, verify: bool) -> Iterator[Finding]:
    yield from machine.cores(config.threads)
    yield from gpus.gpus(config.device)
    yield from space.writable(config)
    yield from leftovers.workflow_lock(Path.cwd())
    yield from leftovers.remains(space.folders(config))
    for dataset in config.used:
        yield from stored.own_records(config, dataset)
        yield from stored.raw(config, dataset, verify)
        yield from stored.shards(config, dataset)
        yield from plan.data(config, dataset)
    try:
        yield from [*space.disk(config), *work.hours(config)]
    except PhysioError as error:  # a manifest that cannot be read: no estimate without it
        yield Finding("FAIL", "estimate", str(error))
