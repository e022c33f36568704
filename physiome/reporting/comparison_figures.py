"""Figures that compare methods: scores by missing modalities, errors of restored modalities."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from physiome.config.report import MethodEntry
from physiome.reporting.labels import end_labels
from physiome.reporting.style import COLUMN, INK, PAGE, STYLE, empty_figure, figure_of, looks

MARKS = "osD^vPX*"  # of methods in grey
FAR = 4.0  # relative errors beyond it, as of weights that nobody trained, need a logarithmic axis


def robustness_figure(
    points: pd.DataFrame, methods: Mapping[str, MethodEntry], metric: str
) -> Figure:
    """A score against the number of missing modalities, one line per method, controls dashed.

    Args:
        points: from `by_missing`; a NaN breaks the line.
        methods: name -> title and scope, in drawing order; one without any point is left out.
        metric: what the score is called.
    """
    scored = points[points["mean"].notna()]
    drawn = [name for name in methods if (scored["method"] == name).any()]
    if not drawn:
        return empty_figure("No number of missing modalities has a score.")
    height = max(2.6, 0.7 + 0.13 * len(drawn))
    with mpl.rc_context(STYLE):
        figure = figure_of(COLUMN, height)
        axes = figure.subplots()
        for name in drawn:
            mine = points[points["method"] == name].sort_values("missing")
            draw_line(axes, mine["missing"], mine["mean"], looks(methods)[name])
        axes.margins(x=0.03)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("missing modalities (mean over the subsets)")
        axes.set_ylabel(f"{metric.upper()} (percent)")
        name_lines(axes, scored, "missing", methods, drawn, height - 0.6)
    return figure


def draw_line(axes: Any, x: pd.Series, y: pd.Series, look: Any) -> None:
    """A method's line, as it looks."""
    axes.plot(
        x, y, look.line, label=look.title, color=look.color, marker="o", markersize=2.5,
        linewidth=look.width, zorder=look.order,
    )  # fmt: skip


def name_lines(
    axes: Any,
    scored: pd.DataFrame,
    x: str,
    methods: Mapping[str, MethodEntry],
    drawn: list[str],
    height: float,
    falling: bool = False,
) -> None:
    """Name each method's line at its last point; `falling`: that of the smallest x."""
    ends = []
    for name in drawn:
        mine = scored[scored["method"] == name].sort_values(x, ascending=not falling)
        if len(mine):
            look = looks(methods)[name]
            ends.append((mine[x].iloc[-1], mine["mean"].iloc[-1], look.title, look.ink))
    end_labels(axes, ends, height)


def restoration_figure(
    errors: pd.DataFrame, methods: Mapping[str, MethodEntry], modalities: Mapping[str, str]
) -> Figure:
    """The relative error of each restored modality from each observed subset, a dot per method.

    Whiskers are sd over folds; a line at 1 is the error of restoring the average token. Without
    any row the figure says so.

    Args:
        errors: from `restoration_errors`, one data set.
        methods: name -> title and scope, in drawing order.
        modalities: name -> title, in drawing order.
    """
    drawn = [name for name in methods if (errors["method"] == name).any()]
    if not drawn:
        return empty_figure("No method restores missing modalities.")
    found = errors[["modality", "subset"]].drop_duplicates()
    rows = [(m, s) for m in modalities for s in found.loc[found["modality"] == m, "subset"]]
    lane = min(0.25, 0.75 / len(drawn))
    with mpl.rc_context(STYLE):
        figure = figure_of(PAGE, 0.9 + len(rows) * max(0.22, 0.08 * len(drawn)))
        axes = figure.subplots()
        for place, name in enumerate(drawn):
            look, shift = looks(methods)[name], lane * (place - (len(drawn) - 1) / 2)
            mine = errors[errors["method"] == name].set_index(["modality", "subset"]).reindex(rows)
            axes.errorbar(
                mine["relative"], np.arange(len(rows)) + shift,
                xerr=mine["relative_sd"].fillna(0.0),
                fmt="o" if look.strong else MARKS[place % len(MARKS)], markersize=3.2,
                color=look.color, elinewidth=look.width, label=look.title, zorder=look.order,
                mfc="white" if look.line == "--" else look.color,
            )  # fmt: skip
        _explain(axes, rows, modalities)
        figure.legend(loc="outside upper right", ncols=5)
    return figure


def _explain(axes: Any, rows: list[tuple[str, str]], modalities: Mapping[str, str]) -> None:
    """Names of the rows, lines between restored modalities, and what 1 means."""
    axes.axvline(1.0, color=INK, linewidth=0.8, linestyle=":")
    for place, (one, other) in enumerate(pairwise(rows)):
        if one[0] != other[0]:
            axes.axhline(place + 0.5, color="0.85", linewidth=0.6)
    names = [
        f"{modalities[m]} from {' + '.join(modalities[part] for part in s.split('+'))}"
        for m, s in rows
    ]
    axes.set_yticks(range(len(rows)), names)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    largest = axes.get_xlim()[1]
    if largest > FAR:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xlim(None, max(1.25, 1.3 * largest))
    else:
        axes.set_xlim(0, max(1.25, largest))
    axes.text(
        1.0, 1.01, "error of restoring the average token", color=INK, ha="left", va="bottom",
        transform=axes.get_xaxis_transform(), size=6.5,
    )  # fmt: skip
    axes.set_xlabel("squared error of restored tokens / their variance (less is better)")
