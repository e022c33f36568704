"""Step: print tables for people at a terminal."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

from physiome.config.metrics import METRICS
from physiome.errors import DataError, nearest
from physiome.reporting.table_csv import LABELS
from physiome.reporting.tables import ROBUSTNESS

REASONS = 3  # of cells without a score, that are printed


def run(tables: list[Path], head: str, metrics: Sequence[str] | None = None) -> None:
    """Print each table's rows of one head: a line per method, the metrics of every subset.

    Footnotes of methods stand below, and why cells have no score.

    Args:
        tables: `tables/<table>.csv`; what is shown is read from the `.long.csv` beside it.
        metrics: of `METRICS`; None: those of the table.

    Raises:
        DataError: if a file is missing, has no rows of that head or none of a metric.
    """
    for metric in metrics or ():
        if metric not in METRICS:
            raise DataError(f"no metric {metric!r}", do=nearest(metric, METRICS))
    console = Console(markup=False, highlight=False)  # a title may hold brackets
    for path in tables:
        compact, rows = _opened(path, head)
        scores = _scores(compact.columns, rows)
        chosen = metrics or [metric for metric in METRICS if metric in scores.values()]
        for metric in chosen:
            if metric not in set(rows["metric"]):
                short = METRICS[metric].short
                raise DataError(f"no rows of {short}", where=path, do="make the table again")
        columns = list(compact.columns)
        subsets = _subsets(compact, columns[2 : min(map(columns.index, scores), default=2)])
        console.print(_laid_out(rows, subsets, chosen, f"{path} ({head} head)", console.width))
        for title, text in _footnotes(rows).items():
            console.print(f"* {title}: {text}")
        for text in _unscored(rows[rows["metric"].isin(chosen)]):
            console.print(f"- {text}")


def _opened(path: Path, head: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of a head, of the compact and of the long table."""
    if path.suffix != ".csv":
        do = f"give {path / '<table>.csv' if path.is_dir() else path.with_suffix('.csv')}"
        raise DataError("not a table of scores", where=path, why="those are .csv files", do=do)
    compact = _read(path)
    if list(compact.columns[:2]) != ["head", "subset"] or compact.columns[-1] != "note":
        raise DataError("not a table of scores", where=path, do="give tables/<table>.csv")
    heads = set(compact["head"])
    if head not in heads:
        raise DataError(f"no rows of head {head!r}", where=path, do=nearest(head, heads))
    rows = _read(path.with_suffix(".long.csv"))
    return compact[compact["head"] == head], rows[rows["head"] == head]


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    except FileNotFoundError:
        raise DataError("table is missing", where=path, do="run the workflow first") from None
    except (ValueError, OSError) as error:  # empty, not text, not a table
        raise DataError("table cannot be read", where=path, why=str(error)) from None


def _scores(columns: Iterable[str], rows: pd.DataFrame) -> dict[str, str]:
    """Column of a compact table -> its metric, of those that hold scores."""
    known = {
        f"{title} {named.short}": metric
        for metric, named in METRICS.items()
        for title in rows["title"].unique()
    }
    return {column: known[column] for column in columns if column in known}


def _subsets(compact: pd.DataFrame, modalities: list[str]) -> dict[str, str]:
    """Each row's subset -> what heads its column: the titles of its modalities, one a line."""
    names = {label: name for name, label in LABELS.items()}
    found = {}
    for _, row in compact.iterrows():
        used = [title for title in modalities if row[title] == "1"]
        found[names.get(row["subset"], row["subset"])] = "\n".join(used) or row["subset"]
    return found


def _laid_out(
    rows: pd.DataFrame, subsets: dict[str, str], metrics: Sequence[str], title: str, width: int
) -> Table:
    """A line per method; a column per subset."""
    names = [METRICS[metric].short for metric in metrics]
    # Where the terminal is narrow further metrics go below the first.
    between = " / " if width >= 22 + 7 * len(names) * len(subsets) else "\n"
    head = Column(between.join(names), no_wrap=True)
    table = Table(head, title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for shown in subsets.values():
        table.add_column(shown, justify="right")
    means = rows.set_index(["method", "subset", "metric"])["mean"].to_dict()
    noted = _footnotes(rows)
    for method, name in dict(zip(rows["method"], rows["title"], strict=True)).items():
        values = [
            between.join(_rounded(means.get((method, subset, metric), "")) for metric in metrics)
            for subset in subsets
        ]
        table.add_row(name + ("*" if name in noted else ""), *values)
    return table


def _footnotes(rows: pd.DataFrame) -> dict[str, str]:
    """Title -> footnote of each method that has some."""
    said = dict(zip(rows["title"], rows["footnote"], strict=True))
    return {title: text for title, text in said.items() if text}


def _unscored(rows: pd.DataFrame) -> list[str]:
    """Why cells have no score, once each, with the titles of their methods."""
    empty = rows[(rows["mean"] == "") & (rows["note"] != "") & (rows["subset"] != ROBUSTNESS)]
    said = [
        f"{', '.join(group['title'].unique())}: {note}"
        for note, group in empty.groupby("note", sort=False)
    ]
    more = [f"{len(said) - REASONS} further reasons stand in the column note of the CSV"]
    return said[:REASONS] + (more if len(said) > REASONS else [])


def _rounded(text: str) -> str:
    return f"{float(text):.1f}" if text else "-"
