"""Tables as LaTeX: balanced, whole, and printable."""

import re

import pytest
from test_tables import TITLES, entry, published, toy, with_metrics

from physiome.config.metrics import METRICS
from physiome.config.report import TableSpec
from physiome.reporting.ablation_latex import variants_to_latex
from physiome.reporting.latex import escape, to_latex
from physiome.reporting.paper import paper_cells
from physiome.reporting.tables import build_table


def latex_rows(tex):
    panels = [part.split(r"\bottomrule")[0] for part in tex.split(r"\midrule")[1:]]
    return [line for panel in panels for line in panel.strip().splitlines() if line]


def test_latex_is_balanced_and_every_row_has_every_column():
    cells, methods = published(1)
    methods |= {"maj": entry("majority_class", "control")}
    spec = TableSpec(
        dataset="sleep_edf",
        title="Sleep & more",
        modalities=TITLES[1],
        methods=methods,
        paper_table=1,
    )
    tex = to_latex(build_table(cells, methods, TITLES[1], paper_cells(1)), spec, 12, 3, 1)
    plain = re.sub(r"\\[{}&%_$#]", "", tex)
    assert plain.count("{") == plain.count("}")
    assert plain.count("$") % 2 == 0
    assert re.findall(r"\\begin{(.*?)}", tex) == re.findall(r"\\end{(.*?)}", tex)[::-1]
    assert len(methods) == 8  # one more than stand side by side: two panels of four
    assert tex.count(rf"\begin{{tabular}}{{{'c' * 3}{'r' * 8}}}") == 2
    rows = latex_rows(tex)
    assert len(rows) == 2 * 8
    for panel in (rows[:8], rows[8:]):
        assert all(row.count("&") == 10 for row in panel[:7])
        assert panel[7].count("&") == 8
        assert panel[7].startswith(r"\multicolumn{3}{l}{mean of the proper subsets} &")
    assert rows[0].startswith(r"$\bullet$ & $\bullet$ & $\bullet$ & 75.53 {\scriptsize [75.53]}")
    assert r"Sleep \& more" in tex
    assert r"majority\_class" in tex
    assert "Controls, outside the marks" in tex
    assert "12 test windows of 3 subjects" in tex


@pytest.mark.parametrize(
    ("metrics", "panels"), [(("ece",), 2), (("acc", "auc", "f1", "ece"), 2), (tuple(METRICS), 5)]
)
def test_latex_has_the_metrics_that_are_asked_for_in_their_order(metrics, panels):
    methods = {f"m{k}": entry(f"M{k}") for k in range(5)}
    values = {(s, m): (0.5,) for s in ("a+b", "a", "b") for m in methods}
    cells, titles = with_metrics(values, METRICS)
    spec = TableSpec(
        dataset="t", title="T", modalities=titles, methods=methods, metrics=metrics[::-1]
    )
    table = build_table(cells, methods, titles, metrics=list(METRICS))
    tex = to_latex(table, spec, 1, 1, 1)
    assert tex.count(r"\begin{tabular}") == panels
    rows = latex_rows(tex)
    assert sum(row.count("&") for row in rows[:: len(rows) // panels]) == (
        panels * (len(titles) - 1) + len(methods) * len(metrics)
    )
    names = [METRICS[metric].short for metric in metrics[::-1]]
    assert " & ".join(names) in tex
    assert ("less is better" in tex) == ("ece" in metrics)
    plain = re.sub(r"\\[{}&%_$#]", "", tex)
    assert plain.count("{") == plain.count("}")


def test_latex_shows_marks_spread_and_the_papers_figure():
    cells, titles = toy(
        {("a+b", "m"): (0.8, 0.9), ("a", "m"): (0.5, 0.7), ("b", "m"): (0.9, 0.9)}, folds=(0, 1)
    )
    spec = TableSpec(dataset="t", title="T", modalities=titles, methods={"m": entry("M")})
    full, first, second, last = latex_rows(
        to_latex(build_table(cells, spec.methods, titles), spec, 1, 1, 2)
    )
    assert r"\underline{\textbf{85.00}} {\scriptsize $\pm$7.07}" in full
    assert r"\textcolor{blue}{\underline{\textbf{90.00}}}" in second
    assert "blue" in first  # its only rival is itself
    assert r"\underline{\textbf{75.00}} \textcolor{blue}{(15.00)}" in last


def test_special_characters_are_printable():
    assert escape(r"a_b 5% {x} \ & #1 $") == (r"a\_b 5\% \{x\} \textbackslash{} \& \#1 \$")
    # LaTeX's own fonts have other signs in the places of these
    assert escape("<2 Hz|>") == r"\textless{}2 Hz\textbar{}\textgreater{}"


@pytest.mark.parametrize("title", ["[ours] M", "*M"])
@pytest.mark.parametrize("lay_out", [to_latex, variants_to_latex])
def test_no_row_begins_with_what_ends_the_one_before(lay_out, title):
    r"""`\\` and `\midrule` take a bracket that follows for a length, and `\\` a star."""
    titles = {"a": title, "b": "B"}
    cells, _ = toy({(s, "m"): (0.8,) for s in ("a+b", "a", "b")})
    spec = TableSpec(dataset="t", title="T", modalities=titles, methods={"m": entry(title)})
    tex = lay_out(build_table(cells, spec.methods, titles), spec, 12, 2, 1)
    assert f"{{{title[0]}}}{title[1:]}" in tex
    assert not re.search(r"^\s*[\[*]", tex, re.MULTILINE)


def test_tables_of_one_data_set_have_keys_of_their_own():
    cells, titles = toy({("a+b", "m"): (0.8,)})
    spec = TableSpec(dataset="my_set", title="T", modalities=titles, methods={"m": entry("M")})
    table = build_table(cells, spec.methods, titles)
    keys = [
        re.findall(r"\\label{(.*?)}", lay_out(table, spec, 1, 1, 1, name=name))
        for lay_out, name in (
            (to_latex, "my_set"),
            (to_latex, "table1"),
            (variants_to_latex, "widths"),
        )
    ]
    assert keys == [["tab:my-set"], ["tab:my-set-table1"], ["tab:my-set-widths"]]


def test_a_caption_means_the_subsets_that_are_scored():
    """Of many modalities some subsets are drawn, and the last row is the mean of those."""
    cells, titles = toy({("a+b", "m"): (0.8,), ("a", "m"): (0.6,)})
    spec = TableSpec(dataset="t", title="T", modalities=titles, methods={"m": entry("M")})
    table = build_table(cells, spec.methods, titles, scored=["a+b", "a"])
    assert "mean over the proper subsets above and" in to_latex(table, spec, 12, 2, 1)


def test_a_caption_counts_one_subject_as_one():
    cells, titles = toy({("a+b", "m"): (0.8,)})
    spec = TableSpec(dataset="t", title="T", modalities=titles, methods={"m": entry("M")})
    assert "(12 test windows of 1 subject in all)" in to_latex(
        build_table(cells, spec.methods, titles), spec, 12, 1, 1
    )


@pytest.mark.parametrize(("metric", "said"), [("f1", "class; "), ("ece", "class, errors aside; ")])
def test_a_caption_says_where_errors_are_marked_whatever_the_majority_class_has(metric, said):
    methods = {"m": entry("M"), "majority": entry("Majority", "control")}
    cells, titles = with_metrics({("a+b", m): (0.8,) for m in methods}, [metric])
    given = {"modalities": titles, "methods": methods, "metrics": (metric,)}
    table = build_table(cells, methods, titles, metrics=[metric])
    assert said in to_latex(table, TableSpec(dataset="t", title="T", **given), 12, 2, 1)


@pytest.mark.parametrize("lay_out", [to_latex, variants_to_latex])
def test_a_caption_speaks_of_the_majority_class_only_where_it_is_a_row(lay_out):
    methods = {"m": entry("M"), "majority": entry("Majority", "control")}
    for shown in ({"m": methods["m"]}, methods):
        cells, titles = toy({(s, m): (0.8,) for s in ("a+b", "a", "b") for m in shown})
        spec = TableSpec(dataset="t", title="T", modalities=titles, methods=shown)
        tex = lay_out(build_table(cells, shown, titles), spec, 12, 2, 1)
        assert ("no better than the majority class" in tex) == ("majority" in shown)


def test_a_caption_says_what_windows_the_centred_head_takes_the_mean_of():
    cells, titles = toy({("a+b", "m"): (0.8,)})
    spec = TableSpec(
        dataset="t", title="T", modalities=titles, methods={"m": entry("M")}, head="centred"
    )
    tex = to_latex(build_table(cells, spec.methods, titles), spec, 12, 2, 1)
    assert "the mean of their recording's or subject's labelled windows" in tex


# --- the paper's cells
