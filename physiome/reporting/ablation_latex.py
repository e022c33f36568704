"""A table of variants as LaTeX, laid out as the paper's Tables 3 to 6. Needs booktabs, graphicx."""

from collections.abc import Mapping, Sequence

import pandas as pd

from physiome.config.metrics import METRICS
from physiome.config.report import TableSpec
from physiome.reporting.footnotes import Numbered
from physiome.reporting.latex import HEADS, LABELS, closing, escape, floor, labelled, tested


def variants_to_latex(
    table: pd.DataFrame,
    spec: TableSpec,
    windows: int,
    subjects: int,
    folds: int,
    footnotes: Mapping[str, Sequence[str]] | None = None,
    name: str = "",
) -> str:
    """One row per variant; columns are subsets of modalities, each with the settings' metrics.

    Args:
        table: from `build_table`.
        windows: test windows of all folds together.
        subjects: test subjects of all folds together.
        folds: number of folds.
        footnotes: variant -> texts, for the lines under the table.
        name: of the table, see `labelled`.
    """
    table = table[table["metric"].isin(spec.metrics)]
    numbered = Numbered(spec.methods, footnotes)
    subsets = list(table["subset"].unique())
    cells = {(c["method"], c["subset"], c["metric"]): c for c in table.to_dict("records")}
    columns = [(subset, metric) for subset in subsets for metric in spec.metrics]
    rows = [
        [
            escape(entry.title) + numbered.mark(name),
            *(_cell(cells[name, *column], spec.decimals) for column in columns),
        ]
        for name, entry in spec.methods.items()
    ]
    heads = [(escape(_title(subset, spec)), METRICS[metric].short) for subset, metric in columns]
    body = pd.DataFrame(rows, columns=pd.MultiIndex.from_tuples([("", ""), *heads]))
    tabular = body.style.hide(axis="index").to_latex(
        hrules=True, multicol_align="c", column_format="l" + "r" * len(columns)
    )
    below = numbered.lines(r"\linewidth", escape)
    return (
        "% needs \\usepackage{booktabs,graphicx}\n"
        "\\begin{table}[t]\n\\centering\n"
        f"\\caption{{{_caption(table, spec, windows, subjects, folds)}}}\n"
        f"\\label{{tab:{labelled(spec.dataset, name)}}}\n"
        f"\\resizebox{{\\linewidth}}{{!}}{{%\n{tabular.strip()}%\n}}{below}\n"
        "\\end{table}\n"
    )


def _title(subset: str, spec: TableSpec) -> str:
    if subset in LABELS:
        return LABELS[subset]
    return ", ".join(spec.modalities[name] for name in subset.split("+"))


def _cell(cell: dict, decimals: int) -> str:
    """`79.64 ±0.50 [79.64]`: mean, spread over folds, the paper's figure."""
    text, aside = "–", ""
    if not pd.isna(cell["mean"]):
        text = f"{cell['mean']:.{decimals}f}"
        # the best of all that are compared, where the layout by subsets underlines
        text = rf"\textbf{{{text}}}" if cell["underline"] else text
        aside = "" if pd.isna(cell["sd"]) else rf"$\pm${cell['sd']:.{decimals}f}"
    if not pd.isna(cell["paper"]):
        aside += f" [{cell['paper']:.{decimals}f}]"
    return text + (rf" {{\scriptsize {aside.strip()}}}" if aside else "")


def _caption(table: pd.DataFrame, spec: TableSpec, windows: int, subjects: int, folds: int) -> str:
    parts = [
        tested(spec, windows, subjects, folds),
        f"Head: {escape(HEADS.get(spec.head, spec.head))}.",
        f"Bold: best of a column; {floor(spec, 'none')}".rstrip("; ") + ".",
    ]
    return " ".join([*parts, *closing(table, spec)])
