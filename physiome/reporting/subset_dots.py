"""A score of every method and subset, with intervals over test subjects."""

from collections.abc import Mapping
from textwrap import fill
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from physiome.config.report import MethodEntry
from physiome.reporting.style import PAGE, STYLE, Look, empty_figure, figure_of, looks

PANELS = 4  # in a row
LETTERS = 24  # of a panel's title that stand beside each other


def subset_figure(
    cells: pd.DataFrame,
    methods: Mapping[str, MethodEntry],
    labels: Mapping[str, str],
    metric: str,
    main: str,
) -> Figure:
    """A panel per subset, a row per method: its score as a dot on its interval.

    Args:
        cells: columns method, subset, and mean, low, high in percent; low and high may be NaN.
        methods: name -> title and scope, in drawing order: emphasised ones come first.
        labels: subset -> what to print above its panel, in order.
        main: whose score a line in each panel shows.
    """
    known = cells[cells["mean"].notna()]
    there = {name: look for name, look in looks(methods).items() if (known["method"] == name).any()}
    rows = sorted(there, key=lambda m: (not there[m].strong, methods[m].scope == "control"))
    if not rows:
        return empty_figure("No subset has a score.")
    labels = {s: fill(title, LETTERS, break_long_words=False) for s, title in labels.items()}
    lines = max(title.count("\n") for title in labels.values())  # beyond the first
    columns = min(PANELS, len(labels))
    deep = -(-len(labels) // columns)
    with mpl.rc_context(STYLE):
        figure = figure_of(PAGE, 0.35 + deep * (0.45 + 0.12 * lines + 0.14 * len(rows)))
        grid = figure.subplots(deep, columns, sharex=True, sharey=True, squeeze=False)
        for axes, (subset, title) in zip(grid.flat, labels.items(), strict=False):
            here = known[known["subset"] == subset].set_index("method")
            for place, name in enumerate(rows):
                if name in here.index:
                    _dot(axes, here.loc[name], len(rows) - 1 - place, there[name])
            if main in here.index:
                axes.axvline(here.loc[main, "mean"], color=there[main].color, lw=0.5, alpha=0.6)
            axes.set_title(title)
        for axes in list(grid.flat)[len(labels) :]:
            axes.set_axis_off()
        for axes in list(grid.flat)[max(0, len(labels) - columns) : len(labels)]:
            axes.tick_params(labelbottom=True)
        _name_rows(grid[:, 0], rows, there)
        grid.flat[0].xaxis.set_major_locator(MaxNLocator(4, integer=True))
        figure.supxlabel(
            f"{metric.upper()} (percent); bars: 95 % of resampled test subjects; line: "
            f"{methods[main].title}; open: controls",
            size=7,
        )
    return figure


def _dot(axes: Any, cell: pd.Series, place: int, look: Look) -> None:
    if pd.notna(cell["low"]):
        axes.plot([cell["low"], cell["high"]], [place, place], "-", color=look.color, lw=look.width)
    filled = look.color if look.line == "-" else "white"  # open: a control
    axes.plot(
        cell["mean"], place, "o", color=look.color, mfc=filled, markersize=3.6, zorder=look.order
    )


def _name_rows(left: Any, rows: list[str], there: Mapping[str, Look]) -> None:
    titles = [there[name].title for name in reversed(rows)]
    for axes in left:
        axes.set_yticks(range(len(rows)), titles)
        axes.set_ylim(-0.7, len(rows) - 0.3)
        for text, name in zip(axes.get_yticklabels(), reversed(rows), strict=True):
            text.set_color(there[name].ink)
            text.set_fontweight("bold" if there[name].strong else "normal")
