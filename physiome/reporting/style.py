"""How figures look, and how they are written: as SVG, and as PDF beside it.

The same numbers give the same bytes: no date, no random identifiers. Colours are Okabe and Ito's,
told apart with any colour vision.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from physiome.config.report import MethodEntry, is_flagship, main_method
from physiome.files import atomic_path

BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, YELLOW, BLACK = "#E69F00", "#56B4E9", "#F0E442", "#000000"
COLORS = (ORANGE, SKY, BLUE, GREEN, VERMILION, PURPLE, YELLOW, BLACK)  # see `colors_of`
EMPHASIS = (BLUE, VERMILION, GREEN, PURPLE)  # of the method that figures are about, its variants
GREY, INK = "0.62", "0.25"  # of other methods' marks, and of their names
COLUMN, PAGE = 3.4, 7.0  # inches: the width of a column of text, and of a page
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "physiome",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,  # text stays text
    "font.size": 7,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "text.parse_math": False,  # a title may hold any sign
}


def colors_of(classes: int) -> list[str]:
    """A colour for each class, in order; no two alike, of more classes than eight along a scale."""
    if classes <= len(COLORS):
        return [*COLORS[:classes]]
    return [to_hex(color) for color in mpl.colormaps["turbo"](np.linspace(0, 1, classes))]


@dataclass(frozen=True)
class Look:
    """How a method is drawn; `strong` ones are what a figure is about."""

    title: str
    color: str
    ink: str  # of its name
    line: str  # dashed for controls
    width: float  # of lines, in points
    strong: bool

    @property
    def order(self) -> int:
        """Strong ones are drawn over the others."""
        return 4 if self.strong else 3


def looks(methods: Mapping[str, MethodEntry]) -> dict[str, Look]:
    """Name -> look: PhysioME and its variants in colour, others grey, controls dashed.

    Of methods without PhysioME the main one is in colour.
    """
    strong = [name for name, entry in methods.items() if is_flagship(name, entry)]
    strong = strong or [main_method(methods)]
    colors = {name: EMPHASIS[i % len(EMPHASIS)] for i, name in enumerate(strong)}
    return {
        name: Look(
            entry.title,
            colors.get(name, GREY),
            colors.get(name, INK),
            "--" if entry.scope == "control" else "-",
            1.5 if name in colors else 0.9,
            name in colors,
        )
        for name, entry in methods.items()
    }


def figure_of(width: float, height: float) -> Figure:
    """An empty figure, in inches; call and fill it within `mpl.rc_context(STYLE)`."""
    return Figure(figsize=(width, height), layout="constrained")


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure as SVG, and before it as PDF beside it, each atomically."""
    path = Path(path)
    with mpl.rc_context(STYLE):
        _settle(figure)
        for kind, dated in (("pdf", "CreationDate"), ("svg", "Date")):
            with atomic_path(path.with_suffix(f".{kind}")) as temporary:
                figure.savefig(temporary, format=kind, metadata={dated: None})


def _settle(figure: Figure) -> None:
    """Lay a figure out once and round where its axes lie, to a 4096th of the figure.

    The solver's last bits differ from run to run, and an SVG's identifiers are digests of numbers
    with all their bits.
    """
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        lies = axes.get_position(original=True)
        axes.set_position(Bbox(np.round(lies.get_points() * 4096) / 4096))


def empty_figure(text: str) -> Figure:
    """A figure that says why there is nothing to draw."""
    with mpl.rc_context(STYLE):
        figure = figure_of(PAGE, 0.8)
        figure.text(0.5, 0.5, text, ha="center", va="center", wrap=True)
    return figure
