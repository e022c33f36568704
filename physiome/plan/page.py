"""What the page that a run opens with is made of."""

from physiome.config.report import SummarySpec, SummaryTable
from physiome.config.tree import Config
from physiome.plan.layout import Layout

FIGURES = ("robustness", "subsets", "confusion")


def summary_spec(config: Config) -> SummarySpec:
    """All tables of a plain run, the data sets' own ones first, with figures of theirs."""
    at, tables = Layout(config.results), []
    shown = {config.table_name(dataset): dataset for dataset in config.used}
    for table in sorted(config.made_tables, key=lambda name: name not in shown):
        folder = at.figures(shown[table]) if table in shown else None
        modalities = config.datasets[config.tables_of[table]].modalities
        compared = len(config.rows_of(table)) > 1
        title = config.datasets[shown[table]].title if folder else config.ablations[table].title
        tables.append(
            SummaryTable(
                title=title,
                long=at.table(table, "long.csv"),
                modalities={name: spec.title for name, spec in modalities.items()},
                intervals=at.table(table, "intervals.csv") if compared else None,
                figures=tuple(f"{folder}/{name}.svg" for name in FIGURES) if folder else (),
            )
        )
    return SummarySpec(
        results=config.results,
        head=config.tables.head,
        tables=tuple(tables),
        records={
            config.datasets[dataset].title: at.what_became(dataset)
            for table, dataset in shown.items()
            if table in config.made_tables
        },
    )


def summary_files(spec: SummarySpec) -> list[str]:
    """All files that the page reads."""
    found = [path for t in spec.tables for path in (t.long, t.intervals, *t.figures) if path]
    return [*found, *spec.records.values()]
