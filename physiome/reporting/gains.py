"""What `make learn` found, as a page for the terminal and one figure."""

from collections.abc import Mapping, Sequence
from io import StringIO

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from physiome.reporting.style import BLUE, INK, STYLE, empty_figure, figure_of
from physiome.reporting.tables import difference_text

COLUMNS = [
    "dataset", "method", "subset", "metric", "untrained", "trained", "difference", "low", "high",
    "seeds", "subjects",
]  # fmt: skip
BETWEEN = " - "  # two methods of which a row is the difference
MEAN = "mean_of_proper_subsets"
SHOWN = ("auc", "r2")  # metrics of the page and the figure; the CSV has all
CALLED = {"auc": "AUC (percent)", "r2": "R2 of the pressure to come"}
READ = (
    "Trained minus untrained weights of the same system under the same heads{of_two}; in brackets "
    "the middle 95 % of a paired bootstrap over test subjects and seeds."
)
OF_TWO = "; of two systems, A - B, the trained weights of A minus those of B"


def gains_page(
    table: pd.DataFrame,
    titles: Mapping[str, str],
    whole: Mapping[str, str],
    methods: Mapping[str, str],
    notes: Sequence[str],
    width: int = 100,
) -> str:
    """One block per data set and metric, no line longer than `width`.

    Args:
        table: rows of summary.csv.
        titles: data set -> what it is called.
        whole: data set -> the name of its full set.
        methods: method -> what it is called.
    """
    text = StringIO()
    console = Console(file=text, width=width, highlight=False, markup=False, emoji=False)
    for dataset, title in titles.items():
        here = table[table["dataset"] == dataset]
        for metric in SHOWN:
            part = here[here["metric"] == metric]
            if len(part):
                named = f"{title}: {CALLED[metric]}"
                console.print(_block(part, metric, named, whole[dataset], methods))
    console.print(READ.format(of_two=OF_TWO if _of_two(table) else ""))
    for note in notes:
        console.print(f"- {note}")
    return "".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines())


def _block(
    part: pd.DataFrame, metric: str, title: str, full: str, methods: Mapping[str, str]
) -> Table:
    with_pressure = [s for s in dict.fromkeys(part["subset"]) if s.startswith("mean_with")]
    shown = {full: "everything observed", MEAN: "mean of proper subsets"}
    if with_pressure:  # what can be read off, and what must be inferred
        shown = {s: s.replace("_", " ") for s in with_pressure}
    block = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    block.add_column("system", no_wrap=True)
    for subset in shown:
        block.add_column(shown[subset], justify="left", no_wrap=True)
    known = part.set_index(["method", "subset"])
    for method in dict.fromkeys(part["method"]):
        cells = [
            _cell(known.loc[(method, s)], metric) if (method, s) in known.index else "-"
            for s in shown
        ]
        block.add_row(called(method, methods), *cells)
    return block


def _cell(row: pd.Series, metric: str) -> str:
    """`66.5 > 75.4  +8.9 (1.4, 16.7)`; a control has only a score."""
    digits = 2 if metric == "r2" else 1
    score = f"{row['trained']:.{digits}f}"
    if pd.isna(row["difference"]):
        return score
    before = "" if pd.isna(row["untrained"]) else f"{row['untrained']:.{digits}f} > "
    return f"{before}{score} {difference_text(row['difference'], row['low'], row['high'], digits)}"


def _of_two(rows: pd.DataFrame) -> bool:
    """Whether some rows are differences between two systems."""
    return bool(rows["method"].str.contains(BETWEEN, regex=False).any())


def called(method: str, methods: Mapping[str, str]) -> str:
    """A method's title; both titles of a difference."""
    return BETWEEN.join(methods.get(part, part) for part in method.split(BETWEEN))


def gains_figure(
    table: pd.DataFrame, titles: Mapping[str, str], methods: Mapping[str, str]
) -> Figure:
    """One panel per data set and metric: differences over the mean of proper subsets, intervals."""
    drawn = table[(table["subset"] == MEAN) & table["difference"].notna()]
    panels = [
        (f"{titles[d]}\n{CALLED[m]}", part)
        for d in titles
        for m in SHOWN
        if len(part := drawn[(drawn["dataset"] == d) & (drawn["metric"] == m)])
    ]
    if not panels:
        return empty_figure("nothing to compare")
    columns = min(2, len(panels))
    deep = -(-len(panels) // columns)
    with mpl.rc_context(STYLE):
        rows = max(len(part) for _, part in panels)
        figure = figure_of(3.5 * columns, deep * (0.8 + 0.16 * rows))
        grid = figure.subplots(deep, columns, squeeze=False)
        for axes, (title, part) in zip(grid.flat, panels, strict=False):
            places = range(len(part))[::-1]
            reach = [part["difference"] - part["low"], part["high"] - part["difference"]]
            axes.errorbar(
                part["difference"], list(places), xerr=reach, fmt="o", markersize=3, linewidth=1.1,
                color=BLUE,
            )  # fmt: skip
            axes.axvline(0, color=INK, linewidth=0.6)
            axes.set_yticks(list(places), [called(m, methods) for m in part["method"]])
            axes.set_title(title)
            second = ", or of two systems" if _of_two(part) else ""
            axes.set_xlabel(f"trained - untrained{second}\nmean of proper subsets")
        for axes in list(grid.flat)[len(panels) :]:
            axes.set_axis_off()
    return figure
