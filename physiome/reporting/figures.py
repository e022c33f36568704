"""Figures as SVG: confusion matrices, one night's classes over time, scores by subset, curves.

The same numbers give the same bytes: no date, no random identifiers.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from physiome.files import atomic_path

STYLE: dict[Any, Any] = {
    "svg.hashsalt": "physiome",
    "svg.fonttype": "none",
    "font.size": 8,
    "axes.titlesize": 9,
    "text.parse_math": False,  # a title may hold any sign
}


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure as SVG, atomically."""
    with atomic_path(path) as temporary, mpl.rc_context(STYLE):
        figure.savefig(temporary, format="svg", metadata={"Date": None}, bbox_inches="tight")


def confusion_figure(matrices: Mapping[str, np.ndarray], classes: Sequence[str]) -> Figure:
    """One panel per method: of each true class (row), the share predicted as each class.

    Args:
        matrices: method's title -> (C, C) counts, rows are true classes.
    """
    columns = min(4, max(1, len(matrices)))
    rows = max(1, -(-len(matrices) // columns))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(2.6 * columns, 2.7 * rows), layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes, (title, counts) in zip(grid.flat, matrices.items(), strict=False):
            _confusion(axes, title, counts, classes)
        for axes in grid.flat[len(matrices) :]:
            axes.set_axis_off()
    return figure


def _confusion(axes: Any, title: str, counts: np.ndarray, classes: Sequence[str]) -> None:
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    for row, column in np.ndindex(*shares.shape):
        color = "white" if shares[row, column] > 0.5 else "black"
        text = f"{100 * shares[row, column]:.0f}" if totals[row, 0] else "–"
        axes.text(column, row, text, ha="center", va="center", color=color)
    axes.set_title(title)
    axes.set_xticks(range(len(classes)), classes)
    axes.set_yticks(range(len(classes)), classes)
    axes.set_xlabel("predicted (percent of the row)")
    axes.set_ylabel("true")


def timeline_figure(
    onset_h: np.ndarray,
    strips: Mapping[str, tuple[np.ndarray, np.ndarray]],
    classes: Sequence[str],
    title: str,
) -> Figure:
    """The true and predicted class of each window of one record, one strip per subset.

    Args:
        onset_h: (n,) hours from the start of the record, rising.
        strips: subset's title -> true (n,) and predicted (n,) class indices; none: the figure says
            so.
    """
    if not strips:
        return _empty(f"{title}: nothing was predicted")
    step_h = float(np.median(np.diff(onset_h))) if len(onset_h) > 1 else 1.0
    broken = np.flatnonzero(np.diff(onset_h) > 1.5 * step_h) + 1  # the line stops at a gap
    with mpl.rc_context(STYLE):
        height = 0.6 + (0.25 * len(classes) + 0.35) * len(strips)
        figure = Figure(figsize=(9, height), layout="constrained")
        grid = figure.subplots(len(strips), 1, sharex=True, squeeze=False)
        for axes, (name, (true, said)) in zip(grid.flat, strips.items(), strict=True):
            hours = np.insert(onset_h, broken, np.nan)
            drawn = np.insert(true.astype(float), broken, np.nan)
            axes.step(hours, drawn, where="post", color="0.35", linewidth=0.9, label="true")
            wrong = true != said
            axes.plot(onset_h[wrong], said[wrong], "|", color="tab:red", label="predicted wrongly")
            axes.set_yticks(range(len(classes)), classes)
            axes.set_ylim(len(classes) - 0.5, -0.5)
            axes.set_title(f"{name}: {100 * np.mean(~wrong):.1f} percent right", loc="left")
        grid.flat[-1].set_xlabel("hours")
        handles, names = grid.flat[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower right", ncols=2, frameon=False)
        figure.suptitle(title)
    return figure


def _empty(text: str) -> Figure:
    """A figure that says why there is none."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6, 1), layout="constrained")
        figure.text(0.5, 0.5, text, ha="center", va="center")
    return figure


def subset_figure(means: pd.DataFrame, labels: Mapping[str, str], metric: str) -> Figure:
    """Bars of a score for every subset, one colour per method; whiskers are sd over folds.

    Args:
        means: columns title (of the method), subset, mean and sd in percent; in drawing order.
        labels: subset -> what to print below its bars, in order.
    """
    titles = list(dict.fromkeys(means["title"]))
    width = 0.8 / max(1, len(titles))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(max(5.0, 1.3 * len(labels)), 3), layout="constrained")
        axes = figure.subplots()
        colors = mpl.color_sequences["tab10" if len(titles) <= 10 else "tab20"]
        for position, title in enumerate(titles):
            mine = means[means["title"] == title].set_index("subset").reindex(list(labels))
            at = np.arange(len(labels)) + (position - (len(titles) - 1) / 2) * width
            spread = mine["sd"].fillna(0.0)
            axes.bar(
                at,
                mine["mean"],
                width,
                yerr=spread,
                label=title,
                color=colors[position % len(colors)],
                error_kw={"linewidth": 0.7},
            )
        axes.set_xticks(range(len(labels)), list(labels.values()), rotation=20, ha="right")
        axes.set_ylabel(f"{metric.upper()} (percent)")
        axes.set_ylim(0, 100)
        figure.legend(loc="outside upper center", ncols=5, frameon=False)
    return figure


def curve_figure(curves: Mapping[str, pd.DataFrame]) -> Figure:
    """One panel per logged term, over epochs; one line per run.

    Args:
        curves: run's title -> numeric columns, one of them `epoch`. `<term>_chance` is drawn
            dashed in the term's panel.
    """
    names = {name for table in curves.values() for name in table} - {"epoch", "step"}
    terms = sorted(name for name in names if name.removesuffix("_chance") not in names - {name})
    terms.sort(key=lambda name: name != "loss")  # the total first
    columns = min(3, max(1, len(terms)))
    rows = max(1, -(-len(terms) // columns))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.2 * columns, 2.4 * rows), layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes, term in zip(grid.flat, terms, strict=False):
            for title, table in curves.items():
                if term in table:
                    known = table[["epoch", term]].dropna()
                    (line,) = axes.plot(known["epoch"], known[term], label=title, linewidth=1)
                    if f"{term}_chance" in table:
                        known = table[["epoch", f"{term}_chance"]].dropna()
                        axes.plot(*known.to_numpy().T, "--", color=line.get_color(), linewidth=0.7)
            axes.set_title(term)
            axes.set_xlabel("epoch")
        for axes in grid.flat[len(terms) :]:
            axes.set_axis_off()
        handles = {}
        for axes in grid.flat:
            lines, names = axes.get_legend_handles_labels()
            handles.update(zip(names, lines, strict=True))
        if len(curves) > 1:
            figure.legend(
                handles.values(), handles.keys(), loc="outside lower center", ncols=3, frameon=False
            )
    return figure
