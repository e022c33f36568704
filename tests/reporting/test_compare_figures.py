import json
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest

from physiome.config.report import MethodEntry
from physiome.errors import DataError
from physiome.files import write_json
from physiome.reporting.comparison_figures import restoration_figure, robustness_figure
from physiome.reporting.labels import spread
from physiome.reporting.robustness import RESTORATION, by_missing, restoration_errors
from physiome.reporting.style import GREY, looks
from physiome.reporting.subset_dots import subset_figure
from physiome.steps import compare_figures, scores
from physiome.subsets import all_subsets

pytestmark = pytest.mark.slow

METHODS = {
    "m": MethodEntry(title="Main", scope="single"),
    "c": MethodEntry(title="Control", scope="control"),
    "x": MethodEntry(title="Absent", scope="single"),
}
SETTINGS = {
    "dataset": "toy",
    "title": "Toy data",
    "modalities": {"a": "EEG A", "b": "EOG"},
    "methods": {name: entry.plain() for name, entry in METHODS.items()},
}
THREE = {"a": 10.0, "b": 20.0, "c": 60.0, "a+b": 40.0, "a+c": 50.0, "b+c": 90.0, "a+b+c": 95.0}


def means(**of_methods):
    rows = [(m, s, v) for m, values in of_methods.items() for s, v in values.items()]
    return pd.DataFrame(rows, columns=["method", "subset", "mean"])


def facts(method, fold, restoration=None):
    told = {"dataset": "toy", "method": method, "fold": fold}
    return told if restoration is None else told | {"restoration": restoration}


def restored(relative):
    return {"a": {"b": {"mse": 2 * relative, "relative": relative}}}


def test_points_are_means_over_the_subsets_of_a_size():
    found = by_missing(means(m=THREE), all_subsets(["a", "b", "c"]))
    assert list(found["missing"]) == [0, 1, 2]
    assert list(found["subsets"]) == [1, 3, 3]
    assert list(found["mean"]) == pytest.approx([95, 60, 30])


def test_a_size_with_a_subset_without_score_has_no_point():
    found = by_missing(means(m=THREE | {"b": np.nan}), all_subsets(["a", "b", "c"]))
    assert list(found["mean"].isna()) == [False, False, True]


def test_controls_are_dashed_and_methods_without_points_are_left_out():
    table = means(m=THREE, c=THREE, x=dict.fromkeys(THREE, np.nan))
    figure = robustness_figure(by_missing(table, all_subsets(["a", "b", "c"])), METHODS, "acc")
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    assert [text.get_text() for text in figure.axes[0].texts] == ["Main", "Control"]
    assert {name: line.get_linestyle() for name, line in lines.items()} == {
        "Main": "-",
        "Control": "--",
    }
    assert list(lines["Main"].get_ydata()) == pytest.approx([95, 60, 30])


def test_restoration_is_averaged_over_folds():
    told = [facts("m", 0, restored(0.4)), facts("m", 1, restored(0.6)), facts("c", 0)]
    found = restoration_errors(told)
    assert list(found) == RESTORATION
    row = found.iloc[0]
    assert (row["method"], row["subset"], row["modality"], row["folds"]) == ("m", "a", "b", 2)
    assert (row["mse"], row["relative"]) == pytest.approx((1.0, 0.5))
    assert row["relative_sd"] == pytest.approx(np.std([0.4, 0.6], ddof=1))
    assert len(found) == 1


def test_every_method_restores_on_one_axis_beside_the_average_token():
    told = [
        facts("m", 0, restored(0.4) | {"b": {"a": {"mse": 1.0, "relative": 0.9}}}),
        facts("c", 0, restored(0.7)),
    ]
    figure = restoration_figure(restoration_errors(told), METHODS, SETTINGS["modalities"])
    (axes,) = figure.axes
    rows = [label.get_text() for label in axes.get_yticklabels()]
    assert rows == ["EEG A from EOG", "EOG from EEG A"]
    drawn = {bars.get_label(): bars.lines[0].get_xdata() for bars in axes.containers}
    np.testing.assert_array_equal(drawn["Main"], [0.9, 0.4])
    assert drawn["Control"].astype(float) == pytest.approx([np.nan, 0.7], nan_ok=True)
    assert [text.get_text() for text in axes.texts] == ["error of restoring the average token"]


def test_what_figures_are_about_is_in_colour_and_others_grey():
    found = looks(METHODS | {"physiome": MethodEntry(title="PhysioME", scope="single")})
    assert {name for name, look in found.items() if look.strong} == {"physiome"}
    assert {found[name].color for name in METHODS} == {GREY}
    assert {name for name, look in looks(METHODS).items() if look.strong} == {"x"}


def test_names_of_lines_keep_their_order_and_never_touch():
    values = np.array([5.0, 1.0, 5.1, 5.2, 9.0])
    placed = spread(values, 1.0)
    assert (np.argsort(placed) == np.argsort(values)).all()
    assert np.diff(np.sort(placed)).min() >= 1 - 1e-9
    assert placed[[1, 4]].tolist() == [1.0, 9.0]
    assert placed[[0, 2, 3]].mean() == pytest.approx(values[[0, 2, 3]].mean())


def test_no_name_of_a_line_lies_below_the_axes_where_their_label_is():
    named = {f"m{i}": MethodEntry(title=f"M{i}", scope="single") for i in range(14)}
    rows = [(m, k, 70 - 10 * k + 0.1 * i) for i, m in enumerate(named) for k in (0, 1)]
    points = pd.DataFrame(rows, columns=["method", "missing", "mean"])
    axes = robustness_figure(points, named, "acc").axes[0]
    places = sorted(text.xyann[1] for text in axes.texts)
    assert places[0] >= axes.get_ylim()[0]
    assert np.diff(places).min() > 0


def test_titles_of_neighbouring_panels_do_not_overlap():
    titles = {"a": "Airway pressure", "b": "ABP", "c": "ECG", "d": "Central venous pressure"}
    every = all_subsets(tuple(titles))
    labels = {"+".join(s): " + ".join(titles[m] for m in s) for s in every}
    cells = [("m", s, 70.0, 60.0, 80.0) for s in labels]
    cells = pd.DataFrame(cells, columns=["method", "subset", "mean", "low", "high"])
    figure = subset_figure(cells, METHODS, labels, "acc", "m")
    figure.draw_without_rendering()
    drawn = figure.axes[: len(labels)]
    boxes = [axes._left_title.get_window_extent() for axes in drawn]
    assert not [a for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]
    assert all(figure.bbox.y0 < box.y0 < box.y1 < figure.bbox.y1 for box in boxes)
    assert all(axes.get_position().height > 0.02 for axes in drawn)


@pytest.fixture
def draw(tmp_path, probe):
    probes = [probe(method, fold) for method in ("m", "c") for fold in (0, 1)]
    scores.run(probes, tmp_path / "scores.csv", tmp_path / "by_subject.csv")

    def run(told, **changes):
        paths = []
        for place, fact in enumerate(told):
            paths.append(tmp_path / f"e{place}.json")
            write_json(paths[-1], fact)
        names = ("robustness.svg", "restoration.svg", "restored.svg", "restoration.csv")
        out = [tmp_path / name for name in names]
        settings = json.dumps(SETTINGS | changes)
        compare_figures.run(settings, tmp_path / "scores.csv", paths, *out)
        return [path.read_text() for path in out]

    return run


def test_figures_are_valid_and_repeat_byte_for_byte(draw):
    example = {"observed": "b", "record": "r7", "number": 3, "onset_s": 90.0, "relative": 0.4}
    example |= {"true": [[1.0, 0.5], [-1.0, 0.0]], "restored": [[0.5, 0.5], [0.0, 0.0]]}
    told = [facts("m", 0, restored(0.4)) | {"examples": {"a": example}}]
    told.append(facts("m", 1, restored(0.6)))
    first = draw(told)
    assert first == draw(told)
    assert "EEG A, true (r7, 1.5 min)" in first[2]
    assert "from EOG: 0.40 of the variance is wrong" in first[2]
    for text in first[:3]:
        assert ET.fromstring(text).tag.endswith("svg")
    assert "Control" in first[0]
    assert "Absent" not in first[0]
    assert "EOG from EEG A" in first[1]
    assert first[3].splitlines()[1].startswith("toy,m,a,b,")


def test_without_restoration_the_figure_says_so(draw):
    _, drawn, tokens, numbers = draw([facts("m", 0), facts("other", 0, restored(0.4))])
    assert "No method restores missing modalities." in drawn
    assert "No method restores missing modalities." in tokens
    assert numbers.splitlines() == [",".join(RESTORATION)]


def test_unknown_data_set_or_head_is_refused(draw):
    with pytest.raises(DataError, match="did you mean 'toy'"):
        draw([], dataset="tot")
    with pytest.raises(DataError, match="head 'paper'"):
        draw([], head="paper")


def test_sizes_of_which_no_subset_is_scored_have_no_point():
    scored = [("a", "b", "c"), ("a",)]
    found = by_missing(means(m=THREE), scored)
    assert found[["missing", "subsets", "mean"]].to_numpy().tolist() == [[0, 1, 95.0], [2, 1, 10.0]]


def test_an_error_far_beyond_the_average_token_does_not_hide_the_others():
    told = [facts("m", 0, restored(0.4)), facts("c", 0, restored(800.0))]
    figure = restoration_figure(restoration_errors(told), METHODS, SETTINGS["modalities"])
    assert figure.axes[0].get_xscale() == "log"
