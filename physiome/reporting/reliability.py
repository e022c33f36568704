"""Whether probabilities mean what they say: how often the predicted class is right."""

from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from physiome.config.report import MethodEntry
from physiome.reporting.style import COLUMN, INK, STYLE, empty_figure, figure_of, looks

BINS = 10
MARKS = "osD"


def reliability_bins(top: np.ndarray, right: np.ndarray, bins: int = BINS) -> pd.DataFrame:
    """Equal, right-closed bins of the largest probability that hold any window.

    Args:
        top: (n,) largest probability of a window.
        right: (n,) whether its class is right.

    Returns:
        said (mean probability), right (share), windows (share of all).
    """
    place = np.clip(np.ceil(top * bins).astype(int) - 1, 0, bins - 1)
    table = pd.DataFrame({"place": place, "said": top, "right": right.astype(float)})
    found = table.groupby("place").agg(
        said=("said", "mean"), right=("right", "mean"), windows=("said", "size")
    )
    return found.assign(windows=found["windows"] / max(len(top), 1)).reset_index(drop=True)


def reliability_figure(
    curves: Mapping[str, tuple[pd.DataFrame, float]], methods: Mapping[str, MethodEntry]
) -> Figure:
    """Share right against probability, and below the share of all windows that had it.

    Args:
        curves: method -> (from `reliability_bins`, its expected calibration error).
        methods: name -> title and scope.
    """
    if not curves:
        return empty_figure("No method predicted windows that carry every modality.")
    with mpl.rc_context(STYLE):
        figure = figure_of(COLUMN, 3.4)
        axes, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        low = min(float(table["said"].min()) for table, _ in curves.values())
        low = max(0.0, np.floor(10 * low) / 10)
        axes.plot([low, 1], [low, 1], ":", color=INK, linewidth=0.8, label="as often as it says")
        for (name, (table, ece)), mark in zip(curves.items(), MARKS * len(curves), strict=False):
            look = looks(methods)[name]
            label = f"{look.title}: calibration error {100 * ece:.1f} %"
            for place, column in ((axes, "right"), (below, "windows")):
                place.plot(
                    table["said"], table[column], look.line, color=look.color, marker=mark,
                    markersize=3.2, linewidth=look.width, zorder=look.order, label=label,
                )  # fmt: skip
        axes.set_ylabel("share of windows that are right")
        axes.set_ylim(0, 1.02)
        below.set_ylim(0, None)
        below.set_ylabel("share of all")
        below.set_xlabel("probability of the predicted class\n(windows of all folds together)")
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=1)
    return figure
