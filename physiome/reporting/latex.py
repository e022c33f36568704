"""A table of results as LaTeX, marked as in the paper. Needs booktabs, xcolor and graphicx."""

from collections.abc import Mapping, Sequence

import pandas as pd

from physiome.config.metrics import METRICS
from physiome.config.report import TableSpec
from physiome.reporting.footnotes import Numbered
from physiome.reporting.table_csv import LABELS
from physiome.reporting.tables import MAJORITY, ROBUSTNESS
from physiome.subsets import AS_RECORDED

PANEL, COLUMNS = 4, 12  # methods, columns of scores side by side that stay readable; more go below
HEADS = {
    "logistic": "multinomial logistic regression, strength chosen on held-out labelled subjects",
    "centred": "multinomial logistic regression on embeddings less the mean of their recording's "
    "or subject's labelled windows, strength chosen on held-out labelled subjects",
    "context": "multinomial logistic regression on embeddings less the mean of their recording's "
    "or subject's labelled windows, beside the mean of their neighbours, strength chosen on "
    "held-out labelled subjects",
    "paper": "the published two-layer head",
    "one_head": "one logistic head, fitted on the full set and applied to every subset",
}
SPECIAL = str.maketrans(
    {
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "\\": r"\textbackslash{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        # At the start of a row they would belong to the end of the one before
        "[": "{[}",
        "*": "{*}",
    }
)


def escape(text: str) -> str:
    """`text` with LaTeX's special characters made printable."""
    return text.translate(SPECIAL)


def to_latex(
    table: pd.DataFrame,
    spec: TableSpec,
    windows: int,
    subjects: int,
    folds: int,
    footnotes: Mapping[str, Sequence[str]] | None = None,
    name: str = "",
) -> str:
    """The printed table, of the metrics of its settings.

    Args:
        table: from `build_table`.
        windows: test windows of all folds together.
        subjects: test subjects of all folds together.
        folds: number of folds.
        footnotes: method -> texts, for the lines under the table.
        name: of the table, see `labelled`.
    """
    table = table[table["metric"].isin(spec.metrics)]
    names, numbered = list(spec.methods), Numbered(spec.methods, footnotes)
    panels = -(-len(names) // max(1, min(PANEL, COLUMNS // len(spec.metrics))))
    size = -(-len(names) // panels)  # of equal panels, one below the other
    parts = [_panel(table, spec, names[i : i + size], numbered) for i in range(0, len(names), size)]
    body = "\n\n\\medskip\n".join(
        f"\\resizebox{{\\textwidth}}{{!}}{{%\n{tabular}%\n}}" for tabular in parts
    )
    caption = _caption(table, spec, windows, subjects, folds)
    below = numbered.lines(r"\textwidth", escape)
    return (
        "% needs \\usepackage{booktabs,xcolor,graphicx}\n"
        "\\begin{table*}[t]\n\\centering\n"
        f"\\caption{{{caption}}}\n"
        f"\\label{{tab:{labelled(spec.dataset, name)}}}\n"
        f"{body}{below}\n"
        "\\end{table*}\n"
    )


def _panel(table: pd.DataFrame, spec: TableSpec, methods: list[str], numbered: Numbered) -> str:
    """The tabular of some of the methods."""
    shown = table[table["method"].isin(methods)]
    body = pd.DataFrame([_row(group, spec) for _, group in shown.groupby("subset", sort=False)])
    body.columns = pd.MultiIndex.from_tuples(
        [("", escape(title)) for title in spec.modalities.values()]
        + [
            (escape(spec.methods[name].title) + numbered.mark(name), METRICS[metric].short)
            for name in methods
            for metric in spec.metrics
        ]
    )
    columns = len(spec.modalities)
    tabular = (
        body.style.hide(axis="index")
        .to_latex(
            hrules=True,
            multicol_align="c",
            column_format="c" * columns + "r" * (len(spec.metrics) * len(methods)),
        )
        .strip()
    )
    for label in LABELS.values():  # spans the modality columns, whose other cells are empty
        spanning = rf"\multicolumn{{{columns}}}{{l}}{{{label}}}"
        tabular = tabular.replace(f"\n{label}" + " & " * (columns - 1), f"\n{spanning}")
    return tabular


def labelled(dataset: str, table: str) -> str:
    """Reference key of a table: letters, digits and hyphens only; each table has its own."""
    named = dataset if table in ("", dataset) else f"{dataset}-{table}"
    return "".join(c if c.isalnum() else "-" for c in named)


def _row(group: pd.DataFrame, spec: TableSpec) -> list[str]:
    subset = group["subset"].iloc[0]
    used = subset.split("+")
    bullets = [r"$\bullet$" if name in used else "" for name in spec.modalities]
    if subset in LABELS:
        bullets[0] = LABELS[subset]
    cells = {(cell["method"], cell["metric"]): cell for cell in group.to_dict("records")}
    methods = dict.fromkeys(group["method"])
    ordered = [cells[method, metric] for method in methods for metric in spec.metrics]
    return bullets + [_cell(cell, spec.decimals) for cell in ordered]


def _cell(cell: dict, decimals: int) -> str:
    """`79.64 ±0.50 [79.64]`: mean, spread over folds, the paper's figure."""
    last = cell["subset"] == ROBUSTNESS
    text = "–" if pd.isna(cell["mean"]) else f"{cell['mean']:.{decimals}f}"
    if cell["bold"]:
        text = rf"\textbf{{{text}}}"
    if cell["underline"]:
        text = rf"\underline{{{text}}}"
    if cell["blue"] and not last:
        text = rf"\textcolor{{blue}}{{{text}}}"
    if last and not pd.isna(cell["drop"]):
        drop = f"({cell['drop']:.{decimals}f})"
        text += " " + (rf"\textcolor{{blue}}{{{drop}}}" if cell["blue"] else drop)
    aside = "" if pd.isna(cell["sd"]) else rf"$\pm${cell['sd']:.{decimals}f}"
    if not pd.isna(cell["paper"]):
        aside += f" [{cell['paper']:.{decimals}f}"
        aside += f" ({cell['paper_drop']:.{decimals}f})]" if last else "]"
    return text + (rf" {{\scriptsize {aside.strip()}}}" if aside else "")


def _caption(table: pd.DataFrame, spec: TableSpec, windows: int, subjects: int, folds: int) -> str:
    parts = [
        tested(spec, windows, subjects, folds),
        f"Head: {escape(HEADS.get(spec.head, spec.head))}.",
        f"Bold: best single model of a row; underlined: best of a row; {floor(spec, 'neither')}"
        "blue: smallest change from the full set among single models.",
    ]
    if (table["subset"] == ROBUSTNESS).any():
        parts.append(
            "Last row: mean over the proper subsets above and, in parentheses, "
            "the mean of $|$full $-$ subset$|$."
        )
    if (table["subset"] == AS_RECORDED).any():
        parts.append("As recorded: every test window with the modalities it really has.")
    return " ".join([*parts, *closing(table, spec)])


def floor(spec: TableSpec, nothing: str) -> str:
    """A caption's words on marks that need more than the majority class; "" if it is no row."""
    but = ", errors aside" if any(METRICS[m].less_is_better for m in spec.metrics) else ""
    words = f"{nothing} where it is no better than the majority class{but}; "
    return words if MAJORITY in spec.methods else ""


def closing(table: pd.DataFrame, spec: TableSpec) -> list[str]:
    """A caption's last sentences: brackets, what takes no mark, gaps."""
    parts = outside_marks(spec)
    if table["paper"].notna().any():
        parts = ["In brackets: the published figure.", *parts]
    if table["mean"].isna().any():
        parts.append("–: no score; the reason is in the CSV file.")
    if table["note"].str.match(r"\d+ of \d+ folds").any():
        parts.append("Some means are over fewer folds; see the CSV file.")
    return parts


def tested(spec: TableSpec, windows: int, subjects: int, folds: int) -> str:
    """A caption's first sentence: what is shown, on how many folds, windows and subjects."""
    spread = " $\\pm$ standard deviation" if folds > 1 else ""
    *others, last = [_in_words(metric) for metric in spec.metrics]
    shown = f"{', '.join(others)} and {last}" if others else last
    return (
        f"{escape(spec.title)}: {shown} in percent, "
        f"mean{spread} over {folds} fold{'s' if folds != 1 else ''} "
        f"({windows} test windows of {subjects} subject{'s' if subjects != 1 else ''} in all)."
    )


def _in_words(metric: str) -> str:
    named = METRICS[metric]
    return named.long + (" (less is better)" if named.less_is_better else "")


def outside_marks(spec: TableSpec) -> list[str]:
    """A caption's sentences on the rows or columns that take no mark, with the reason."""
    reasons = {"control": "Controls", "supervised": "Learned from labels of train subjects"}
    found = []
    for scope, reason in reasons.items():
        titles = [entry.title for entry in spec.methods.values() if entry.scope == scope]
        if titles:
            found.append(f"{reason}, outside the marks: {escape(', '.join(titles))}.")
    return found
