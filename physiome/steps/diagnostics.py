"""Draw what a score alone hides: single subjects, calibration, costs, the embeddings."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from physiome.config.report import FigureSpec
from physiome.errors import DataError
from physiome.evaluation.bootstrap import draw, subjects_interval
from physiome.evaluation.embeddings import open_embeddings
from physiome.evaluation.metrics import calibration_error
from physiome.evaluation.predicted import main_of, predicted, probabilities, probes_of
from physiome.reporting.cost_score import cost_figure
from physiome.reporting.embedding_map import embedding_figure
from physiome.reporting.paired import paired_differences, paired_figure
from physiome.reporting.reliability import reliability_bins, reliability_figure
from physiome.reporting.scores import read_scores, read_subjects
from physiome.reporting.style import empty_figure, save
from physiome.reporting.tables import ROBUSTNESS, build_table
from physiome.subsets import subset_name

OTHERS = 2  # of the reliability diagram: the best ones besides the main method
POINTS = 2000  # of the map of embeddings, evenly spread over the test windows


def run(
    settings: str,
    probes: list[Path],
    scores: Path,
    by_subject: Path,
    costs: Path,
    embeddings: Path,
    paired: Path,
    reliability: Path,
    cost_score: Path,
    embedding_map: Path,
) -> None:
    """Draw the four figures of one data set; a PDF lies beside each SVG.

    Args:
        settings: a FigureSpec as JSON, as for the step `figures`.
        probes: `.parquet` files of the probe step, all methods and folds; others are ignored.
        scores: scores of all folds and methods.
        by_subject: accuracies of single test subjects.
        costs: of the step `costs`, the same methods.
        embeddings: `.npy` of the embed step, of the main method in one fold.
        paired: SVG; differences to every other method, a dot per subject.
        reliability: SVG; of the main method and the two best others, full set, all folds.
        cost_score: SVG; the score against parameters and minutes.
        embedding_map: SVG; the first two principal components of test windows, full set.

    Raises:
        DataError: no probes of the data set; embeddings of another data set.
    """
    spec = FigureSpec.parse_text(settings, "diagnostics")
    found = probes_of(spec, probes)
    main, means = main_of(spec, found), _means(spec, scores)
    save(_paired(spec, main, by_subject), paired)
    full = means[means["subset"] == subset_name(spec.subsets_scored[0])]
    save(_reliability(spec, found, main, full), reliability)
    save(_costs(spec, costs, means), cost_score)
    save(_map(spec, embeddings), embedding_map)


def _means(spec: FigureSpec, scores: Path) -> pd.DataFrame:
    """The table's rows of the metric that is drawn."""
    table = read_scores(scores)
    table = table[(table["dataset"] == spec.dataset) & (table["head"] == spec.head)]
    means = build_table(table, spec.methods, spec.modalities, scored=spec.scored)
    return means[means["metric"] == spec.metric]


def _paired(spec: FigureSpec, main: str, by_subject: Path) -> Figure:
    table = read_subjects(by_subject)
    table = table[(table["dataset"] == spec.dataset) & (table["head"] == spec.head)]
    full, *proper = map(subset_name, spec.subsets_scored)
    panels = {}
    for title, names in {"everything observed": [full], "mean of proper subsets": proper}.items():
        if names:
            accuracy = _mean_over(table, names)
            gains = paired_differences(accuracy, main)
            panels[title] = gains, _intervals(spec, gains)
    return paired_figure(panels, spec.methods, main)


def _mean_over(table: pd.DataFrame, subsets: list[str]) -> pd.DataFrame:
    """Each subject's mean accuracy over subsets, where it has all of them."""
    here = table[table["subset"].isin(subsets)].groupby(["method", "fold", "subject"])["acc"]
    found = here.agg(["mean", "count"]).reset_index()
    found = found[found["count"] == len(subsets)]
    return found.rename(columns={"mean": "acc"}).drop(columns="count")


def _intervals(spec: FigureSpec, gains: pd.DataFrame) -> pd.DataFrame:
    """Mean difference over subjects of every method, and the middle 95 percent of resamples."""
    rows = []
    for method, part in gains.groupby("method", sort=False):
        values = part["difference"].to_numpy()
        drawn = draw(len(values), spec.resamples, (spec.seed, 0))
        low, high = subjects_interval(drawn @ values / len(values), len(values), 1)
        rows.append({"method": method, "mean": values.mean(), "low": low, "high": high})
    return pd.DataFrame(rows, columns=["method", "mean", "low", "high"])


def _reliability(
    spec: FigureSpec, found: list[dict[str, Any]], main: str, full: pd.DataFrame
) -> Figure:
    """Of the main method and the best others, those that are no controls first."""
    known = full[full["mean"].notna() & (full["method"] != main)].sort_values(
        "mean", ascending=False, kind="stable"
    )
    control = known["method"].map(lambda m: spec.methods[m].scope == "control")
    others = [*known.loc[~control, "method"], *known.loc[control, "method"]][:OTHERS]
    curves = {}
    for method in (main, *others):
        y, p = _pooled(spec, [f for f in found if f["method"] == method])
        if len(y):
            curve = reliability_bins(p.max(axis=1), p.argmax(axis=1) == y)
            curves[method] = curve, calibration_error(y, p)
    return reliability_figure(curves, spec.methods)


def _pooled(spec: FigureSpec, mine: list[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities of all folds' windows that carry every modality."""
    full = subset_name(spec.subsets_scored[0])
    table = pd.concat([predicted(f, spec.head, full) for f in mine], ignore_index=True)
    table = table[table["complete"]]
    return table["label"].to_numpy(int), table[probabilities(mine[0])].to_numpy(float)


def _costs(spec: FigureSpec, costs: Path, means: pd.DataFrame) -> Figure:
    proper = len(spec.subsets_scored) > 1
    subset = ROBUSTNESS if proper else subset_name(spec.subsets_scored[0])
    score = means[means["subset"] == subset][["method", "mean"]]
    table = pd.read_csv(costs)
    before = table["pretraining_s"].fillna(0)
    # First weights alone cost nothing; those that another row has trained, what they cost there.
    minutes = (before + table["training_s"]).where((table["epochs"] > 0) | (before > 0)) / 60
    table = table.assign(minutes=minutes).merge(score, on="method")
    called = f"{spec.metric.upper()} (percent)" + (", mean of proper subsets" if proper else "")
    return cost_figure(table, spec.methods, called)


def _map(spec: FigureSpec, embeddings: Path) -> Figure:
    opened = open_embeddings(embeddings)
    facts, full = opened.facts, spec.subsets_scored[0]
    if facts.dataset != spec.dataset or facts.method not in spec.methods:
        raise DataError(f"not of data set {spec.dataset!r} and its methods", where=embeddings)
    title = f"{spec.title}: {spec.methods[facts.method].title}, test windows of fold {facts.fold}"
    windows = opened.carrying(full, "test")
    labels = opened.labels(["test"])["label"]
    if len(windows):
        windows = windows.iloc[np.unique(np.linspace(0, len(windows) - 1, POINTS).astype(int))]
    x = opened.values(full, windows).astype(np.float64)
    if len(x) < 3 or (np.ptp(x, axis=0) > 0).sum() < 2:
        return empty_figure(f"{title}: too few of them, or of columns that differ, for a map")
    x = StandardScaler().fit_transform(x)
    fitted = PCA(n_components=2, svd_solver="full")
    points = fitted.fit_transform(x)
    label = labels.loc[pd.MultiIndex.from_frame(windows[["record", "number"]])].to_numpy(int)
    explained = fitted.explained_variance_ratio_.tolist()
    return embedding_figure(
        points, label, windows["subject"].to_numpy(str), opened.classes, explained, title
    )
