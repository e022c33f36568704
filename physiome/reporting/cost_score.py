"""What a score costs: trained parameters and minutes of training against the score."""

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

from physiome.config.report import MethodEntry
from physiome.reporting.labels import end_labels, point_labels
from physiome.reporting.style import EMPHASIS, INK, PAGE, STYLE, empty_figure, figure_of, looks

SIZES = {EMPHASIS[0]: 6.5, **dict.fromkeys(EMPHASIS[1:], 4.0)}  # a point on the main one is seen
WIDE = 20  # beyond it ticks stand at powers of ten alone
HEIGHT = 2.6  # of the axes in inches, about
AXES = {
    "parameters": "parameters of the trained model",
    "minutes": "minutes of training, pretraining included",
}


def cost_figure(costs: pd.DataFrame, methods: Mapping[str, MethodEntry], score: str) -> Figure:
    """A point per trained method in each panel; what is not trained is a dashed line.

    Args:
        costs: method, parameters, minutes (NaN or 0 of what is not trained), and mean, the score
            in percent.
        methods: name -> title and scope; in colour as `looks` says.
        score: what it is called.
    """
    known = costs[costs["mean"].notna() & costs["method"].isin(list(methods))]
    trained = known[(known["parameters"] > 0) & (known["minutes"] > 0)]
    if trained.empty:
        return empty_figure("No method was trained, so none has a cost.")
    free = known[~known["method"].isin(list(trained["method"]))]
    with mpl.rc_context(STYLE):
        figure = figure_of(PAGE, 3.2)
        grid = figure.subplots(1, len(AXES), sharey=True)
        for axes, (column, title) in zip(grid, AXES.items(), strict=True):
            for row in trained.itertuples():
                look = looks(methods)[str(row.method)]
                axes.plot(
                    getattr(row, column), row.mean, "o", color=look.color, zorder=look.order,
                    markersize=SIZES.get(look.color, 3.5),
                    mfc="white" if look.line == "--" else look.color,
                )  # fmt: skip
            axes.set_xscale("log")
            wide = trained[column].max() > WIDE * trained[column].min()
            axes.xaxis.set_major_locator(LogLocator(subs=(1,) if wide else (1, 2, 5), numticks=8))
            plain = column == "minutes"
            axes.xaxis.set_major_formatter("{x:g}" if plain else EngFormatter(sep=""))
            axes.xaxis.set_minor_locator(NullLocator())
            axes.margins(x=0.25, y=0.08)
            axes.set_xlabel(title)
        low, high = trained["mean"].min(), trained["mean"].max()
        room = max(0.5, 0.1 * (high - low))
        near = free.loc[free["mean"] > low - (high - low), "mean"]
        low, high = min([low, *near]), max([high, *near])
        grid[0].set_ylim(low - room, high + room)
        _untrained(grid, free, methods)
        for axes, column in zip(grid, AXES, strict=True):
            _names(axes, trained, column, methods)
        grid[0].set_ylabel(score)
    return figure


def _untrained(grid: Any, free: pd.DataFrame, methods: Mapping[str, MethodEntry]) -> None:
    """Lines across both panels, named at the right; of scores far below only the name."""
    low, right = grid[0].get_ylim()[0], grid[-1].get_xlim()[1]
    ends = []
    for name, score in zip(free["method"], free["mean"], strict=True):
        said = "not trained" if score >= low else f"below: {score:.1f}"
        ends.append((right, max(score, low), f"{methods[name].title} ({said})", INK))
        for axes in grid if score >= low else ():
            axes.axhline(score, color="0.75", linewidth=0.7, linestyle="--", zorder=1)
    end_labels(grid[-1], ends, HEIGHT)


def _names(
    axes: Any, trained: pd.DataFrame, column: str, methods: Mapping[str, MethodEntry]
) -> None:
    drawn = looks(methods)
    points = [
        (getattr(row, column), row.mean, drawn[str(row.method)].title, drawn[str(row.method)].ink)
        for row in trained.itertuples()
    ]
    points.sort(key=lambda point: point[3] == INK)
    point_labels(axes, points, (2.4, HEIGHT))
