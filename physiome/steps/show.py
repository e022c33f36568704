"""Step: print tables for people at a terminal."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

from physiome.config.metrics import METRICS, PRINTED
from physiome.errors import DataError, nearest


def run(tables: list[Path], head: str, metrics: Sequence[str] = PRINTED) -> None:
    """Print each table's rows of one head: a line per method, the metrics of every subset.

    Footnotes of methods stand below.

    Args:
        metrics: of `METRICS`.

    Raises:
        DataError: if a file is missing, has no rows of that head or no columns of a metric.
    """
    for metric in metrics:
        if metric not in METRICS:
            raise DataError(f"no metric {metric!r}", do=nearest(metric, METRICS))
    console = Console()
    for path in tables:
        try:
            content = pd.read_csv(path, dtype=str, keep_default_na=False)
        except FileNotFoundError:
            raise DataError("table is missing", where=path, do="run the workflow first") from None
        except (ValueError, OSError) as error:  # empty, not text, not a table
            raise DataError("table cannot be read", where=path, why=str(error)) from None
        if not {"head", "subset"} <= set(content):
            raise DataError("not a table of scores", where=path, do="give tables/<table>.csv")
        heads = set(content["head"])
        if head not in heads:
            raise DataError(f"no rows of head {head!r}", where=path, do=nearest(head, heads))
        rows = content[content["head"] == head]
        names = [METRICS[metric].short for metric in metrics]
        methods = _methods(rows)
        for name in names:
            if not methods or any(f"{method} {name}" not in rows for method in methods):
                raise DataError(f"no column of {name}", where=path, do="make the table again")
        # Where the terminal is narrow further metrics go below the first.
        between = " / " if console.width >= 22 + 7 * len(names) * len(rows) else "\n"
        console.print(_laid_out(rows, methods, names, f"{path} ({head} head)", between))
        for line in _footnotes(rows, methods):
            console.print(line, markup=False, highlight=False)


def _methods(rows: pd.DataFrame) -> list[str]:
    """Titles, in order: of the columns that hold a score, and beside it the number of folds."""
    found = [
        column.removesuffix(f" {named.short}")
        for column in rows.columns
        for named in METRICS.values()
        if column.endswith(f" {named.short}") and f"{column} folds" in rows
    ]
    return list(dict.fromkeys(found))


def _laid_out(
    rows: pd.DataFrame, methods: list[str], names: list[str], title: str, between: str
) -> Table:
    """A line per method; a column per subset, headed by its modalities."""
    columns = list(rows.columns)
    scores = [f"{methods[0]} {named.short}" for named in METRICS.values()]
    first = min(columns.index(name) for name in scores if name in columns)
    modalities = columns[columns.index("subset") + 1 : first]
    head = Column(between.join(names), no_wrap=True)
    table = Table(head, title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for _, row in rows.iterrows():
        used = [name for name in modalities if row[name] == "1"]
        table.add_column("\n".join(used) or row["subset"], justify="right")
    for method in methods:
        values = [
            between.join(_rounded(row[f"{method} {name}"]) for name in names)
            for _, row in rows.iterrows()
        ]
        star = "*" if _footnote(rows, method) else ""
        table.add_row(method + star, *values)
    return table


def _footnote(rows: pd.DataFrame, method: str) -> str:
    column = f"{method} footnote"
    return rows[column].iloc[0] if column in rows else ""


def _footnotes(rows: pd.DataFrame, methods: list[str]) -> list[str]:
    """`* Main: ended at chance`, of each method that has some."""
    said = {method: _footnote(rows, method) for method in methods}
    return [f"* {method}: {text}" for method, text in said.items() if text]


def _rounded(text: str) -> str:
    try:
        return f"{float(text):.1f}"
    except ValueError:
        return text or "-"
