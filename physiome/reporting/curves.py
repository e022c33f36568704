"""Training curves: a row of panels per model."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from physiome.reporting.style import (
    BLACK,
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PAGE,
    PURPLE,
    SKY,
    STYLE,
    VERMILION,
    figure_of,
)

COLORS = [ORANGE, BLUE, GREEN, VERMILION, PURPLE, SKY, BLACK]  # of lines: neighbours far apart
MONITOR = "monitor "
# What a training logs beside the terms of its loss
BESIDE = ("_chance", "_accuracy", "feature_variance", "gradient_norm", "lr")
# What a monitor sees that is no score between 0 and 1
SIZES = ("effective_rank", "feature_variance", "moved")
ALONE = ("loss", "monitor effective_rank")  # their panels are named after them
PANELS = ("loss", "terms of the loss", "monitor: scores", "monitor: rank")


def curve_figure(models: Mapping[str, Mapping[str, pd.DataFrame]]) -> Figure:
    """A row per model: its loss, the loss's terms, what the monitor saw; over epochs.

    Thin lines are single runs (folds, modalities), thick ones the mean over them, as far as all
    of them go. The chance level of a contrast (`<term>_chance`) is dashed.

    Args:
        models: name -> run's title -> numeric columns, one of them `epoch`.
    """
    with mpl.rc_context(STYLE):
        figure = figure_of(PAGE, 0.3 + 1.35 * len(models))
        grid = figure.subplots(len(models), len(PANELS), squeeze=False)
        for row, (name, runs) in zip(grid, models.items(), strict=True):
            tables = [_by_term(table.set_index("epoch")) for table in runs.values()]
            columns = list(dict.fromkeys(column for table in tables for column in table))
            scores = [c for c in columns if c.startswith(MONITOR) and not c.endswith(SIZES)]
            shown = ([ALONE[0]], loss_terms(columns), scores, [ALONE[1]])
            for axes, wanted in zip(row, shown, strict=True):
                _panel(axes, tables, [c for c in wanted if c in columns])
            row[0].set_title(name, fontweight="bold")
            for axes, title in zip(row, PANELS, strict=True):
                axes.set_ylabel(title)
        for axes in grid[-1]:
            axes.set_xlabel("epoch")
    return figure


def _by_term(table: pd.DataFrame) -> pd.DataFrame:
    """Of a method that holds a model of each subset (`<subset>/<term>`), the mean of each term."""
    return table.T.groupby(lambda column: column.rpartition("/")[2], sort=False).mean().T


def loss_terms(columns: Sequence[str]) -> list[str]:
    """Columns that are terms of a loss, not the total and not what is logged beside them."""
    plain = [c for c in columns if c not in ("loss", "step") and not c.startswith(MONITOR)]
    return [c for c in plain if not c.endswith(BESIDE)]


def _panel(axes: Any, tables: Sequence[pd.DataFrame], columns: list[str]) -> None:
    colors = [BLUE] if columns and columns[0] in ALONE else COLORS
    for column, color in zip(columns, colors * len(columns), strict=False):
        chance = f"{column}_chance"
        for table in tables if len(tables) > 1 else ():
            if column in table:
                known = table[column].dropna()
                axes.plot(known.index, known, color=color, linewidth=0.4, alpha=0.5)
        if any(chance in table for table in tables):
            axes.plot(*_mean(tables, chance), "--", color=color, linewidth=0.7)
        epochs, mean = _mean(tables, column)
        axes.plot(
            epochs, mean, marker="o" if len(epochs) < 10 else "", markersize=2.2, color=color,
            linewidth=1.2, label=column.removeprefix(MONITOR).replace("_", " "),
        )  # fmt: skip
    if not columns:
        axes.text(0.5, 0.5, "none", transform=axes.transAxes, ha="center", color=INK)
        axes.set_yticks([])
    if columns and columns[0] not in ALONE:
        axes.legend(fontsize=5, handlelength=1.0, labelspacing=0.2, borderpad=0.1)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4))


def _mean(tables: Sequence[pd.DataFrame], column: str) -> tuple[np.ndarray, np.ndarray]:
    """Epochs that all runs have, and the mean over runs."""
    values = [table[column].dropna() for table in tables if column in table]
    joined = pd.concat(values, axis=1, join="inner").sort_index()
    return joined.index.to_numpy(), joined.mean(axis=1).to_numpy()
