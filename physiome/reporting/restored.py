"""Restored tokens of one window beside the true ones."""

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from physiome.reporting.style import PAGE, STYLE, empty_figure, figure_of

COLORMAP = "PuOr"  # two signs, told apart with any colour vision


def restored_figure(
    examples: Mapping[str, Mapping[str, Any]], modalities: Mapping[str, str], title: str
) -> Figure:
    """A row for each modality: its true tokens, and as they are restored from all others.

    Args:
        examples: as `physiome.evaluation.restored_example` returns them; empty: the figure says so.
        modalities: name -> title, in drawing order.
        title: names data set, method and fold.
    """
    drawn = [m for m in modalities if m in examples]
    if not drawn:
        return empty_figure("No method restores missing modalities.")
    with mpl.rc_context(STYLE):
        figure = figure_of(PAGE, 0.7 + 1.25 * len(drawn))
        grid = figure.subplots(len(drawn), 2, sharex="row", sharey=True, squeeze=False)
        for pair, m in zip(grid, drawn, strict=True):
            one = examples[m]
            tokens = [np.asarray(one[kind]).T for kind in ("true", "restored")]  # (K, N) each
            reach = float(max(np.abs(tokens[0]).max(), 1e-12))
            extent = (0.5, tokens[0].shape[1] + 0.5, len(tokens[0]) + 0.5, 0.5)
            for axes, values in zip(pair, tokens, strict=True):
                image = axes.imshow(
                    values, aspect="auto", cmap=COLORMAP, vmin=-reach, vmax=reach, extent=extent,
                    interpolation="nearest",
                )  # fmt: skip
                axes.set_yticks([1, len(tokens[0])])
            figure.colorbar(image, ax=pair, pad=0.01, aspect=12)
            observed = " + ".join(modalities[x] for x in one["observed"].split("+"))
            where = f"{one['record']}, {one['onset_s'] / 60:.1f} min"
            pair[0].set_title(f"{modalities[m]}, true ({where})")
            pair[1].set_title(f"from {observed}: {one['relative']:.2f} of the variance is wrong")
            pair[0].set_ylabel("component")
        for axes in grid[-1]:
            axes.set_xlabel("token, in time")
        figure.suptitle(title, x=0.01, ha="left", size=8)
    return figure
