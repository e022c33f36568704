"""Step: print tables for people at a terminal."""

from pathlib import Path

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

from physiome.errors import DataError, nearest


def run(tables: list[Path], head: str) -> None:
    """Print each table's rows of one head: a line per method, ACC / AUC of every subset.

    Raises:
        DataError: if a file is missing or has no rows of that head.
    """
    console = Console()
    for path in tables:
        try:
            content = pd.read_csv(path, dtype=str, keep_default_na=False)
        except FileNotFoundError:
            raise DataError("table is missing", where=path, do="run the workflow first") from None
        heads = set(content["head"])
        if head not in heads:
            raise DataError(f"no rows of head {head!r}", where=path, do=nearest(head, heads))
        rows = content[content["head"] == head]
        # Where the terminal is narrow the AUC goes below the ACC.
        between = " / " if console.width >= 22 + 14 * len(rows) else "\n"
        console.print(_laid_out(rows, f"{path} ({head} head)", between))


def _laid_out(rows: pd.DataFrame, title: str, between: str) -> Table:
    """A line per method; a column per subset, headed by its modalities."""
    methods = [c.removesuffix(" ACC") for c in rows.columns if c.endswith(" ACC")]
    after = list(rows.columns).index("subset") + 1
    modalities = list(rows.columns[after : list(rows.columns).index(methods[0] + " ACC")])
    first = Column(f"ACC{between}AUC", no_wrap=True)
    table = Table(first, title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for _, row in rows.iterrows():
        used = [name for name in modalities if row[name] == "1"]
        table.add_column("\n".join(used) or row["subset"], justify="right")
    for method in methods:
        values = [
            between.join(_rounded(row[f"{method} {metric}"]) for metric in ("ACC", "AUC"))
            for _, row in rows.iterrows()
        ]
        table.add_row(method, *values)
    return table


def _rounded(text: str) -> str:
    try:
        return f"{float(text):.1f}"
    except ValueError:
        return text or "-"
