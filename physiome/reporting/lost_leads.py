"""The figure of scores by the number of leads that a modality has left."""

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from physiome.config.report import MethodEntry
from physiome.reporting.comparison_figures import draw_line, name_lines
from physiome.reporting.style import COLUMN, PAGE, STYLE, empty_figure, figure_of, looks


def lost_leads_figure(
    table: pd.DataFrame,
    methods: Mapping[str, MethodEntry],
    modalities: Mapping[str, str],
    metric: str,
) -> Figure:
    """A panel per modality and subset: the score against the leads left, a line per method.

    Args:
        table: from `by_leads`.
        methods: name -> title and scope, in drawing order; controls are dashed.
        modalities: name -> title.
    """
    shown = table[(table["metric"] == metric) & table["mean"].notna()]
    panels = list(dict.fromkeys(zip(shown["modality"], shown["subset"], strict=True)))
    if not panels:
        return empty_figure("No score with leads taken away is defined.")
    drawn = [name for name in methods if (shown["method"] == name).any()]
    columns, deep = min(2, len(panels)), -(-len(panels) // 2)
    height = max(2.6, 0.7 + 0.13 * len(drawn))
    with mpl.rc_context(STYLE):
        figure = figure_of(PAGE if columns == 2 else COLUMN, height * deep)
        grid = figure.subplots(deep, columns, sharey=True, squeeze=False)
        for axes, (modality, subset) in zip(grid.flat, panels, strict=False):
            here = shown[(shown["modality"] == modality) & (shown["subset"] == subset)]
            for name in drawn:
                mine = here[here["method"] == name].sort_values("left")
                draw_line(axes, mine["left"], mine["mean"], looks(methods)[name])
            _leads(axes, sorted(here["left"].unique()))
            axes.set_title(" + ".join(modalities[m] for m in subset.split("+")))
            axes.set_xlabel(f"leads of {modalities[modality]} left")
        for axes, (modality, subset) in zip(grid.flat, panels, strict=False):  # y is known now
            here = shown[(shown["modality"] == modality) & (shown["subset"] == subset)]
            name_lines(axes, here, "left", methods, drawn, height - 0.7, falling=True)
        for axes in list(grid.flat)[len(panels) :]:
            axes.set_axis_off()
        for axes in grid[:, 0]:
            axes.set_ylabel(f"{metric.upper()} (percent)")
    return figure


def _leads(axes: Any, left: list[int]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(left, map(str, left))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.invert_xaxis()
