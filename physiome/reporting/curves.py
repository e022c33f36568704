"""Training curves: a row of panels per model."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from physiome.reporting.style import BLACK, BLUE, GREY, INK, PAGE, STYLE, figure_of
from physiome.reporting.style import COLORS as ALL

COLORS = [color for color in ALL if color != "#F0E442"]  # a yellow line is hardly seen
MONITOR = "monitor "
# What a training logs beside the terms of its loss
BESIDE = ("_chance", "_accuracy", "feature_variance", "gradient_norm", "lr")
# What a monitor sees that is no score between 0 and 1
SIZES = ("effective_rank", "feature_variance", "moved")
PANELS = ("loss", "terms of the loss", "monitor: scores", "monitor: effective rank")


def curve_figure(models: Mapping[str, Mapping[str, pd.DataFrame]]) -> Figure:
    """A row per model: its loss, the loss's terms, what the monitor saw; over epochs.

    Grey lines are single runs (folds, modalities), others the mean over them. The chance level
    of a contrast (`<term>_chance`) is dashed.

    Args:
        models: name -> run's title -> numeric columns, one of them `epoch`.
    """
    with mpl.rc_context(STYLE):
        figure = figure_of(PAGE, 0.3 + 1.35 * len(models))
        grid = figure.subplots(len(models), len(PANELS), squeeze=False)
        for row, (name, runs) in zip(grid, models.items(), strict=True):
            tables = [table.set_index("epoch") for table in runs.values()]
            mean = pd.concat(tables).groupby(level=0).mean()
            _each(row[0], mean, tables, ["loss"] if "loss" in mean else [])
            _terms(row[1], mean, loss_terms(mean))
            scores = [c for c in mean if c.startswith(MONITOR) and not c.endswith(SIZES)]
            _terms(row[2], mean, scores)
            rank = f"{MONITOR}effective_rank"
            _each(row[3], mean, tables, [rank] if rank in mean else [])
            row[0].set_title(name, size=8, fontweight="bold")
            for axes, title in zip(row[1:], PANELS[1:], strict=True):
                axes.set_title(title, color=INK)
            row[0].set_ylabel("loss")
        for axes in grid[-1]:
            axes.set_xlabel("epoch")
    return figure


def loss_terms(table: pd.DataFrame) -> list[str]:
    """Columns that are terms of a loss, not the total and not what is logged beside them."""
    plain = [c for c in table if c not in ("loss", "step") and not c.startswith(MONITOR)]
    return [c for c in plain if not c.endswith(BESIDE)]


def _each(
    axes: Any, mean: pd.DataFrame, tables: Sequence[pd.DataFrame], columns: list[str]
) -> None:
    for column in columns:
        for table in tables if len(tables) > 1 else ():
            if column in table:
                known = table[column].dropna()
                axes.plot(known.index, known, color=GREY, linewidth=0.5)
    _finish(axes, mean, columns, [BLUE])


def _terms(axes: Any, mean: pd.DataFrame, columns: list[str]) -> None:
    for column, color in zip(columns, COLORS * len(columns), strict=False):
        if f"{column}_chance" in mean:
            chance = mean[f"{column}_chance"].dropna()
            axes.plot(chance.index, chance, "--", color=color, linewidth=0.7)
    _finish(axes, mean, columns, COLORS)
    if columns:
        axes.legend(fontsize=5, handlelength=1.0, labelspacing=0.2, borderpad=0.1)


def _finish(axes: Any, mean: pd.DataFrame, columns: list[str], colors: Sequence[str]) -> None:
    if not columns:
        axes.text(0.5, 0.5, "none", transform=axes.transAxes, ha="center", color=INK)
        axes.set_yticks([])
    for column, color in zip(columns, list(colors) * len(columns), strict=False):
        known = mean[column].dropna()
        mark = "o" if len(known) < 10 else ""
        axes.plot(
            known.index, known, marker=mark, markersize=2.2, color=color, linewidth=1.1,
            label=column.removeprefix(MONITOR).replace("_", " "),
        )  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.spines["left"].set_color(BLACK)
