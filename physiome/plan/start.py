"""What is refused before anything is planned."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from physiome.config.strict_yaml import read_yaml
from physiome.config.tree import Config, check_removed
from physiome.errors import ConfigError, nearest
from physiome.plan.stale import require_known

# With these, results that nothing is known of do no harm.
FORCING = re.compile(r"--(forcerun|forceall|unlock|lint)(=.*)?|-n?[RF].*")


def begin(
    plain: Mapping[str, Any], files: Sequence[str], arguments: Sequence[str], first: bool
) -> Config:
    """The configuration of a run of Snakemake, once it can be run.

    Args:
        plain: the merged configuration.
        files: it comes from; Snakemake takes the last of a key that one has twice.
        arguments: of Snakemake's command line.
        first: whether this is the process that plans, not one of a job.

    Raises:
        PhysioError: the configuration cannot be run, a table that is asked for does not exist, or
            results are there that were made otherwise.
    """
    check_removed({Path(path): read_yaml(Path(path)) for path in files})
    config = Config.load(plain)
    config.check_folders()
    if first and not any(map(FORCING.fullmatch, arguments)):
        require_known(config)
    _require_tables(config, arguments)
    return config


def _require_tables(config: Config, targets: Sequence[str]) -> None:
    """Of a misspelt table Snakemake says only that no rule makes it."""
    for target in targets:
        folder, _, file = target.rpartition("/")
        table = file.split(".")[0]
        if folder == f"{config.results}/tables" and table not in config.tables_of:
            raise ConfigError(f"there is no table {target} - {nearest(table, config.tables_of)}")
