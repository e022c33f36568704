"""The figure of scores by the number of labelled subjects."""

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from physiome.config.report import MethodEntry
from physiome.reporting.comparison_figures import draw_line, name_lines
from physiome.reporting.style import COLUMN, PAGE, STYLE, Look, empty_figure, figure_of, looks


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
    shown = shown.rename(columns={"score": "mean"})
    panels = list(dict.fromkeys(shown["subset"]))
    if not panels:
        return empty_figure("No number of labelled subjects has a score.")
    drawn = [name for name in methods if (shown["method"] == name).any()]
    height = max(2.6, 0.7 + 0.13 * len(drawn))
    with mpl.rc_context(STYLE):
        figure = figure_of(PAGE if len(panels) > 1 else COLUMN, height)
        grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, subset in zip(grid, panels, strict=True):
            here = shown[shown["subset"] == subset]
            for name in drawn:
                mine = here[here["method"] == name].sort_values("labelled")
                _line(axes, mine, looks(methods)[name])
            numbers = sorted(here["labelled"].unique())
            axes.set_xscale("log", base=2)
            axes.set_xticks(numbers, map(str, numbers))
            axes.minorticks_off()
            full = subset == "+".join(modalities)
            axes.set_title("everything observed" if full else "mean of all other subsets")
            axes.set_xlabel("labelled subjects")
        for axes, subset in zip(grid, panels, strict=True):  # y is known now
            here = shown[shown["subset"] == subset]
            name_lines(axes, here, "labelled", methods, drawn, height - 0.7)
        grid[0].set_ylabel(f"{metric.upper()} (percent)")
    return figure


def _line(axes: Any, mine: pd.DataFrame, look: Look) -> None:
    """A method's line; only what the figure is about has its band, as bands hide one another."""
    draw_line(axes, mine["labelled"], mine["mean"], look)
    if look.strong:
        axes.fill_between(
            mine["labelled"], mine["low"], mine["high"], color=look.color, alpha=0.12, lw=0
        )
