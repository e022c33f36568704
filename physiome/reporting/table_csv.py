"""A table as CSV, twice: a row per subset for people, a row per cell for programs."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from physiome.config.metrics import METRICS
from physiome.config.report import TableSpec
from physiome.reporting.tables import ROBUSTNESS
from physiome.subsets import AS_RECORDED

LABELS = {ROBUSTNESS: "mean of the proper subsets", AS_RECORDED: "as recorded"}
LONG = ["head", "subset", "method", "title", "metric", "mean", "sd", "folds", "drop"]
PAPER = ["paper", "paper_drop", "difference"]


def compact(table: pd.DataFrame, spec: TableSpec, head: str) -> pd.DataFrame:
    """A row per subset: head, subset, a 0 or 1 per modality, `<title> ACC` and so on, note.

    Args:
        table: from `build_table`, with the metrics of the settings.
    """
    rows = []
    for subset, group in table.groupby("subset", sort=False):
        used = str(subset).split("+")
        row: dict[str, Any] = {"head": head, "subset": LABELS.get(str(subset), subset)}
        for name, title in spec.modalities.items():
            row[title] = "" if subset in LABELS else int(name in used)
        means = group.set_index(["method", "metric"])["mean"].to_dict()
        for name, entry in spec.methods.items():
            for metric in spec.metrics:
                mean = means.get((name, metric), float("nan"))
                row[f"{entry.title} {METRICS[metric].short}"] = round(mean, 4)
        rows.append({**row, "note": _notes(group, spec)})
    return pd.DataFrame(rows)


def long(
    table: pd.DataFrame,
    spec: TableSpec,
    head: str,
    counts: pd.DataFrame | None = None,
    footnotes: Mapping[str, Sequence[str]] | None = None,
) -> pd.DataFrame:
    """A row per subset, method and metric, in percent; every table has the same first columns.

    Args:
        counts: from `cell_counts`, for columns windows, subjects, `windows <class>`,
            `subjects <class>`; 0 where nothing was scored.
        footnotes: method -> texts.

    Returns:
        `LONG`; where there are published figures `PAPER`; the counts; note and footnote.
    """
    titles = {name: entry.title for name, entry in spec.methods.items()}
    told = {name: "; ".join(texts) for name, texts in (footnotes or {}).items()}
    found = table.assign(
        head=head,
        title=table["method"].map(titles),
        difference=table["mean"] - table["paper"],
        footnote=[told.get(name, "") for name in table["method"]],
    )
    figures = [name for name in ("mean", "sd", "drop", *PAPER) if name in found]
    found = found.round(dict.fromkeys(figures, 4))
    columns = [*LONG, *(PAPER if spec.paper_table is not None else [])]
    if counts is not None:
        keys = pd.MultiIndex.from_frame(found[["subset", "method"]])
        known = counts.reindex(keys, fill_value=0).set_axis(found.index)
        found, columns = found.join(known), [*columns, *counts.columns]
    return found[[*columns, "note", "footnote"]]


def unbalanced(counts: pd.DataFrame, share: float = 2 / 3) -> bool:
    """Whether one class holds more than a share of the test windows of some cell.

    Args:
        counts: from `cell_counts`.
    """
    of_class = counts.filter(regex="^windows ")
    if of_class.empty:
        return False
    return bool((of_class.max(axis=1) > share * of_class.sum(axis=1)).any())


def _notes(group: pd.DataFrame, spec: TableSpec) -> str:
    """The notes of a row of the CSV; one that holds for all metrics of a method names none."""
    found = []
    for method, cells in group.groupby("method", sort=False):
        for note, noted in cells[cells["note"] != ""].groupby("note", sort=False):
            names = [METRICS[metric].short for metric in noted["metric"]]
            of = "" if len(noted) == len(cells) else f" {', '.join(names)}"
            found.append(f"{spec.methods[str(method)].title}{of}: {note}")
    return "; ".join(found)
