"""Step: validate a configuration and say what it plans."""

from pathlib import Path

from physiome.config.tree import load_files


def run(config: list[Path]) -> list[str]:
    """One line per table: its data set, subsets, folds and rows.

    Raises:
        ConfigError: for anything that can be known to be wrong before any work.
    """
    spec, lines = load_files(config), []
    for table, name in spec.tables_of.items():
        ablation, dataset = spec.ablations.get(table), spec.datasets[name]
        scored = len(dataset.scored or ()) or 2 ** len(dataset.modalities) - 1
        subsets = len(ablation.subsets) if ablation else scored
        lines.append(
            f"{spec.results}/tables/{table}.csv: {name}, {subsets} subsets, "
            f"{len(spec.folds_of(table))} folds, rows {', '.join(spec.rows_of(table))}"
        )
    return lines
