"""A recording's predicted classes on one page: what, how surely, and from which signals."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from physiome.files import atomic_path
from physiome.predict.output.sleep import DRAWN, is_staging
from physiome.reporting.style import BLUE, STYLE, colors_of

USED, MISSING = BLUE, "#D9D9D9"
WIDEST = 110  # letters of a line of the title: a wider one would take its width from the axes


def write_picture(
    path: Path,
    table: pd.DataFrame,
    classes: Sequence[str],
    modalities: Sequence[str],
    window_s: float,
    title: str,
) -> None:
    """Write a PNG: class over time, probabilities, and what each window was scored from.

    Args:
        table: of `predict_windows`.
    """
    with mpl.rc_context(STYLE):
        figure = picture(table, classes, modalities, window_s, title)
        FigureCanvasAgg(figure)
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format="png", dpi=150)


def picture(
    table: pd.DataFrame,
    classes: Sequence[str],
    modalities: Sequence[str],
    window_s: float,
    title: str,
) -> Figure:
    """See `write_picture`."""
    hours = np.append(table["onset_s"], table["onset_s"].iloc[-1] + window_s) / 3600
    figure = Figure(figsize=(8.5, 4.6), layout="constrained")
    stage, share, used = figure.subplots(
        3, 1, sharex=True, height_ratios=[3, 3, 0.5 + 0.4 * len(modalities)]
    )
    rows = DRAWN if is_staging(classes) else classes
    places = {name: float(i) for i, name in enumerate(rows)}
    level = np.array([places.get(name, np.nan) for name in table["class"]])
    stage.stairs(level, hours, baseline=None, color="0.2", linewidth=1.1)
    stage.set_yticks(range(len(rows)), rows)
    stage.set_ylim(len(classes) - 0.5, -0.5)
    stage.set_title(fill(title, WIDEST), loc="left")
    p = table[[f"p_{name}" for name in classes]].to_numpy(float)
    below = np.zeros(len(p))
    for i, color in enumerate(colors_of(len(classes))):
        above = below + p[:, i]
        share.stairs(above, hours, baseline=below, fill=True, color=color, label=classes[i])
        below = above
    share.set_ylim(0, 1)
    share.set_ylabel("probability")
    figure.legend(loc="outside right center", frameon=False)
    for row, name in enumerate(modalities):
        here = table["subset"].map(lambda subset, name=name: name in subset.split("+"))
        there = np.where(here & (table["class"] != ""), 1.0, np.nan)
        for values, color in ((np.where(np.isnan(there), 1.0, np.nan), MISSING), (there, USED)):
            used.stairs(row + 0.4 * values, hours, baseline=row - 0.4, fill=True, color=color)
    used.set_yticks(range(len(modalities)), modalities)
    used.set_ylim(len(modalities) - 0.5, -0.5)
    used.set_ylabel("used")
    used.set_xlabel("hours from the start of the recording")
    used.set_xlim(hours[0], hours[-1])
    return figure
