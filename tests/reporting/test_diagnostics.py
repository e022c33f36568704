"""The step that draws single subjects, calibration, costs and embeddings."""

import json
import xml.etree.ElementTree as ET
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from physiome.config.report import FigureSpec, MethodEntry
from physiome.errors import DataError
from physiome.evaluation.facts import EmbeddingFacts
from physiome.evaluation.metrics import calibration_error
from physiome.files import sums, write_json
from physiome.reporting.cost_score import cost_figure
from physiome.reporting.embedding_map import embedding_figure
from physiome.reporting.labels import point_labels
from physiome.reporting.paired import paired_differences
from physiome.reporting.reliability import reliability_bins, reliability_figure
from physiome.steps import diagnostics, scores

METHODS = {
    "m": MethodEntry(title="Main", scope="single"),
    "c": MethodEntry(title="Control", scope="control"),
}
SETTINGS = {
    "dataset": "toy",
    "title": "Toy data",
    "modalities": {"a": "EEG A", "b": "EOG"},
    "methods": {name: entry.plain() for name, entry in METHODS.items()},
    "resamples": 50,
}
COSTS = {
    "parameters": [1e6, np.nan],
    "pretraining_s": [60.0, np.nan],
    "training_s": [120.0, np.nan],
    "epochs": [3, np.nan],
}
DRAWN = ("paired", "reliability", "cost_score", "embedding_map")


def embedded(path, dataset="toy", spread=1.0, has_b=True):
    """Embeddings of 20 test windows of two subjects, three columns a subset."""
    n, subsets = 20, ("a+b", "a", "b")
    np.save(path, spread * np.random.default_rng(0).normal(size=(n, 9)).astype(np.float32))
    number = np.arange(n)
    table = pd.DataFrame({"record": np.where(number < 8, "r0", "r1"), "number": number})
    table = table.assign(
        subject=table["record"], onset_s=30.0 * number, role="test", label=number % 3, event=False,
        has_a=True, has_b=has_b, var_a=1.0, var_b=1.0,
    )  # fmt: skip
    table.to_parquet(path.with_suffix(".parquet"), index=False)
    columns = {s: [3 * i, 3 * i + 3] for i, s in enumerate(subsets)}
    facts = EmbeddingFacts(dataset, 0, "m", ["k0", "k1", "k2"])
    told = asdict(facts) | {"modalities": ["a", "b"], "columns": columns, "windows": n}
    told["sha256"] = sums(path, path.with_suffix(".parquet"))
    write_json(path.with_suffix(".json"), told)
    return path


@pytest.fixture
def draw(tmp_path, probe):
    probes = [probe(method, fold) for method in ("m", "c") for fold in (0, 1)]
    scores.run(probes, tmp_path / "scores.csv", tmp_path / "by_subject.csv")
    pd.DataFrame({"method": ["m", "c"], **COSTS}).to_csv(tmp_path / "costs.csv", index=False)

    def run(**changes):
        npy = embedded(tmp_path / "m.npy", **changes)
        out = {name: tmp_path / f"{name}.svg" for name in DRAWN}
        files = [tmp_path / f"{name}.csv" for name in ("scores", "by_subject", "costs")]
        diagnostics.run(json.dumps(SETTINGS), probes, *files, npy, **out)
        return {name: path.read_text() for name, path in out.items()}

    return run


@pytest.mark.slow
def test_diagnostics_are_valid_and_repeat_byte_for_byte(tmp_path, draw):
    first = draw()
    printed = {path.name: path.read_bytes() for path in tmp_path.glob("*.pdf")}
    assert first == draw()
    assert set(printed) == {f"{name}.pdf" for name in DRAWN}
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.pdf")} == printed
    for text in first.values():
        assert ET.fromstring(text).tag.endswith("svg")
    assert "accuracy of Main minus" in first["paired"]
    assert "Main: calibration error" in first["reliability"]
    assert "Control (not trained)" in first["cost_score"]
    assert "by subject" in first["embedding_map"]


@pytest.mark.slow
def test_embeddings_that_are_all_alike_have_no_map(draw):
    assert "columns that differ" in draw(spread=0.0)["embedding_map"]


@pytest.mark.slow
def test_a_fold_without_a_complete_test_window_has_no_map(draw):
    assert "too few of them" in draw(has_b=False)["embedding_map"]


@pytest.mark.slow
def test_embeddings_of_another_data_set_are_refused(draw):
    with pytest.raises(DataError, match="not of data set 'toy'"):
        draw(dataset="other")


def test_a_difference_is_of_one_subject_under_both_methods():
    rows = [("m", 1, "s1", 0.9), ("m", 1, "s2", 0.5), ("c", 1, "s1", 0.6), ("c", 2, "s3", 0.1)]
    table = pd.DataFrame(rows, columns=["method", "fold", "subject", "acc"])
    found = paired_differences(table, "m")
    assert found.to_numpy().tolist() == [["c", "s1", pytest.approx(30.0)]]
    assert paired_differences(table, "x").empty


def test_subjects_without_a_subset_are_not_averaged_over_the_others():
    rows = [("m", 1, "s1", "a", 0.8), ("m", 1, "s1", "b", 0.6), ("m", 1, "s2", "a", 1.0)]
    table = pd.DataFrame(rows, columns=["method", "fold", "subject", "subset", "acc"])
    found = diagnostics._mean_over(table, ["a", "b"])
    assert found[["subject", "acc"]].to_numpy().tolist() == [["s1", pytest.approx(0.7)]]


def test_bins_hold_every_window_and_give_the_calibration_error():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), 500)
    y = rng.integers(3, size=500)
    bins = reliability_bins(p.max(axis=1), p.argmax(axis=1) == y)
    assert bins["windows"].sum() == pytest.approx(1)
    error = (bins["windows"] * (bins["right"] - bins["said"]).abs()).sum()
    assert error == pytest.approx(calibration_error(y, p, bins=10))


def test_the_lower_panel_of_reliability_shows_shares_and_says_so():
    bins = reliability_bins(np.array([0.6, 0.9, 0.95, 0.7]), np.array([True, True, False, True]))
    below = reliability_figure({"m": (bins, 0.1)}, METHODS).axes[1]
    assert "windows of all folds together" in below.get_xlabel()  # tables: the mean over folds
    assert sum(below.lines[0].get_ydata()) == pytest.approx(1)
    assert below.get_ylabel() == "share of all"


def test_what_is_not_trained_is_a_line_and_no_point():
    costs = pd.DataFrame({"method": ["m", "c"], "parameters": [1e6, np.nan], "minutes": [3.0, 0.0]})
    figure = cost_figure(costs.assign(mean=[70.0, 72.0]), METHODS, "ACC")
    for axes in figure.axes:
        points = [line for line in axes.lines if line.get_marker() == "o"]
        assert [line.get_ydata()[0] for line in points] == [70.0]
        assert [line.get_ydata()[0] for line in axes.lines if line not in points] == [72.0]
    nothing = cost_figure(costs.assign(mean=50.0, minutes=0.0), METHODS, "ACC")
    assert "No method was trained" in nothing.texts[0].get_text()


@pytest.mark.parametrize(
    ("before_s", "own_s", "epochs", "minutes"),
    [(60.0, 120.0, 3, 3.0), (60.0, 0.0, 0, 1.0), (0.0, 0.1, 0, None)],
)
def test_a_row_that_takes_the_weights_of_another_costs_what_they_cost(
    tmp_path, before_s, own_s, epochs, minutes
):
    row = {"method": "m", "parameters": 1e6, "pretraining_s": before_s, "training_s": own_s}
    pd.DataFrame([row | {"epochs": epochs}]).to_csv(tmp_path / "costs.csv", index=False)
    means = pd.DataFrame([{"method": "m", "subset": diagnostics.ROBUSTNESS, "mean": 70.0}])
    spec = FigureSpec.model_validate(SETTINGS)
    figure = diagnostics._costs(spec, tmp_path / "costs.csv", means)
    points = [line for axes in figure.axes[1:] for line in axes.lines if line.get_marker() == "o"]
    found = [line.get_xdata()[0] for line in points]
    assert found == ([] if minutes is None else [pytest.approx(minutes)])


def test_names_of_near_points_stand_apart():
    figure = cost_figure(
        pd.DataFrame({"method": ["m"], "parameters": [1e6], "minutes": [3.0], "mean": [70.0]}),
        METHODS,
        "ACC",
    )
    axes = figure.axes[0]
    before = len(axes.texts)
    point_labels(axes, [(1e6, 70.0, name, "k") for name in ("first", "second")], (2.7, 2.4))
    first, second = axes.texts[before:]
    assert first.get_position() != second.get_position()


def test_embeddings_are_drawn_by_class_and_by_the_largest_subjects():
    subjects = np.array([f"s{i}" for i in range(9)] * 4 + ["s3"] * 4)
    labels = np.arange(40) % 2
    points = np.random.default_rng(0).normal(size=(40, 2))
    figure = embedding_figure(points, labels, subjects, ("w", "n"), [0.5, 0.2], "T")
    by_class, by_subject = ([line.get_label() for line in axes.lines] for axes in figure.axes)
    assert by_class == ["w", "n"]
    assert by_subject[:2] == ["3 others", "s3"]
    assert len(by_subject) == 7
    assert sum(len(line.get_xdata()) for line in figure.axes[1].lines) == 40
