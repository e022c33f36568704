"""Figures that compare methods: scores by missing modalities, errors of restored modalities."""

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from physiome.config.report import MethodEntry
from physiome.reporting.figures import STYLE


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
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5, 3.4), layout="constrained")
        axes = figure.subplots()
        colors = mpl.color_sequences["tab10" if len(drawn) <= 10 else "tab20"]
        for place, name in enumerate(drawn):
            mine = points[points["method"] == name].sort_values("missing")
            dashed = methods[name].scope == "control"
            axes.plot(
                mine["missing"],
                mine["mean"],
                "--" if dashed else "-",
                label=methods[name].title,
                color=colors[place % len(colors)],
                marker="o",
                markersize=3,
                linewidth=1.1,
            )
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("missing modalities (mean over the subsets)")
        axes.set_ylabel(f"{metric.upper()} (percent)")
        figure.legend(loc="outside right upper", frameon=False)
    return figure


def restoration_figure(
    errors: pd.DataFrame, methods: Mapping[str, str], modalities: Mapping[str, str]
) -> Figure:
    """Bars of the relative error of each restored modality, by what was observed.

    One panel per method; whiskers are sd over folds; a line at 1 is the error of restoring the
    mean. Without any row the figure says so.

    Args:
        errors: from `restoration_errors`, one data set.
        methods: name -> title, in drawing order.
        modalities: name -> title, in drawing order.
    """
    drawn = [name for name in methods if (errors["method"] == name).any()]
    if not drawn:
        return empty_figure("No method restores missing modalities.")
    with mpl.rc_context(STYLE):
        subsets = list(dict.fromkeys(errors["subset"]))
        figure = Figure(
            figsize=(max(4.0, 1.1 * len(subsets)), 2.8 * len(drawn)), layout="constrained"
        )
        grid = figure.subplots(len(drawn), 1, squeeze=False)
        for axes, name in zip(grid.flat, drawn, strict=True):
            _restored(axes, errors[errors["method"] == name], subsets, modalities)
            axes.set_title(methods[name], loc="left")
        handles, names = grid.flat[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=4, frameon=False)
    return figure


def _restored(
    axes: Any, errors: pd.DataFrame, subsets: list[str], modalities: Mapping[str, str]
) -> None:
    colors = mpl.color_sequences["tab10"]
    for place, (modality, title) in enumerate(modalities.items()):
        mine = errors[errors["modality"] == modality].set_index("subset").reindex(subsets)
        width = 0.8 / len(modalities)
        at = np.arange(len(subsets)) + (place - (len(modalities) - 1) / 2) * width
        axes.bar(
            at,
            mine["relative"].fillna(0.0),
            width,
            yerr=mine["relative_sd"].fillna(0.0),
            label=f"{title} restored",
            color=colors[place % len(colors)],
            error_kw={"linewidth": 0.7},
        )
    axes.axhline(1.0, color="0.4", linewidth=0.8, linestyle=":")
    observed = [" + ".join(modalities[m] for m in subset.split("+")) for subset in subsets]
    axes.set_xticks(range(len(subsets)), observed, rotation=20, ha="right")
    axes.set_xlabel("observed")
    axes.set_ylabel("squared error / variance")


def empty_figure(text: str) -> Figure:
    """A figure that says why there is nothing to draw."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4, 1), layout="constrained")
        figure.text(0.5, 0.5, text, ha="center", va="center")
    return figure
