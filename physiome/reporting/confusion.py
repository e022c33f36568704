"""Confusion matrices, with shares and counts."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from physiome.reporting.style import PAGE, STYLE, empty_figure, figure_of


def confusion_figure(
    matrices: Mapping[str, np.ndarray], classes: Sequence[str], title: str = ""
) -> Figure:
    """One panel per subset: of each true class (row), percent predicted as each class, and windows.

    Args:
        matrices: panel's title -> (C, C) counts, rows are true classes.
    """
    if not matrices:
        return empty_figure(f"{title}: nothing was predicted")
    with mpl.rc_context(STYLE):
        name_in = 0.065 * max(map(len, classes))  # of the longest name, about
        cell_in = min(max(0.52, name_in), 2.6 / len(classes))
        width = min(PAGE, len(matrices) * (1.0 + cell_in * len(classes)))
        figure = figure_of(width, 1.0 + cell_in * len(classes))
        grid = figure.subplots(1, len(matrices), squeeze=False)[0]
        for axes, (name, counts) in zip(grid, matrices.items(), strict=True):
            _confusion(axes, name, counts, classes)
        grid[0].set_ylabel("true class")
        if title:
            figure.suptitle(title, x=0.01, ha="left", size=8)
    return figure


def _confusion(axes: Any, title: str, counts: np.ndarray, classes: Sequence[str]) -> None:
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    for row, column in np.ndindex(*shares.shape):
        color = "white" if shares[row, column] > 0.5 else "black"
        text = f"{100 * shares[row, column]:.0f} %" if totals[row, 0] else "–"
        axes.text(column, row - 0.12, text, ha="center", va="center", color=color)
        number = f"{int(counts[row, column])}"
        axes.text(column, row + 0.24, number, ha="center", va="center", color=color, size=5)
    axes.set_title(title)
    axes.set_xticks(range(len(classes)), classes)
    axes.set_yticks(range(len(classes)), classes)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("predicted class")
