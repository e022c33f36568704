import numpy as np
import pandas as pd
import pytest

from physiome.config.report import MethodEntry, TableSpec
from physiome.reporting.counts import cell_counts
from physiome.reporting.latex import to_latex
from physiome.reporting.paper import DROP, MEAN, paper_cells, paper_subset
from physiome.reporting.table_csv import compact, long
from physiome.reporting.tables import ROBUSTNESS, build_table
from physiome.subsets import all_subsets

TITLES = {
    1: {"eeg_fpz_cz": "Fpz-Cz", "eeg_pz_oz": "Pz-Oz", "eog": "EOG"},
    2: {"abp": "ABP", "ecg": "ECG", "ppg": "PPG"},
}
FULL = {1: "eeg_fpz_cz+eeg_pz_oz+eog", 2: "abp+ecg+ppg"}
DEDICATED = ("ContraWR", "SynthSleepNet")


def entry(title, scope="single"):
    return MethodEntry(title=title, scope=scope)


def published(number):
    """The paper's rows as if they were our scores of one fold, and the methods."""
    cells = paper_cells(number)
    rows = cells[~cells["subset"].isin([MEAN, DROP])]
    names = {title: name for name, title in TITLES[number].items()}
    subset = ["+".join(names[t] for t in s.split("+")) for s in rows["subset"]]
    methods = {
        m: entry(m, "dedicated" if m in DEDICATED else "single") for m in cells["method"].unique()
    }
    return rows.assign(subset=subset, value=rows["value"] / 100, fold=0), methods


def published_table(number):
    cells, methods = published(number)
    return build_table(cells, methods, TITLES[number], paper_cells(number))


def marked(table, mark):
    return {tuple(row) for row in table.loc[table[mark], ["subset", "method", "metric"]].values}


def toy(values, folds=(0,), modalities=("a", "b")):
    """Cells from {(subset, method): acc of each fold}; auc is always 0.5."""
    rows = []
    for (subset, method), accs in values.items():
        for fold, acc in zip(folds, accs, strict=True):
            rows.append((subset, method, "acc", fold, acc))
            rows.append((subset, method, "auc", fold, 0.5))
    cells = pd.DataFrame(rows, columns=["subset", "method", "metric", "fold", "value"])
    return cells, {m: m.upper() for m in modalities}


def cell(table, subset, method, metric="acc"):
    keys = (table["subset"], table["method"], table["metric"])
    found = table[(keys[0] == subset) & (keys[1] == method) & (keys[2] == metric)]
    assert len(found) == 1
    return found.iloc[0]


@pytest.mark.parametrize("number", [1, 2])
def test_robustness_row_reproduces_all_published_pairs(number):
    row = published_table(number).query("subset == @ROBUSTNESS")
    assert len(row) == 14
    assert row[["paper", "paper_drop"]].notna().all(axis=None)
    np.testing.assert_allclose(row["mean"], row["paper"], atol=0.0101)
    np.testing.assert_allclose(row["drop"], row["paper_drop"], atol=0.0101)


def test_robustness_row_of_physiome_in_figures():
    sleep = cell(published_table(1), ROBUSTNESS, "PhysioME")
    pressure = cell(published_table(2), ROBUSTNESS, "PhysioME", "auc")
    assert (round(sleep["mean"], 2), round(sleep["drop"], 2)) == (75.67, 3.97)
    assert (round(pressure["mean"], 2), round(pressure["drop"], 2)) == (89.28, 5.43)


def test_bold_marks_agree_with_the_papers_text():
    sleep, pressure = published_table(1), published_table(2)
    bold = marked(sleep, "bold")
    ours = {key for key in bold if key[1] == "PhysioME"}
    assert len(bold) == 16
    assert bold - ours == {("eeg_pz_oz", "MaskMentor", "acc")}  # "except ... EEG Pz-Cz"
    bold = marked(pressure, "bold")
    assert {key for key in bold if key[2] == "auc" and key[1] != "PhysioME"} == set()
    others = {key for key in bold if key[1] != "PhysioME"}
    assert others == {
        ("abp+ecg+ppg", "MaskMentor", "acc"),
        ("ecg", "MaskMentor", "acc"),
        ("ppg", "MultiMAE", "acc"),
    }


def test_underlines_of_dedicated_models_are_those_of_the_paper():
    def of_dedicated(number):
        return {key for key in marked(published_table(number), "underline") if key[1] in DEDICATED}

    sleep = {(FULL[1], "acc"), ("eog", "acc"), ("eog", "auc")}
    sleep |= {("eeg_fpz_cz+eeg_pz_oz", "acc"), ("eeg_fpz_cz+eeg_pz_oz", "auc")}
    pressure = {(s, m) for s in ("abp", "ecg", "ppg", ROBUSTNESS) for m in ("acc", "auc")}
    pressure |= {(FULL[2], "auc"), ("abp+ecg", "acc"), ("abp+ppg", "auc"), ("ecg+ppg", "auc")}
    assert of_dedicated(1) == {(s, "SynthSleepNet", m) for s, m in sleep}
    assert of_dedicated(2) == {(s, "SynthSleepNet", m) for s, m in pressure}


def test_blue_marks_the_smallest_change_among_single_models():
    for number in (1, 2):
        blue = marked(published_table(number), "blue")
        assert {(ROBUSTNESS, "PhysioME", "acc"), (ROBUSTNESS, "PhysioME", "auc")} <= blue
        assert not any(key[1] in DEDICATED or key[0] == FULL[number] for key in blue)
        assert len(blue) == 14
    # 75.59 - 73.88 = 1.71 is smaller than 79.64 - 76.31
    assert ("eeg_fpz_cz", "MultiMAE", "acc") in marked(published_table(1), "blue")


def test_rows_are_in_the_papers_order():
    table = published_table(1)
    published_order = [s for s in paper_cells(1)["subset"].unique() if s not in (MEAN, DROP)]
    ours = [
        paper_subset([TITLES[1][m] for m in subset.split("+")])
        for subset in table["subset"].unique()[:-1]
    ]
    assert ours == published_order
    assert table["subset"].iloc[-1] == ROBUSTNESS


def test_means_and_spread_are_over_folds():
    cells, titles = toy(
        {("a+b", "m"): (0.8, 0.9), ("a", "m"): (0.5, 0.7), ("b", "m"): (0.9, 0.9)}, folds=(0, 1)
    )
    table = build_table(cells, {"m": entry("M")}, titles)
    full, one, last = (cell(table, s, "m") for s in ("a+b", "a", ROBUSTNESS))
    assert (full["mean"], full["folds"]) == (pytest.approx(85), 2)
    assert full["sd"] == pytest.approx(100 * np.std([0.8, 0.9], ddof=1))
    assert np.isnan(full["drop"])
    assert one["drop"] == pytest.approx(25)
    assert last["mean"] == pytest.approx(75)
    assert last["drop"] == pytest.approx(15)  # (25 + |85 - 90|) / 2: a gain is a change too


def test_missing_cell_is_empty_with_a_reason_and_spoils_the_robustness_row():
    cells, titles = toy(
        {
            ("a+b", "m"): (0.8,),
            ("a", "m"): (0.5,),
            ("a+b", "n"): (0.6,),
            ("a", "n"): (0.6,),
            ("b", "n"): (0.6,),
        }
    )
    spec = TableSpec(
        dataset="toy", title="Toy", modalities=titles, methods={"m": entry("M"), "n": entry("N")}
    )
    table = build_table(cells, spec.methods, titles)
    found = compact(table, spec, "logistic").set_index("subset")
    assert np.isnan(found.loc["b", "M ACC"])
    assert found.loc["b", "note"] == "M: no score"
    last = found.loc["mean of the proper subsets"]
    assert np.isnan(last["M ACC"])
    assert last["note"] == "M: no score for b"
    assert last["N ACC"] == 60.0
    tex = to_latex(table, spec, 10, 2, 1)
    assert "–" in tex
    assert "nan" not in tex.lower()
    table["paper"], table["paper_drop"] = 70.0, 5.0
    for published in r"– {\scriptsize [70.00]}", r"– {\scriptsize [70.00 (5.00)]}":
        assert published in to_latex(table, spec, 10, 2, 1)


def test_score_missing_in_some_folds_says_in_how_many_it_is_there():
    cells, titles = toy(
        {("a+b", "m"): (0.8, 0.6, np.nan), ("a", "m"): (0.5,) * 3, ("b", "m"): (np.nan,) * 3},
        folds=(0, 1, 2),
    )
    table = build_table(cells, {"m": entry("M")}, titles)
    full, lost = cell(table, "a+b", "m"), cell(table, "b", "m")
    assert (full["mean"], full["folds"], full["note"]) == (pytest.approx(70), 2, "2 of 3 folds")
    assert np.isnan(lost["mean"])
    assert lost["note"] == "undefined in every fold"


def test_what_is_lost_is_lost_in_the_folds_that_have_both():
    """A hard fold without a head of all modalities was a loss of those that it has heads of."""
    accs = (0.9, 0.5)
    cells, titles = toy(
        {("a+b", "m"): (0.9, np.nan), ("a", "m"): accs, ("b", "m"): accs, ("a+b", "n"): accs,
         ("a", "n"): (np.nan, 0.4), ("b", "n"): (0.9, np.nan)},
        folds=(0, 1),
    )  # fmt: skip
    table = build_table(cells, {name: entry(name) for name in "mn"}, titles)
    assert cell(table, "a", "m")["mean"] == pytest.approx(70.0)
    assert cell(table, "a", "m")["drop"] == pytest.approx(0.0)
    assert cell(table, ROBUSTNESS, "m")["drop"] == pytest.approx(0.0)
    assert cell(table, ROBUSTNESS, "n")["drop"] == pytest.approx(5.0)


def test_marks_ignore_controls_and_share_a_printed_tie():
    cells, titles = toy(
        {
            ("a+b", "m"): (0.80001,),
            ("a+b", "n"): (0.8,),
            ("a+b", "c"): (0.99,),
            ("a+b", "d"): (0.7,),
        }
    )
    scopes = {"m": "single", "n": "single", "c": "control", "d": "dedicated"}
    methods = {name: entry(name, scope) for name, scope in scopes.items()}
    table = build_table(cells, methods, titles).query("metric == 'acc'")
    assert marked(table, "bold") == marked(table, "underline")
    assert {key[1] for key in marked(table, "bold")} == {"m", "n"}


@pytest.mark.parametrize(
    ("halfway", "other", "printed", "best"),
    [((0.7015, 0.702), 0.7018, "70.17", {"n"}), ((0.708, 0.7085), 0.7083, "70.83", {"m", "n"})],
)
def test_marks_follow_the_digits_that_are_printed_of_a_mean_halfway_between_two(
    halfway, other, printed, best
):
    cells, titles = toy({("a+b", "m"): halfway, ("a+b", "n"): (other, other)}, folds=(0, 1))
    table = build_table(cells, {"m": entry("M"), "n": entry("N")}, titles)
    assert f"{cell(table, 'a+b', 'm')['mean']:.2f}" == printed
    assert {key[1] for key in marked(table.query("metric == 'acc'"), "bold")} == best


def with_metrics(values, metrics):
    """`toy` with the same values of every metric."""
    cells, titles = toy(values)
    acc = cells[cells["metric"] == "acc"]
    return pd.concat([acc.assign(metric=metric) for metric in metrics]), titles


def test_the_least_calibration_error_is_the_best():
    values = {("a+b", "m"): (0.1,), ("a+b", "n"): (0.3,), ("a+b", "c"): (0.01,)}
    # The shares of the classes are well calibrated and tell no window from another.
    values["a+b", "majority"] = (0.02,)
    cells, titles = with_metrics(values, ["f1", "ece"])
    methods = {m: entry(m, "control" if m in ("c", "majority") else "single") for _, m in values}
    table = build_table(cells, methods, titles, metrics=["f1", "ece"])
    for mark in ("bold", "underline"):
        assert marked(table, mark) == {("a+b", "n", "f1"), ("a+b", "m", "ece")}


def test_cells_count_windows_and_subjects_over_folds_in_all_and_of_each_class():
    rows = []
    for subset, fold, positive in (("a+b", 0, 3), ("a+b", 1, 0), ("a", 0, 3), ("b", 0, 2)):
        size = {"subset": subset, "fold": fold, "method": "m", "windows": 10, "subjects": 4}
        told = {"acc": 0.5, "windows_no": 10 - positive, "subjects_no": 4}
        told |= {"windows_yes": positive, "subjects_yes": min(positive, 2), "recall_yes": 0.5}
        rows += [{**size, "metric": name, "value": value} for name, value in told.items()]
    cells = pd.DataFrame(rows)
    found = cell_counts(cells, all_subsets(("a", "b")))
    assert list(found.columns) == [
        "windows",
        "subjects",
        "windows no",
        "subjects no",
        "windows yes",
        "subjects yes",
    ]
    assert found.loc[("a+b", "m")].tolist() == [20, 8, 17, 8, 3, 2]
    assert found.loc[(ROBUSTNESS, "m")].tolist() == [10, 4, 7, 4, 2, 2]
    methods = {"m": entry("M"), "n": entry("N")}
    titles = {"a": "A", "b": "B"}
    spec = TableSpec(dataset="t", title="T", modalities=titles, methods=methods)
    table = build_table(cells, methods, titles)
    every = long(table, spec, "logistic", found).query("subset == 'a'").set_index("method")
    assert set(every.loc["m", "windows"]) == {10}
    assert set(every.loc["m", "subjects yes"]) == {2}
    assert set(every.loc["n", "windows yes"]) == {0}


def test_as_recorded_is_a_row_without_drop_or_paper():
    values = {(s, "m"): (0.5,) for s in ("a+b", "a", "b", "as_recorded")}
    cells, titles = toy(values)
    table = build_table(cells, {"m": entry("M")}, titles)
    assert list(table["subset"].unique()) == ["a+b", "a", "b", "as_recorded", ROBUSTNESS]
    assert np.isnan(cell(table, "as_recorded", "m")["drop"])


def test_table_of_chosen_subsets_compares_with_an_ablation_of_the_paper():
    chosen = [("eeg_fpz_cz",), ("eeg_fpz_cz", "eog"), ("eeg_fpz_cz", "eeg_pz_oz", "eog")]
    cells, _ = toy({("+".join(s), "v"): (0.5,) for s in chosen})
    table = build_table(cells, {"v": entry("512x8")}, TITLES[1], paper_cells(6), chosen)
    acc = table.query("metric == 'acc'")
    assert list(acc["paper"]) == [76.51, 77.77, 78.83]
    assert ROBUSTNESS not in set(table["subset"])


def test_csv_has_ours_the_papers_and_the_difference():
    cells, methods = published(1)
    cells = cells.assign(value=cells["value"] + 0.01)
    spec = TableSpec(dataset="s", title="S", modalities=TITLES[1], methods=methods, paper_table=1)
    table = build_table(cells, methods, TITLES[1], paper_cells(1))
    row = compact(table, spec, "logistic").set_index("subset").loc["eog"]
    assert (row["Fpz-Cz"], row["EOG"]) == (0, 1)
    assert row["PhysioME ACC"] == pytest.approx(73.33)
    every = long(table, spec, "logistic")
    row = every.query("subset == 'eog' and title == 'PhysioME' and metric == 'acc'").iloc[0]
    assert row["mean"] == pytest.approx(73.33)
    assert row["paper"] == 72.33
    assert row["difference"] == pytest.approx(1.0)
    assert row["paper_drop"] == pytest.approx(79.64 - 72.33)


def test_a_table_of_chosen_subsets_of_the_data_set_has_the_mean_of_those():
    values = {(s, "m"): (v,) for s, v in (("a+b+c", 0.9), ("a", 0.5), ("b+c", 0.7))}
    scored = ("a+b+c", "a", "b+c")
    cells, titles = toy(values, modalities=("a", "b", "c"))
    table = build_table(cells, {"m": entry("M")}, titles, scored=scored)
    assert list(table["subset"].unique()) == [*scored, ROBUSTNESS]
    last = cell(table, ROBUSTNESS, "m")
    assert (last["mean"], last["drop"]) == pytest.approx((60.0, 30.0))


def test_nothing_is_marked_that_is_no_better_than_the_majority_class():
    """`one` leads where all lie below the class shares, and only ties with them elsewhere."""
    values = {
        ("a+b", "one"): (0.7,), ("a+b", "majority"): (0.75,),
        ("a", "one"): (0.75,), ("a", "majority"): (0.75,),
        ("b", "one"): (0.8,), ("b", "majority"): (0.75,),
    }  # fmt: skip
    cells, modalities = toy(values)
    methods = {"one": entry("One"), "majority": entry("Majority", "control")}
    table = build_table(cells, methods, modalities)
    expected = {("b", "one", "acc")}
    assert {key for key in marked(table, "bold") if key[0] != ROBUSTNESS} == expected
    without = {"one": entry("One")}
    shown = build_table(cells[cells["method"] == "one"], without, modalities)
    assert ("a", "one", "acc") in marked(shown, "bold")
