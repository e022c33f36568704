"""The steps that read scores and probe results from disk: table, figures, curves."""

import json
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest

from physiome.config.metrics import METRICS
from physiome.errors import ConfigError, DataError
from physiome.evaluation.predicted import probes_of, subset_intervals
from physiome.reporting.confusion import confusion_figure
from physiome.reporting.curves import curve_figure
from physiome.reporting.style import save
from physiome.reporting.timeline import timeline_figure
from physiome.steps import curves, figures, scores, table

pytestmark = pytest.mark.slow

METHODS = {
    "n": {"title": "Net & co", "scope": "single"},
    "m": {"title": "Main", "scope": "single"},
    "c": {"title": "Control", "scope": "control"},
}
SETTINGS = {
    "dataset": "toy",
    "title": "Toy data",
    "modalities": {"a": "EEG A", "b": "EOG"},
    "methods": METHODS,
}


@pytest.fixture
def scored(tmp_path, probe):
    probes = [probe(method, fold) for method in ("m", "n") for fold in (0, 1)]
    scores.run(probes, tmp_path / "scores.csv", tmp_path / "by_subject.csv")
    return probes, tmp_path / "scores.csv"


def make_table(folder, path, **changes):
    table.run(json.dumps(SETTINGS | changes), path, folder / "t.csv", folder / "t.tex")
    return pd.read_csv(folder / "t.csv"), (folder / "t.tex").read_text()


def draw(folder, probes, path, **changes):
    out = {name: folder / f"{name}.svg" for name in ("confusion", "timeline", "subsets")}
    figures.run(json.dumps(SETTINGS | changes), probes, path, **out)
    return {name: out[name].read_text() for name in out}


def test_table_counts_folds_windows_and_subjects(tmp_path, scored):
    found, tex = make_table(tmp_path, scored[1])
    assert "over 2 folds (236 test windows of 4 subjects in all)" in tex
    acc = pd.read_csv(scored[1]).query("method == 'm' and subset == 'a' and metric == 'acc'")
    assert found.set_index("subset").loc["a", "Main ACC"] == pytest.approx(
        100 * acc["value"].mean(), abs=1e-3
    )
    assert list(found["subset"]) == ["a+b", "a", "b", "as recorded", "mean of the proper subsets"]
    assert found["Control ACC"].isna().all()


def test_csv_holds_every_head_and_tex_the_chosen_one(tmp_path, scored):
    rows = pd.read_csv(scored[1])
    better = rows.assign(head="paper", value=1.0)
    pd.concat([rows, better]).to_csv(scored[1], index=False)
    scored[1].with_suffix(".notes.json").unlink()  # it knows how the file was written
    found, tex = make_table(tmp_path, scored[1], head="paper")
    assert set(found["head"]) == {"logistic", "paper"}
    assert "100.00" in tex
    assert "two-layer head" in tex
    _, tex = make_table(tmp_path, scored[1])
    assert "100.00" not in tex


def test_csv_holds_every_metric_and_count_whatever_is_printed(tmp_path, scored):
    found, tex = make_table(tmp_path, scored[1], metrics=["kappa"])
    assert {"Main KAPPA", "Main ACC"} & set(found) == {"Main KAPPA"}
    every = pd.read_csv(tmp_path / "t.long.csv").query("method == 'm' and subset == 'a'")
    rows = pd.read_csv(scored[1]).query("method == 'm' and subset == 'a'")
    by_metric = rows.groupby("metric")["value"]
    means = every.set_index("metric")["mean"]
    assert set(means.index) == set(METRICS)
    for metric in METRICS:
        assert means[metric] == pytest.approx(100 * by_metric.mean()[metric], abs=1e-3)
    row = every.iloc[0]
    assert row["windows"] == 236
    assert sum(row[f"windows k{c}"] for c in range(3)) == 236
    assert row["subjects k1"] == by_metric.sum()["subjects_k1"] == 4
    assert f"{means['kappa']:.2f}" in tex
    assert f"{means['acc']:.2f}" not in tex
    assert not {"paper", "difference"} & set(every)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"metrics": ["acc", "kapa"]}, ConfigError, "metrics.*did you mean 'kappa'"),
        ({"metrics": ["acc", "acc"]}, ConfigError, "stands there twice"),
        ({"metrics": []}, ConfigError, "at least 1"),
        ({"dataset": "tot"}, DataError, "did you mean 'toy'"),
        ({"head": "logstic"}, DataError, "did you mean 'logistic'"),
        ({"paper_table": 1}, ConfigError, "'EEG A' is not in the paper's table"),
        ({"decimals": -1}, ConfigError, "decimals"),
        ({"metods": {}}, ConfigError, "did you mean 'methods'"),
    ],
)
def test_unusable_settings_are_refused_and_nothing_is_written(
    tmp_path, scored, changes, error, message
):
    with pytest.raises(error, match=message):
        make_table(tmp_path, scored[1], **changes)
    assert not (tmp_path / "t.csv").exists()
    assert not (tmp_path / "t.tex").exists()


def test_figures_are_valid_and_repeat_byte_for_byte(tmp_path, scored):
    first = draw(tmp_path, *scored)
    printed = {path.name: path.read_bytes() for path in tmp_path.glob("*.pdf")}
    second = draw(tmp_path, *scored)
    assert first == second
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.pdf")} == printed
    assert set(printed) == {"confusion.pdf", "timeline.pdf", "subsets.pdf"}
    assert all(data.startswith(b"%PDF") for data in printed.values())
    for text in first.values():
        assert ET.fromstring(text).tag.endswith("svg")
    assert "Net &amp; co" in first["subsets"]
    assert "Control" not in first["subsets"]
    assert "Toy data: Main" in first["confusion"]


def confusions(spec, probes):
    mine = [facts for facts in probes_of(spec, probes) if facts["method"] == "m"]
    return figures._confusions(spec, mine, {"all": "a+b"})["all"]


def test_confusion_pools_folds_on_the_full_set(scored):
    counts = confusions(figures.FigureSpec.parse(SETTINGS), scored[0])
    expected = np.zeros((3, 3), int)
    for path in scored[0][:2]:
        rows = pd.read_parquet(path).query("subset == 'a+b'")
        for label, p in zip(rows["label"], rows[["p0", "p1", "p2"]].values, strict=True):
            expected[label, p.argmax()] += 1
    np.testing.assert_array_equal(counts, expected)
    assert counts.sum() == 236


def test_the_worst_subset_is_the_proper_one_with_the_lowest_score(tmp_path, scored):
    rows = pd.read_csv(scored[1])
    low = (rows["method"] == "m") & (rows["metric"] == "acc") & (rows["subset"] == "b")
    pd.concat([rows[~low], rows[low].assign(value=0.01)]).to_csv(scored[1], index=False)
    scored[1].with_suffix(".notes.json").unlink()  # it knows how the file was written
    for text in (draw(tmp_path, *scored)[name] for name in ("confusion", "timeline")):
        assert "EEG A + EOG" in text
        assert "EOG (worst subset)" in text
        assert "EEG A (worst subset)" not in text


def test_intervals_of_dots_hold_their_scores_and_the_table_gives_the_dots(scored):
    spec = figures.FigureSpec.parse(SETTINGS | {"resamples": 200})
    found = subset_intervals(spec, probes_of(spec, scored[0]), ["a+b", "a", "b"])
    means = figures._means(spec, scored[1])
    both = found.merge(means, on=["method", "subset"])
    assert len(found) == len(both) == 6
    assert (both["low"] <= both["mean"]).all()
    assert (both["mean"] <= both["high"]).all()
    assert (both["low"] < both["high"]).any()
    other = spec.model_copy(update={"metric": "kappa"})
    assert subset_intervals(other, probes_of(spec, scored[0]), ["a"]).empty


@pytest.mark.parametrize("metric", ["acc", "auc"])
def test_dots_of_folds_of_one_subject_each_have_no_interval(tmp_path, scored, metric):
    rewrite(scored[0], lambda t: t[t["subject"] == t["subject"].max()])
    spec = figures.FigureSpec.parse(SETTINGS | {"resamples": 50, "metric": metric})
    found = subset_intervals(spec, probes_of(spec, scored[0]), ["a+b", "a", "b"])
    assert found[["low", "high"]].isna().all(axis=None)
    draw(tmp_path, *scored, metric=metric)


def test_dots_of_auc_have_no_interval_from_a_fold_of_one_class(scored):
    rewrite(scored[0][::2], lambda t: t[t["subject"] == t["subject"].max()])
    rewrite(scored[0][1::2], lambda t: t.assign(label=0))
    spec = figures.FigureSpec.parse(SETTINGS | {"resamples": 50, "metric": "auc"})
    found = subset_intervals(spec, probes_of(spec, scored[0]), ["a+b", "a", "b"])
    assert len(found) == 6
    assert found[["low", "high"]].isna().all(axis=None)


def test_timeline_shows_the_longest_test_record_of_the_main_method(tmp_path, scored):
    text = draw(tmp_path, *scored)["timeline"]
    assert "Toy data: Main, test record r01 (fold 0)" in text
    assert text.count("percent right") == 2
    other = draw(tmp_path, *scored, timeline_method="n")["timeline"]
    assert "Net &amp; co, test record r01" in other
    with pytest.raises(DataError, match="known: m, n"):
        draw(tmp_path, *scored, timeline_method="c")


def rewrite(probes, change):
    for path in probes:
        change(pd.read_parquet(path)).to_parquet(path, index=False)


def test_timeline_shows_what_was_observed_of_the_full_and_the_worst_subset(tmp_path, scored):
    rewrite(scored[0], lambda rows: rows[rows["subset"] != "a+b"])
    assert draw(tmp_path, *scored)["timeline"].count("percent right") == 1


def test_timeline_says_that_nothing_was_predicted(tmp_path, scored):
    rewrite(scored[0], lambda rows: rows[rows["subset"] == "none"])
    assert "nothing was predicted" in draw(tmp_path, *scored)["timeline"]


def test_records_of_one_class_have_no_timeline_and_it_says_why(tmp_path, scored):
    rewrite(scored[0], lambda rows: rows.assign(label=rows["record"].str.endswith("1").astype(int)))
    text = draw(tmp_path, *scored)["timeline"]
    assert "all windows of a test record have one class" in text
    assert "percent right" not in text


def test_class_that_never_occurs_has_a_dash_and_every_cell_its_count():
    figure = confusion_figure({"M": np.array([[3, 1], [0, 0]])}, ("w", "n"))
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["75 %", "3", "25 %", "1", "–", "0", "–", "0"]


def test_titles_may_hold_signs_of_formulas(tmp_path):
    figure = confusion_figure({"cost $x_{1$ \\frac": np.eye(2)}, ("w$", "n^"))
    save(figure, tmp_path / "f.svg")
    assert "cost $x_{1$" in (tmp_path / "f.svg").read_text()


@pytest.mark.parametrize(
    ("onsets", "stretches"),
    [
        ([0, 1, 5, 6], [(0, 2), (5, 7)]),
        ([0, 1, 4, 7, 8, 9], [(0, 2), (4, 5), (7, 10)]),  # one of a single window
        ([0, 4, 5, 6, 9], [(0, 1), (4, 7), (9, 10)]),  # the first and the last
        ([0, 1, 2], [(0, 3)]),
    ],
)
def test_every_window_is_drawn_to_its_end_and_nothing_where_there_is_none(onsets, stretches):
    true = np.arange(len(onsets)) % 2
    p = np.eye(2)[1 - true] * 0.4 + 0.3
    figure = timeline_figure(np.array(onsets, float), true, {"all": p}, ("w", "n"), "")
    for axes, level in zip(figure.axes[:2], (true, 1 - true), strict=True):
        hours, drawn = axes.lines[0].get_data()
        assert axes.lines[0].get_drawstyle() == "steps-post"
        gaps = np.flatnonzero(np.isnan(hours))
        assert np.array_equal(gaps, np.flatnonzero(np.isnan(drawn)))
        parts = np.split(np.arange(len(hours)), gaps)
        ends = [(np.nanmin(hours[part]), np.nanmax(hours[part])) for part in parts]
        assert ends == stretches
        at = np.searchsorted(hours[~np.isnan(hours)], onsets, side="left")
        assert np.array_equal(drawn[~np.isnan(drawn)][at], level)
    assert len(figure.axes[2].collections) == 2  # an area a class
    for area in figure.axes[2].collections:
        reach = [path.vertices[:, 0] for path in area.get_paths()]
        assert [(x.min(), x.max()) for x in reach] == stretches


# --- training curves


def write_lines(path, lines):
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    return path


def test_curves_are_means_by_epoch_and_a_repeated_step_counts_once(tmp_path):
    lines = [
        {"step": 0, "epoch": 0, "loss": 4.0},
        {"step": 1, "epoch": 0, "loss": 99.0},
        {"step": 1, "epoch": 0, "loss": 2.0, "note": "resumed"},
        {"step": 2, "epoch": 1, "loss": 1.0, "contrast": 0.5},
    ]
    found = curves.read_metrics(write_lines(tmp_path / "m.jsonl", lines))
    assert found["loss"].tolist() == [3.0, 1.0]
    assert np.isnan(found["contrast"].iloc[0])


def test_what_a_monitor_saw_has_curves_of_its_own_and_hides_no_step(tmp_path):
    lines = [
        {"step": 0, "epoch": 0, "monitor": {"auc": 0.5}},
        {"step": 1, "epoch": 1, "across": 2.0, "across_chance": 2.5},
        {"step": 1, "epoch": 1, "monitor": {"auc": 0.75}},
    ]
    found = curves.read_metrics(write_lines(tmp_path / "m.jsonl", lines))
    assert found["epoch"].tolist() == [0, 1]
    assert found["monitor auc"].tolist() == [0.5, 0.75]
    assert found["across"].tolist()[1:] == [2.0]
    figure = curve_figure({"run": {"fold1": found}})
    panels = {axes.get_ylabel(): axes for axes in figure.axes}
    level = {line.get_label(): line for line in panels["terms of the loss"].lines}["across"]
    (chance,) = [e for e in panels["terms of the loss"].lines if e.get_linestyle() == "--"]
    assert (level.get_ydata().tolist(), chance.get_ydata().tolist()) == ([2.0], [2.5])
    (seen,) = panels["monitor: scores"].lines
    assert seen.get_ydata().tolist() == [0.5, 0.75]
    assert not panels["monitor: rank"].lines


def test_curves_have_a_row_per_model_with_the_mean_over_its_runs(tmp_path):
    lines = [{"epoch": e, "step": e, "loss": 1 / (e + 1), "restore": 2.0} for e in range(3)]
    below = [f"fold{f}/encoders/net/{m}.metrics.jsonl" for f in (1, 2) for m in ("a", "b")]
    below += [f"fold{f}/main.metrics.jsonl" for f in (1, 2)]
    curves.run([write_lines(tmp_path / run, lines) for run in below], tmp_path / "curves.svg")
    text = (tmp_path / "curves.svg").read_text()
    for word in ("net (encoders)", "main", "restore", "epoch"):
        assert word in text
    runs = {str(f): pd.DataFrame({"epoch": [0, 1], "loss": [f, 2.0]}) for f in (1.0, 3.0)}
    figure = curve_figure({"main": runs})
    drawn = [line.get_ydata().tolist() for line in figure.axes[0].lines]
    assert drawn == [[1.0, 2.0], [3.0, 2.0], [2.0, 2.0]]
    figure.draw_without_rendering()
    ticks = figure.axes[0].get_xticks()
    assert all(tick == round(tick) for tick in ticks)


def test_terms_of_models_of_each_subset_are_averaged():
    run = pd.DataFrame({"epoch": [0, 1], "a/contrast": [1.0, 2.0], "a+b/contrast": [3.0, 4.0]})
    figure = curve_figure({"dedicated": {"fold1": run}})
    (line,) = figure.axes[1].lines
    assert (line.get_label(), line.get_ydata().tolist()) == ("contrast", [2.0, 3.0])


@pytest.mark.parametrize(
    ("text", "message"), [("{", "line 1 is not JSON"), ('{"loss": 1}', "no epochs"), ("", "no epo")]
)
def test_damaged_metrics_are_refused(tmp_path, text, message):
    path = tmp_path / "m.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        curves.run([path], tmp_path / "curves.svg")
    with pytest.raises(DataError, match="missing"):
        curves.run([tmp_path / "absent"], tmp_path / "curves.svg")
    assert not (tmp_path / "curves.svg").exists()
