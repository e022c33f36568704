"""Embeddings of test windows in two dimensions, by class and by subject."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from physiome.reporting.style import GREY, PAGE, STYLE, colors_of, figure_of

SHOWN = 6  # subjects in colour


def embedding_figure(
    points: np.ndarray,
    labels: np.ndarray,
    subjects: np.ndarray,
    classes: Sequence[str],
    explained: Sequence[float],
    title: str,
) -> Figure:
    """The same points twice: coloured by class, and by subject (those with most windows).

    Args:
        points: (n, 2) the first two components.
        labels: (n,) class indices.
        subjects: (n,) whose window it is.
        classes: names, by index.
        explained: share of the variance of each component.
    """
    names, who, sizes = np.unique(subjects, return_inverse=True, return_counts=True)
    largest = np.argsort(-sizes, kind="stable")[:SHOWN]
    with mpl.rc_context(STYLE):
        figure = figure_of(PAGE, 3.3)
        grid = figure.subplots(1, 2, sharex=True, sharey=True)
        by_class = [(name, labels == c) for c, name in enumerate(classes)]
        by_subject = [(str(names[i]), who == i) for i in largest]
        colors = colors_of(len(by_subject))
        if len(names) > SHOWN:
            by_subject.insert(0, (f"{len(names) - SHOWN} others", ~np.isin(who, largest)))
            colors.insert(0, GREY)
        halves = (by_class, colors_of(len(classes))), (by_subject, colors)
        for axes, (groups, own), said in zip(grid, halves, ("by class", "by subject"), strict=True):
            for (name, mine), color in zip(groups, own, strict=True):
                axes.plot(*points[mine].T, "o", color=color, markersize=2.2, mew=0, label=name)
            axes.set_title(said)
            axes.set_xlabel(f"first component ({100 * explained[0]:.0f} % of the variance)")
            axes.legend(loc="upper left", bbox_to_anchor=(0, -0.16), ncols=4, markerscale=2)
        grid[0].set_ylabel(f"second component ({100 * explained[1]:.0f} %)")
        figure.suptitle(title, x=0.01, ha="left", size=8)
    return figure
