"""Step: validate a configuration, say what it plans, and whether the recordings allow it."""

from pathlib import Path

from physiome.config.tree import Config, load_files
from physiome.doctor import plan
from physiome.doctor.finding import Finding, several


def run(config: list[Path]) -> tuple[list[str], list[Finding]]:
    """One line per table: its data set, subsets, folds and rows; and what stands against it.

    Raises:
        ConfigError: for anything that can be known to be wrong from the configuration alone.
    """
    spec = load_files(config)
    found = plan.folders(spec)
    if not found:
        found = [line for dataset in spec.used for line in plan.data(spec, dataset)]
    return _tables(spec), [line for line in found if line.level != "ok"]


def _tables(spec: Config) -> list[str]:
    lines = []
    for table in spec.made_tables:
        name = spec.tables_of[table]
        ablation, dataset = spec.ablations.get(table), spec.datasets[name]
        scored = len(dataset.scored or ()) or 2 ** len(dataset.modalities) - 1
        subsets = len(ablation.subsets) if ablation else scored
        lines.append(
            f"{spec.results}/tables/{table}.csv: {name}, {several(subsets, 'subset')}, "
            f"{several(len(spec.folds_of(table)), 'fold')}, rows {', '.join(spec.rows_of(table))}"
        )
    return lines
