"""The page that a run opens with: headline tables, figures, and what was run. One HTML file."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

import pandas as pd

from physiome.config.metrics import METRICS
from physiome.reporting.tables import ROBUSTNESS, difference_text
from physiome.subsets import AS_RECORDED, subset_name

CSS = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem }
h2 { font-size: 1.25rem; margin-top: 2.2rem; border-bottom: 1px solid #ccc }
div.wide { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.92rem }
th, td { padding: 0.15rem 0.7rem; text-align: right; border-bottom: 1px solid #eee }
th:first-child, td:first-child { text-align: left }
tr.flagship td { font-weight: 600 }
p.note, li, figcaption { font-size: 0.88rem; color: #555 }
figure { margin: 1.2rem 0 }
img { max-width: 100% }
"""
PARTS = {"full": "everything observed", ROBUSTNESS: "mean of the proper subsets"}


def headline(
    table: pd.DataFrame,
    differences: pd.DataFrame | None,
    metrics: Sequence[str],
    modalities: Mapping[str, str],
) -> pd.DataFrame:
    """A row per method: scores with everything observed, and the mean of the proper subsets.

    Of a table of chosen subsets without the full one, scores of the first of its largest.

    Args:
        table: rows of one head of `<table>.long.csv`.
        differences: of `<table>.intervals.csv`; None or empty: no column of differences.
        metrics: of METRICS.
        modalities: name -> title, all that the data set has.

    Returns:
        Text, indexed by title; "-" where there is no score.
    """
    full = full_set(table["subset"])
    compared = ROBUSTNESS if (table["subset"] == ROBUSTNESS).any() else full
    values = table.set_index(["method", "subset", "metric"])["mean"].to_dict()
    of_full = PARTS["full"] if full == subset_name(modalities) else _called(full, modalities)
    titles, rows = dict(zip(table["method"], table["title"], strict=True)), {}
    if differences is not None:
        differences = differences.assign(reference=differences["reference"].map(titles))
    for method, title in titles.items():
        rows[title] = {
            f"{shown}, {METRICS[metric].short}": _figure(values.get((method, subset, metric)))
            for subset, shown in ((full, of_full), (ROBUSTNESS, PARTS[ROBUSTNESS]))
            for metric in metrics
            if (method, subset, metric) in values
        } | _difference(differences, method, compared, metrics[-1])
    return pd.DataFrame.from_dict(rows, orient="index").fillna("-")


def _called(subset: str, modalities: Mapping[str, str]) -> str:
    return " + ".join(modalities.get(name, name) for name in subset.split("+"))


def full_set(subsets: Iterable[str]) -> str:
    """Of the names of a table's rows, that of the subset with the most modalities."""
    named = [name for name in dict.fromkeys(subsets) if name not in (ROBUSTNESS, AS_RECORDED)]
    return max(named, key=lambda name: name.count("+"))


def _difference(
    differences: pd.DataFrame | None, method: str, subset: str, metric: str
) -> dict[str, str]:
    if differences is None or differences.empty:
        return {}
    chosen = (differences["method"] == method) & (differences["subset"] == subset)
    mine = differences[chosen & (differences["metric"] == metric)]
    reference = differences["reference"].iloc[0]
    name = f"{METRICS[metric].short} of that minus {reference}'s (95 % interval)"
    if mine.empty or pd.isna(mine["difference"].iloc[0]):
        return {name: "-"}
    row = mine.iloc[0]
    return {name: difference_text(row["difference"], row["low"], row["high"])}


def _figure(value: float | None) -> str:
    return "-" if value is None or pd.isna(value) else f"{value:.1f}"


def table_html(table: pd.DataFrame, flagship: Iterable[str] = ()) -> str:
    """A table of text; rows of `flagship` stand out."""
    heads = "".join(f"<th>{escape(str(name))}</th>" for name in ["", *table.columns])
    chosen, lines = set(flagship), []
    for title, row in table.iterrows():
        cells = "".join(f"<td>{escape(str(value))}</td>" for value in [title, *row])
        marked = ' class="flagship"' if title in chosen else ""
        lines.append(f"<tr{marked}>{cells}</tr>")
    rows = f"<thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody>"
    return f'<div class="wide"><table>{rows}</table></div>'


def figure_html(path: Path, caption: str) -> str:
    """An SVG file, held by the page itself."""
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    source = f"data:image/svg+xml;base64,{data}"
    shown = f'<img alt="{escape(caption)}" src="{source}">'
    return f"<figure>{shown}<figcaption>{escape(caption)}</figcaption></figure>"


def notes_html(lines: Iterable[str]) -> str:
    """Small print, a line each; "" without any."""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def page_html(title: str, lead: str, sections: Mapping[str, Sequence[str]]) -> str:
    """The whole page.

    Args:
        title, lead: text.
        sections: heading (text) -> pieces of HTML.
    """
    body = "\n".join(
        f"<section><h2>{escape(name)}</h2>\n{chr(10).join(parts)}</section>"
        for name, parts in sections.items()
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}'
        f"</title><style>{CSS}</style></head>\n<body><h1>{escape(title)}</h1>"
        f"<p>{escape(lead)}</p>\n{body}\n</body></html>\n"
    )
