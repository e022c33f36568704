"""Names beside what they name, instead of a legend: at the ends of lines, and at points."""

from collections.abc import Sequence
from typing import Any

import numpy as np

# Sides of a point on which a name may stand: direction, alignment; the first that is free
SIDES = [
    ((1, 0), "left", "center"), ((-1, 0), "right", "center"), ((0, 1), "center", "bottom"),
    ((0, -1), "center", "top"), ((0.7, 0.9), "left", "bottom"), ((0.7, -0.9), "left", "top"),
    ((-0.7, 0.9), "right", "bottom"), ((-0.7, -0.9), "right", "top"),
]  # fmt: skip
AROUND = [
    ((far * x, far * y), across, along)
    for far in (4, 12, 22)  # points; farther than the first with a line that leads there
    for (x, y), across, along in SIDES
]
LEADER = {"arrowstyle": "-", "lw": 0.4, "color": "0.75", "shrinkA": 1, "shrinkB": 3}
EM = 0.55  # width of a letter, of the size of the font


def spread(values: Sequence[float], gap: float, lowest: float = -np.inf) -> np.ndarray:
    """Positions at least `gap` apart, in the order of the values and as near to them as can be.

    Clusters of values that are too close share their mean; none lies below `lowest`.
    """
    order = np.argsort(values, kind="stable")
    clusters: list[tuple[float, int]] = []  # centre of its values, how many
    for value in np.asarray(values, float)[order]:
        clusters.append((value, 1))
        while len(clusters) > 1 and _too_close(clusters[-2], clusters[-1], gap):
            b, m = clusters.pop()
            a, n = clusters.pop()
            clusters.append(((n * a + m * b) / (n + m), n + m))
    placed = [c + gap * (i - (n - 1) / 2) for c, n in clusters for i in range(n)]
    found = np.empty(len(placed))
    found[order] = np.maximum(placed, lowest + gap * np.arange(len(placed)))
    return found


def _too_close(low: tuple[float, int], high: tuple[float, int], gap: float) -> bool:
    return high[0] - low[0] < gap * (low[1] + high[1]) / 2 - 1e-12


def end_labels(axes: Any, ends: Sequence[tuple[float, float, str, str]], height: float) -> None:
    """Name lines at their ends, to the right of the axes, none over another.

    Args:
        ends: x and y of a line's last point, its name, its colour.
        height: of the axes in inches, about.
    """
    if not ends:
        return
    low, high = axes.get_ylim()
    size = 6.5
    gap = 1.2 * size / 72 / height * (high - low)
    places = spread([y for _, y, _, _ in ends], gap, low)  # below is the label of the axis
    for (x, y, name, color), place in zip(ends, places, strict=True):
        axes.annotate(
            name,
            (x, y),
            (1.06, place),
            textcoords=axes.get_yaxis_transform(),
            va="center",
            size=size,
            color=color,
            arrowprops=LEADER,
        )


def point_labels(
    axes: Any, points: Sequence[tuple[float, float, str, str]], size_in: tuple[float, float]
) -> None:
    """Name points beside them, on the first side that is free.

    Args:
        points: x and y, name, colour; the first have the first choice.
        size_in: of the axes in inches, about.
    """
    inches = axes.transAxes.inverted().transform(
        axes.transData.transform([(x, y) for x, y, _, _ in points])
    ) * np.array(size_in)
    dots = [(72 * x - 3, 72 * y - 3, 72 * x + 3, 72 * y + 3) for x, y in inches]
    taken: list[tuple[float, ...]] = []
    for (x, y, name, color), (left, low, *_) in zip(points, dots, strict=True):
        boxes = [_box(left + 3, low + 3, name, *place) for place in AROUND]
        hits = [sum(_meet(box, other) for other in [*dots, *taken]) for box in boxes]
        outside = [
            box[0] < 0 or box[1] < 0 or box[2] > 72 * size_in[0] or box[3] > 72 * size_in[1] + 8
            for box in boxes
        ]
        best = int(np.argmin(np.add(hits, np.multiply(outside, 3))))
        offset, across, along = AROUND[best]
        taken.append(boxes[best])
        axes.annotate(
            name, (x, y), offset, textcoords="offset points", ha=across, va=along, size=6.5,
            color=color, arrowprops=LEADER if max(map(abs, offset)) > 4 else None,
        )  # fmt: skip


def _box(
    x: float, y: float, name: str, offset: tuple[float, float], across: str, along: str
) -> tuple[float, float, float, float]:
    """left, low, right, high of a name, in points."""
    wide, high = 6.5 * EM * len(name), 7.0
    left = x + offset[0] - {"left": 0.0, "center": wide / 2, "right": wide}[across]
    low = y + offset[1] - {"bottom": 0.0, "center": high / 2, "top": high}[along]
    return left, low, left + wide, low + high


def _meet(one: Sequence[float], other: Sequence[float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
