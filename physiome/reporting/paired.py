"""What each test subject gains or loses with one method instead of another."""

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from physiome.config.report import MethodEntry
from physiome.reporting.style import BLUE, GREY, INK, PAGE, STYLE, empty_figure, figure_of


def paired_differences(accuracy: pd.DataFrame, main: str) -> pd.DataFrame:
    """Accuracy of the main method minus that of each other one, of subjects that both have.

    Args:
        accuracy: method, fold, subject, acc (fraction); one subset, or means over some.

    Returns:
        method, subject, difference (percent points).
    """
    wide = accuracy.pivot_table(index=["fold", "subject"], columns="method", values="acc")
    if main not in wide:
        return pd.DataFrame(columns=["method", "subject", "difference"])
    gains = 100 * wide.drop(columns=main).rsub(wide[main], axis=0)
    found = gains.reset_index("fold", drop=True).melt(ignore_index=False, value_name="difference")
    return found.dropna().reset_index()[["method", "subject", "difference"]]


def paired_figure(
    panels: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]],
    methods: Mapping[str, MethodEntry],
    main: str,
) -> Figure:
    """A panel per choice of subsets, a row per other method, a dot per subject.

    Args:
        panels: title -> (from `paired_differences`; method, mean, low, high of its differences).
        methods: name -> title and scope, in drawing order.
        main: whose accuracy the others' is taken from.
    """
    there = {m for gains, _ in panels.values() for m in gains["method"]}
    rows = [name for name in methods if name in there]
    if not rows:
        return empty_figure("There is no other method to compare with.")
    with mpl.rc_context(STYLE):
        figure = figure_of(PAGE, 0.8 + 0.19 * len(rows))
        grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, (title, (gains, means)) in zip(grid, panels.items(), strict=True):
            for place, name in enumerate(rows):
                own = gains.loc[gains["method"] == name, "difference"].to_numpy()
                _row(axes, place, own, means[means["method"] == name])
            axes.axvline(0, color=INK, linewidth=0.6)
            axes.set_title(title)
            axes.set_xlabel(f"accuracy of {methods[main].title} minus the other's (percent points)")
        grid[0].set_yticks(range(len(rows)), [methods[name].title for name in rows])
        grid[0].set_ylim(len(rows) - 0.5, -0.5)
    return figure


def _row(axes: Any, place: int, gains: np.ndarray, mean: pd.DataFrame) -> None:
    shift = 0.22 * np.sin(2.4 * np.arange(len(gains)))  # so that equal dots are seen apart
    axes.plot(gains, place + shift, "o", color=GREY, markersize=2.5, mew=0, alpha=0.7)
    for _, row in mean.iterrows():
        axes.plot([row["low"], row["high"]], [place, place], "-", color=BLUE, linewidth=1.5)
        axes.plot(row["mean"], place, "D", color=BLUE, markersize=3.5)
