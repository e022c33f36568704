"""The figure of scores by the number of labelled subjects."""

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from physiome.config.report import MethodEntry
from physiome.reporting.figures import STYLE


def few_labels_figure(
    table: pd.DataFrame,
    methods: Mapping[str, MethodEntry],
    modalities: Mapping[str, str],
    metric: str,
) -> Figure:
    """A panel for the full set and one for the mean of all others; a line and band per method.

    Args:
        table: from `by_number`, of one data set.
        methods: name -> title and scope, in drawing order; controls are dashed.
        modalities: name -> title.
    """
    shown = table[(table["metric"] == metric) & table["score"].notna()]
    panels = list(dict.fromkeys(shown["subset"]))
    drawn = [name for name in methods if (shown["method"] == name).any()]
    colors = mpl.color_sequences["tab10" if len(drawn) <= 10 else "tab20"]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(1.8 + 2.6 * max(len(panels), 1), 3.2), layout="constrained")
        axes = figure.subplots(1, max(len(panels), 1), sharey=True, squeeze=False)[0]
        for axis, subset in zip(axes, panels, strict=False):
            here = shown[shown["subset"] == subset]
            for place, name in enumerate(drawn):
                style = "--" if methods[name].scope == "control" else "-"
                mine = here[here["method"] == name].sort_values("labelled")
                _line(axis, mine, methods[name].title, style, colors[place % len(colors)])
            numbers = sorted(here["labelled"].unique())
            axis.set_xscale("log", base=2)
            axis.set_xticks(numbers, map(str, numbers))
            axis.minorticks_off()
            full = subset == "+".join(modalities)
            axis.set_title("everything observed" if full else "mean of all other subsets")
            axis.set_xlabel("labelled subjects")
        axes[0].set_ylabel(f"{metric.upper()} (percent)")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right upper", frameon=False)
    return figure


def _line(axis: Any, mine: pd.DataFrame, title: str, style: str, color: Any) -> None:
    axis.plot(
        mine["labelled"], mine["score"], style, label=title, color=color, marker="o", markersize=3
    )
    axis.fill_between(mine["labelled"], mine["low"], mine["high"], color=color, alpha=0.1, lw=0)
