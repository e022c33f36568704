"""One record over time: true and predicted classes, and the probabilities below."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from physiome.reporting.style import (
    BLUE,
    INK,
    PAGE,
    STYLE,
    VERMILION,
    colors_of,
    empty_figure,
    figure_of,
)


def timeline_figure(
    onset_h: np.ndarray,
    true: np.ndarray,
    strips: Mapping[str, np.ndarray],
    classes: Sequence[str],
    title: str,
) -> Figure:
    """The true classes of one record's windows; of each subset, what was predicted, how surely.

    Args:
        onset_h: (n,) hours from the start of the record, rising.
        true: (n,) class indices.
        strips: subset's title -> (n, C) probabilities; none: the figure says so.
    """
    if not strips:
        return empty_figure(f"{title}: nothing was predicted")
    with mpl.rc_context(STYLE):
        steps = 0.32 + 0.1 * len(classes)
        figure = figure_of(PAGE, 0.9 + steps + (steps + 1.0) * len(strips))
        ratios = [steps, *[steps, 0.7] * len(strips)]
        first, *rest = figure.subplots(1 + 2 * len(strips), 1, sharex=True, height_ratios=ratios)
        hours, at = _with_gaps(onset_h)
        _steps(first, hours, _spaced(true.astype(float), at), INK, classes)
        first.set_title("true")
        for (name, p), level, share in zip(strips.items(), rest[::2], rest[1::2], strict=True):
            said = p.argmax(axis=1)
            _steps(level, hours, _spaced(said.astype(float), at), BLUE, classes)
            wrong = said != true
            level.plot(onset_h[wrong], said[wrong], "|", color=VERMILION, markersize=5)
            right = 100 * np.mean(~wrong)
            level.set_title(f"predicted from {name}: {right:.1f} percent right")
            _shares(share, hours, _spaced(p.astype(float), at))
        rest[-1].set_xlabel("hours from the start of the record")
        rest[-1].set_xlim(hours[0], hours[-1])
        named = zip(colors_of(len(classes)), classes, strict=True)
        handles: list[Any] = [Patch(color=color, label=name) for color, name in named]
        handles += rest[0].plot([], [], "|", color=VERMILION, label="predicted wrongly")
        figure.legend(handles=handles, loc="outside lower center", ncols=min(7, len(handles)))
        figure.suptitle(title, x=0.01, ha="left", size=8)
    return figure


def _with_gaps(onset_h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Onsets and the last window's end; before each missing stretch an end and NaN, and where."""
    step_h = float(np.diff(onset_h).min()) if len(onset_h) > 1 else 1.0  # windows lie on a grid
    at = np.flatnonzero(np.diff(onset_h) > 1.5 * step_h) + 1
    ends = np.stack([onset_h[at - 1] + step_h, np.full(len(at), np.nan)], axis=1)
    spaced = np.insert(onset_h.astype(float), np.repeat(at, 2), ends.ravel())
    return np.append(spaced, onset_h[-1] + step_h), at


def _spaced(values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Values of windows, of the last before a missing stretch twice, then NaN; as `_with_gaps`."""
    ends = np.stack([values[at - 1], np.full_like(values[at], np.nan)], axis=1)
    spaced = np.insert(values, np.repeat(at, 2), ends.reshape(-1, *values.shape[1:]), axis=0)
    return np.concatenate([spaced, spaced[-1:]])


def _steps(
    axes: Any, hours: np.ndarray, level: np.ndarray, color: str, classes: Sequence[str]
) -> None:
    axes.step(hours, level, where="post", color=color, linewidth=0.9)
    axes.set_yticks(range(len(classes)), classes)
    axes.set_ylim(len(classes) - 0.5, -0.5)


def _shares(axes: Any, hours: np.ndarray, p: np.ndarray) -> None:
    tops = np.cumsum(p, axis=1)
    for c, color in enumerate(colors_of(p.shape[1])):
        low = tops[:, c - 1] if c else np.where(np.isnan(tops[:, 0]), np.nan, 0.0)
        axes.fill_between(hours, low, tops[:, c], step="post", color=color, linewidth=0)
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 1])
    axes.set_ylabel("probability")
