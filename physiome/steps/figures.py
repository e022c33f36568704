"""Draw confusion matrices, one record's classes over time, and scores by subset."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from physiome.config.report import FigureSpec
from physiome.data.store.parquet import read_parquet
from physiome.errors import DataError, nearest
from physiome.files import read_noted
from physiome.reporting.figures import confusion_figure, save, subset_figure, timeline_figure
from physiome.reporting.scores import read_scores
from physiome.reporting.tables import build_table
from physiome.subsets import subset_name

FLAGSHIP = "physiome"  # what the timeline shows


def run(
    settings: str, probes: list[Path], scores: Path, confusion: Path, timeline: Path, subsets: Path
) -> None:
    """Draw the three figures of one data set.

    Args:
        settings: a FigureSpec as JSON.
        probes: `.parquet` files of the probe step, all methods and folds; others are ignored.
        scores: scores of all folds and methods.
        confusion: SVG; full set, counts summed over folds, a panel per method.
        timeline: SVG; the test record with most windows, full set and each single modality.
        subsets: SVG; bars of mean scores over folds.
    """
    spec = FigureSpec.parse_text(settings, "figures")
    found = _probes_of(spec, probes)
    classes = found[0]["classes"]
    save(confusion_figure(_confusions(spec, found), classes), confusion)
    save(_timeline(spec, found, classes), timeline)
    save(_bars(spec, scores), subsets)


def _probes_of(spec: FigureSpec, probes: list[Path]) -> list[dict[str, Any]]:
    """Facts of the probes to draw, each with its path, in order of fold."""
    every = [{**read_noted(Path(p).with_suffix(".json")), "path": Path(p)} for p in probes]
    found = [f for f in every if f["dataset"] == spec.dataset and f["method"] in spec.methods]
    if not found:
        raise DataError(
            f"no probe results of data set {spec.dataset!r} and these methods",
            do=nearest(spec.dataset, {f["dataset"] for f in every}),
        )
    return sorted(found, key=lambda facts: facts["fold"])


def _predicted(spec: FigureSpec, facts: Mapping[str, Any], subset: str) -> pd.DataFrame:
    """The head's rows of one subset, with column `said`: the most probable class."""
    p = [f"p{c}" for c in range(len(facts["classes"]))]
    table = read_parquet(
        facts["path"],
        columns=["record", "number", "onset_s", "label", "complete", *p],
        filters=[("subset", "==", subset), ("head", "==", spec.head)],
    )
    return table.assign(said=table[p].to_numpy().argmax(axis=1)).drop(columns=p)


def _confusions(spec: FigureSpec, found: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    matrices = {}
    full = subset_name(spec.modalities)
    for method, entry in spec.methods.items():
        size = len(found[0]["classes"])
        counts = np.zeros((size, size), dtype=int)
        for facts in found:
            if facts["method"] == method:
                table = _predicted(spec, facts, full)
                np.add.at(counts, (table["label"].to_numpy(int), table["said"].to_numpy()), 1)
        if counts.any():
            matrices[entry.title] = counts
    return matrices


def _timeline(spec: FigureSpec, found: list[dict[str, Any]], classes: list[str]):
    facts = _timeline_probe(spec, found)
    tables = {s: _predicted(spec, facts, subset_name(s)) for s in spec.subsets_scored}
    tables = {s: table for s, table in tables.items() if len(table)}
    # What most modalities were observed in; others are drawn on the same windows.
    largest = max(tables, key=len, default=())
    drawn = [largest, *(s for s in tables if len(s) == 1 and s != largest and s[0] in largest)]
    record, windows = _longest(tables.get(largest))
    strips = {}
    for subset in drawn if len(windows) else ():
        table = tables[subset]
        shown = table[table["record"] == record].set_index("number").loc[windows.index]
        name = " + ".join(spec.modalities[m] for m in subset)
        strips[name] = shown["label"].to_numpy(), shown["said"].to_numpy()
    method = spec.methods[facts["method"]].title
    title = f"{spec.title}: {method}, test record {record} (fold {facts['fold']})"
    return timeline_figure(windows.to_numpy() / 3600, strips, classes, title)


def _longest(table: pd.DataFrame | None) -> tuple[str, pd.Series]:
    """The record with most windows, and their onsets in s by number, rising; none of no table."""
    if table is None:
        return "", pd.Series(dtype=float)
    sizes = table["record"].value_counts()
    record = min(sizes.index[sizes == sizes.max()])
    here = table[table["record"] == record].sort_values("number")
    return str(record), here.set_index("number")["onset_s"]


def _timeline_probe(spec: FigureSpec, found: list[dict[str, Any]]) -> dict[str, Any]:
    """The first fold of the method to draw."""
    with_results = {facts["method"] for facts in found}
    wanted = spec.timeline_method
    if wanted is None:
        drawn = [name for name in spec.methods if name in with_results]
        single = [name for name in drawn if spec.methods[name].scope == "single"]
        wanted = FLAGSHIP if FLAGSHIP in drawn else (single or drawn)[-1]
    for facts in found:
        if facts["method"] == wanted:
            return facts
    raise DataError(
        f"no probe results of method {wanted!r} for the timeline", do=nearest(wanted, with_results)
    )


def _bars(spec: FigureSpec, scores: Path):
    table = read_scores(scores)
    table = table[(table["dataset"] == spec.dataset) & (table["head"] == spec.head)]
    means = build_table(table, spec.methods, spec.modalities, scored=spec.scored)
    names = {
        subset_name(subset): " + ".join(spec.modalities[m] for m in subset)
        for subset in spec.subsets_scored
    }
    means = means[(means["metric"] == spec.metric) & means["subset"].isin(list(names))]
    titles = {name: entry.title for name, entry in spec.methods.items()}
    drawn = means.assign(title=means["method"].map(titles))
    return subset_figure(drawn[drawn["mean"].notna()], names, spec.metric)
