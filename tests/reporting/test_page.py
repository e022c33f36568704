"""The page that a run opens with: the tables' own figures, whole in one file, nothing left raw."""

import json
from pathlib import Path

import pandas as pd

from physiome.config.tree import load_files
from physiome.data.report import LEFT_OUT, USED
from physiome.plan.page import FIGURES, summary_files, summary_spec
from physiome.reporting.page import figure_html, headline, page_html, table_html
from physiome.steps import summary

LONG = pd.DataFrame(
    [
        ("logistic", subset, method, title, metric, value, "")
        for subset, own in (("a+b", 80.0), ("a", 60.0), ("mean_of_proper_subsets", 55.04))
        for method, title, less in (("physiome", "PhysioME", 0), ("handmade", "Hand & made", 10))
        for metric, value in (("acc", own - less), ("auc", own + 5 - less))
    ],
    columns=["head", "subset", "method", "title", "metric", "mean", "footnote"],
).assign(folds=2, subjects=7, windows=91)
INTERVALS = pd.DataFrame(
    [("handmade", "physiome", "mean_of_proper_subsets", "auc", -10.0, -12.26, 1.0)],
    columns=["method", "reference", "subset", "metric", "difference", "low", "high"],
)


MODALITIES = {"a": "Alpha", "b": "Beta"}


def test_the_headline_is_the_full_set_and_the_mean_with_the_differences_interval():
    found = headline(LONG, INTERVALS, ("acc", "auc"), MODALITIES)
    assert list(found.index) == ["PhysioME", "Hand & made"]
    row = found.loc["Hand & made"]
    assert row["everything observed, ACC"] == "70.0"
    assert row["mean of the proper subsets, AUC"] == "50.0"
    assert row.iloc[-1] == "-10.0 (-12.3, 1.0)"
    assert found.iloc[0, -1] == "-"
    assert list(headline(LONG, None, ("acc",), MODALITIES)) == [
        "everything observed, ACC",
        "mean of the proper subsets, ACC",
    ]


def test_a_difference_without_an_interval_stands_without_brackets():
    alone = INTERVALS.assign(low=float("nan"), high=float("nan"))
    assert headline(LONG, alone, ("acc", "auc"), MODALITIES).loc["Hand & made"].iloc[-1] == "-10.0"


def test_a_table_that_begins_with_a_smaller_subset_still_shows_the_full_set():
    rows = LONG[LONG["subset"] != "mean_of_proper_subsets"].iloc[::-1]
    found = headline(rows, INTERVALS.assign(subset="a+b"), ("acc", "auc"), MODALITIES)
    assert list(found)[:2] == ["everything observed, ACC", "everything observed, AUC"]
    assert found.loc["PhysioME", "everything observed, ACC"] == "80.0"
    assert found.loc["Hand & made"].iloc[-1] == "-10.0 (-12.3, 1.0)"


def test_a_table_without_the_full_set_names_the_subset_that_it_shows():
    rows = LONG[LONG["subset"] != "mean_of_proper_subsets"]
    found = headline(rows, None, ("acc",), MODALITIES | {"c": "Gamma"})
    assert list(found) == ["Alpha + Beta, ACC"]


def test_a_score_that_is_not_there_is_a_dash():
    lacking = LONG.assign(mean=LONG["mean"].where(LONG["method"] == "physiome"))
    assert set(headline(lacking, None, ("acc",), MODALITIES).loc["Hand & made"]) == {"-"}


def test_titles_with_signs_of_html_are_shown_as_they_are(tmp_path):
    table = table_html(headline(LONG, None, ("acc",), MODALITIES), ["PhysioME"])
    assert "Hand &amp; made" in table
    assert table.count('class="flagship"') == 1
    assert "<b>" not in page_html("<b>", "x", {"<b>": []})
    (tmp_path / "f.svg").write_text("<svg/>")
    assert 'src="data:image/svg+xml;base64,PHN2Zy8+"' in figure_html(tmp_path / "f.svg", "c")


def test_the_page_holds_tables_figures_and_recordings_of_a_run(tmp_path):
    LONG.to_csv(tmp_path / "mine.long.csv", index=False)
    INTERVALS.to_csv(tmp_path / "mine.intervals.csv", index=False)
    figures = [tmp_path / f"{figure}.svg" for figure in FIGURES]
    for path in figures:
        path.write_text("<svg/>")
    records = {"record": ["r1", "r2"], "subject": ["s", "t"], "status": [USED, LEFT_OUT]}
    pd.DataFrame(records | {"windows": [7, 0]}).to_csv(tmp_path / "r.csv", index=False)
    table = {"title": "My nights", "long": str(tmp_path / "mine.long.csv")}
    table |= {"modalities": MODALITIES}
    table |= {"intervals": str(tmp_path / "mine.intervals.csv"), "figures": list(map(str, figures))}
    settings = {"results": "results", "head": "logistic", "tables": [table]}
    settings |= {"records": {"My nights": str(tmp_path / "r.csv")}}
    summary.run(json.dumps(settings), tmp_path / "summary.html")
    page = (tmp_path / "summary.html").read_text()
    assert page.count("<img") == len(FIGURES)
    assert "<td>-10.0 (-12.3, 1.0)</td>" in page
    assert "2 folds, 7 test subjects, 91 windows; so few subjects say little of others" in page
    assert "<td>My nights</td><td>1</td><td>1</td><td>1</td><td>7</td>" in page


def test_subjects_are_counted_by_their_names_as_they_are_written(tmp_path):
    lines = ["record,subject,status,windows", "a,01,used,7", "b,1,used,7", "c,NA,used,6"]
    (tmp_path / "r.csv").write_text("\n".join([*lines, "d,2,left_out,", ""]))
    settings = {"results": "r", "head": "logistic", "tables": []}
    settings |= {"records": {"Mine": str(tmp_path / "r.csv")}}
    summary.run(json.dumps(settings), tmp_path / "summary.html")
    page = (tmp_path / "summary.html").read_text()
    assert "<td>Mine</td><td>3</td><td>1</td><td>3</td><td>20</td>" in page


def test_the_shipped_configuration_shows_its_own_tables_first():
    spec = summary_spec(load_files([Path("config.yaml")]))
    assert [Path(table.long).name for table in spec.tables][:2] == [
        "table1.long.csv",
        "table2.long.csv",
    ]
    assert spec.tables[0].figures
    assert list(spec.tables[1].modalities) == ["abp", "ecg", "ppg"]
    assert not spec.tables[5].figures
    assert "results/tables/table6.intervals.csv" in summary_files(spec)
    assert len(spec.records) == 2
