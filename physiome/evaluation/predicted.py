"""Reading what the heads predicted for one data set, for figures."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from physiome.config.report import FigureSpec, main_method
from physiome.data.store.parquet import read_parquet
from physiome.errors import DataError, nearest
from physiome.evaluation.bootstrap import (
    count,
    draw,
    known_mean,
    resampled_acc,
    resampled_auc,
    subjects_interval,
)
from physiome.files import read_noted

RESAMPLED = {"acc": resampled_acc, "auc": resampled_auc}  # metrics that have intervals


def probes_of(spec: FigureSpec, probes: Sequence[Path]) -> list[dict[str, Any]]:
    """Facts of the probes to draw, each with its `path`, in order of fold.

    Raises:
        DataError: there is none of the data set and its methods.
    """
    every = [{**read_noted(Path(p).with_suffix(".json")), "path": Path(p)} for p in probes]
    found = [f for f in every if f["dataset"] == spec.dataset and f["method"] in spec.methods]
    if not found:
        raise DataError(
            f"no probe results of data set {spec.dataset!r} and these methods",
            do=nearest(spec.dataset, {f["dataset"] for f in every}),
        )
    return sorted(found, key=lambda facts: facts["fold"])


def main_of(spec: FigureSpec, found: Sequence[Mapping[str, Any]]) -> str:
    """The method that figures are about, of those with results.

    Raises:
        DataError: the one that was asked for has none.
    """
    known = {facts["method"] for facts in found}
    wanted = spec.timeline_method
    if wanted is None:
        return main_method({m: entry for m, entry in spec.methods.items() if m in known})
    if wanted not in known:
        raise DataError(f"no probe results of method {wanted!r}", do=nearest(wanted, known))
    return wanted


def heads_of(facts: Mapping[str, Any], found: Iterable[str]) -> list[str]:
    """Heads of a probe: those it has rows of (`found`), those it fitted, and those it could not."""
    fits = [told.get("choices", {}) for told in facts.get("subsets", {}).values()]
    lacking = [cell["head"] for cell in facts.get("empty", [])]
    return list(dict.fromkeys([*found, *lacking, *(head for fit in fits for head in fit)]))


def predicted(facts: Mapping[str, Any], head: str, subset: str | None = None) -> pd.DataFrame:
    """A probe's rows of one head, of all subsets or one; `said` is the most probable class."""
    p = probabilities(facts)
    filters = [("head", "==", head)] + ([("subset", "==", subset)] if subset else [])
    columns = ["record", "subject", "number", "onset_s", "label", "complete", "subset", *p]
    table = read_parquet(facts["path"], columns=columns, filters=filters)
    return table.assign(said=table[p].to_numpy().argmax(axis=1))


def probabilities(facts: Mapping[str, Any]) -> list[str]:
    """Columns of the classes' probabilities."""
    return [f"p{c}" for c in range(len(facts["classes"]))]


def subset_intervals(
    spec: FigureSpec, found: Sequence[Mapping[str, Any]], subsets: Sequence[str]
) -> pd.DataFrame:
    """Middle 95 percent of the metric of every method and subset over drawn test subjects.

    Subjects are drawn within folds, and the folds' scores averaged, on the windows that carry
    every modality: as in the table and its intervals.

    Returns:
        method, subset, low, high (percent; NaN where no fold has two subjects); no row if the
        metric is neither acc nor auc.
    """
    if spec.metric not in RESAMPLED:
        return pd.DataFrame(columns=["method", "subset", "low", "high"])
    resampled = RESAMPLED[spec.metric]
    values: dict[tuple[str, str], list] = {}
    subjects: dict[tuple[str, str], int] = {}
    for facts in found:
        table = predicted(facts, spec.head)
        table = table[table["complete"]]
        if table.empty:
            continue
        drawn = draw(table["subject"].nunique(), spec.resamples, (spec.seed, facts["fold"]))
        for subset, part in table[table["subset"].isin(subsets)].groupby("subset", sort=False):
            p = part[probabilities(facts)].to_numpy(float)
            counts = count(part["subject"], part["label"].to_numpy(int), p)
            if len(counts.subjects) != drawn.shape[1]:
                continue
            again = resampled(counts, drawn)
            if np.isnan(again).all():  # a class is missing
                continue
            key = (facts["method"], str(subset))
            values.setdefault(key, []).append(again)
            subjects[key] = subjects.get(key, 0) + len(counts.subjects)
    rows = []
    for (method, subset), folds in values.items():
        mean = known_mean(pd.DataFrame(folds).to_numpy())
        low, high = subjects_interval(mean, subjects[method, subset], len(folds))
        rows.append({"method": method, "subset": subset, "low": 100 * low, "high": 100 * high})
    return pd.DataFrame(rows, columns=["method", "subset", "low", "high"])
