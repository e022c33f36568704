"""Draw confusion matrices, one record's classes over time, and scores by subset."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from physiome.config.report import FigureSpec
from physiome.evaluation.metrics import confusion_counts
from physiome.evaluation.predicted import (
    main_of,
    predicted,
    probabilities,
    probes_of,
    subset_intervals,
)
from physiome.reporting.confusion import confusion_figure
from physiome.reporting.scores import read_scores
from physiome.reporting.style import empty_figure, save
from physiome.reporting.subset_dots import subset_figure
from physiome.reporting.tables import build_table
from physiome.reporting.timeline import timeline_figure
from physiome.subsets import subset_name


def run(
    settings: str, probes: list[Path], scores: Path, confusion: Path, timeline: Path, subsets: Path
) -> None:
    """Draw the three figures of one data set; a PDF lies beside each SVG.

    Args:
        settings: a FigureSpec as JSON.
        probes: `.parquet` files of the probe step, all methods and folds; others are ignored.
        scores: scores of all folds and methods.
        confusion: SVG; the main method from the full set and its worst subset, over all folds.
        timeline: SVG; its first fold's test record with most windows, from the same two subsets.
        subsets: SVG; mean scores over folds of every method, intervals over test subjects.
    """
    spec = FigureSpec.parse_text(settings, "figures")
    found = probes_of(spec, probes)
    main, means = main_of(spec, found), _means(spec, scores)
    mine = [facts for facts in found if facts["method"] == main]
    shown = _full_and_worst(spec, means[means["method"] == main])
    title = f"{spec.title}: {spec.methods[main].title}"
    matrices = _confusions(spec, mine, shown)
    save(confusion_figure(matrices, found[0]["classes"], title), confusion)
    save(_timeline(spec, mine[0], shown, title), timeline)
    names = {subset_name(s): spec.called(s) for s in spec.subsets_scored}
    drawn = means[means["subset"].isin(list(names))]
    reach = subset_intervals(spec, found, list(names))
    cells = drawn.merge(reach, how="left", on=["method", "subset"])
    save(subset_figure(cells, spec.methods, names, spec.metric, main), subsets)


def _means(spec: FigureSpec, scores: Path) -> pd.DataFrame:
    """The table's rows of the metric that is drawn."""
    table = read_scores(scores)
    table = table[(table["dataset"] == spec.dataset) & (table["head"] == spec.head)]
    means = build_table(table, spec.methods, spec.modalities, scored=spec.scored)
    return means[means["metric"] == spec.metric]


def _full_and_worst(spec: FigureSpec, means: pd.DataFrame) -> dict[str, str]:
    """Title -> subset: the full set, and of the proper ones that with the lowest score."""
    full, *proper = spec.subsets_scored
    found = {spec.called(full): subset_name(full)}
    known = means.set_index("subset")["mean"].reindex([subset_name(s) for s in proper]).dropna()
    if len(known):
        worst = str(known.idxmin())
        found[f"{spec.called(worst.split('+'))} (worst subset)"] = worst
    return found


def _confusions(
    spec: FigureSpec, mine: list[dict[str, Any]], shown: dict[str, str]
) -> dict[str, np.ndarray]:
    """Counts of the windows that carry every modality, summed over folds."""
    matrices = {}
    for title, subset in shown.items():
        tables = [predicted(facts, spec.head, subset) for facts in mine]
        table = pd.concat(tables, ignore_index=True)
        table = table[table["complete"]]
        counts = confusion_counts(
            table["label"].to_numpy(int), table["said"].to_numpy(), len(mine[0]["classes"])
        )
        if counts.any():
            matrices[title] = counts
    return matrices


def _timeline(spec: FigureSpec, facts: dict[str, Any], shown: dict[str, str], title: str) -> Figure:
    tables = {name: predicted(facts, spec.head, subset) for name, subset in shown.items()}
    tables = {name: table for name, table in tables.items() if len(table)}
    if not tables:
        return empty_figure(f"{title}: nothing was predicted")
    first = next(iter(tables.values()))
    if first.groupby("record")["label"].nunique().max() < 2:
        return empty_figure(
            f"{title}: all windows of a test record have one class, so there is no course to show"
        )
    record, windows = _longest(first)
    strips = {}
    for name, table in tables.items():
        here = table[table["record"] == record].set_index("number").reindex(windows.index)
        strips[name] = here[probabilities(facts)].to_numpy(float)
    return timeline_figure(
        windows["onset_s"].to_numpy(float) / 3600,
        windows["label"].to_numpy(int),
        {name: p for name, p in strips.items() if not np.isnan(p).any()},
        facts["classes"],
        f"{title}, test record {record} (fold {facts['fold']})",
    )


def _longest(table: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    """The record with most windows, and these by number, rising."""
    sizes = table["record"].value_counts()
    record = min(sizes.index[sizes == sizes.max()])
    here = table[table["record"] == record].sort_values("number")
    return str(record), here.set_index("number")
