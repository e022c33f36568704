"""Intervals of the differences between methods, from a paired bootstrap over test subjects."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from physiome.config.metrics import PRINTED
from physiome.config.report import ONE_HEAD, IntervalSpec
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
from physiome.evaluation.metrics import window_metrics
from physiome.evaluation.predicted import heads_of
from physiome.files import atomic_path, read_noted
from physiome.reporting.tables import ROBUSTNESS
from physiome.subsets import subset_name

COLUMNS = [
    "dataset", "method", "reference", "subset", "metric", "difference", "low", "high",
    "resamples", "subjects", "folds",
]  # fmt: skip


class _Scored:
    """One method's scores of one fold: the score itself first, then those of the resamples."""

    def __init__(self, probe: Path, facts: dict[str, Any], spec: IntervalSpec):
        classes = facts["classes"]
        p = [f"p{c}" for c in range(len(classes))]
        table = read_parquet(
            probe,
            columns=["record", "number", "subject", "label", "complete", "subset", *p],
            filters=[("head", "==", spec.head), ("complete", "==", True)],
        )
        self.path = probe
        self.values: dict[tuple[str, str], np.ndarray] = {}  # (subset, metric) -> (1 + R,)
        self.windows: dict[str, int] = {}  # subset -> hash of the windows scored
        self.subjects = table["subject"].nunique()
        if table.empty:
            return
        drawn = draw(self.subjects, spec.resamples, (spec.seed, facts["fold"]))
        for subset in spec.subsets_scored:
            name = subset_name(subset)
            part = table[table["subset"] == name]
            if part.empty:  # the method does not do this subset
                continue
            y, scores = part["label"].to_numpy(np.int64), part[p].to_numpy(np.float64)
            own = window_metrics(y, scores, classes)
            counts = count(part["subject"], y, scores)
            if len(counts.subjects) != self.subjects:
                raise DataError(f"subset {name} lacks test subjects of others", where=probe)
            rerun = {"acc": resampled_acc(counts, drawn), "auc": resampled_auc(counts, drawn)}
            for metric in PRINTED:
                self.values[name, metric] = np.concatenate([[own[metric]], rerun[metric]])
            tested = pd.util.hash_pandas_object(part[["record", "number", "label"]], index=False)
            self.windows[name] = int(tested.sum())


def run(probes: list[Path], output: Path, settings: str) -> None:
    """Compare every method with the reference, in percent points.

    The score is the table's own cell: the mean over folds of a fold's accuracy or AUC on the test
    windows that carry every modality. Both methods see the same drawn subjects, and only folds
    that both have count. `low` and `high` bound the middle 95 percent of the resamples, and are
    empty where no fold has two subjects; `resamples` is how many are defined. A class that a
    resample of a fold lacks is left out of that fold's AUC, and a fold without any AUC out of the
    mean.

    Args:
        probes: `.parquet` files of the probe step, the `.json` beside each; others are ignored.
        output: CSV, one row per method, subset and metric, without numbers where no fold is common;
            under one head for all subsets, rows of methods that have it.
        settings: an IntervalSpec as JSON.

    Raises:
        DataError: a method without probes or the head, the same probe twice, or other test windows.
    """
    spec = IntervalSpec.parse_text(settings, "intervals")
    scored = _read(probes, spec)
    rows: list[dict[str, Any]] = []
    for method in dict.fromkeys(spec.methods):
        if method != spec.reference and {method, spec.reference} <= scored.keys():
            rows += _compare(scored[method], scored[spec.reference], spec, method)
    with atomic_path(output) as temporary:
        pd.DataFrame(rows, columns=COLUMNS).to_csv(temporary, index=False)


def _read(probes: list[Path], spec: IntervalSpec) -> dict[str, dict[int, _Scored]]:
    """Method -> fold -> scores; under one head for all subsets, of methods that have it.

    A method that could not be fitted, or tested on a complete window, has no scores.
    """
    wanted = dict.fromkeys((spec.reference, *spec.methods))
    every = [(Path(probe), read_noted(Path(probe).with_suffix(".json"))) for probe in probes]
    here = [(path, facts) for path, facts in every if facts["dataset"] == spec.dataset]
    known = {facts["method"] for _, facts in here}
    if not here:
        seen = {facts["dataset"] for _, facts in every}
        raise DataError(
            f"no probe results of data set {spec.dataset!r}", do=nearest(spec.dataset, seen)
        )
    for method in (spec.reference, *spec.methods):
        if method not in known:
            raise DataError(f"no probe results of method {method!r}", do=nearest(method, known))
    scored: dict[str, dict[int, _Scored]] = {method: {} for method in wanted}
    for path, facts in here:
        method, fold = facts["method"], facts["fold"]
        if method not in wanted:
            continue
        if fold in scored[method]:
            raise DataError(f"fold {fold} of method {method!r} occurs twice", where=path)
        scored[method][fold] = _Scored(path, facts, spec)
    without = [m for m in scored if not any(fold.values for fold in scored[m].values())]
    if spec.head == ONE_HEAD:
        return {m: folds for m, folds in scored.items() if m not in without}
    fitted = {facts["method"] for path, facts in here if spec.head in _heads(path, facts)}
    for method in without:
        if method not in fitted:
            raise DataError(f"no complete test windows of method {method!r}, head {spec.head!r}")
    return scored


def _heads(probe: Path, facts: dict[str, Any]) -> list[str]:
    return heads_of(facts, read_parquet(probe, columns=["head"])["head"].unique())


def _compare(
    mine: dict[int, _Scored], reference: dict[int, _Scored], spec: IntervalSpec, method: str
) -> list[dict[str, Any]]:
    """Rows of all subsets, then of the mean over the proper ones."""
    names = [subset_name(subset) for subset in spec.subsets_scored]
    rows: list[dict[str, Any]] = []
    for metric in PRINTED:
        found = {name: _differences(mine, reference, (name, metric)) for name in names}
        if len(names) > 1:
            found[ROBUSTNESS] = _mean_of([found[name] for name in names[1:]])
        for subset, (values, folds, subjects) in found.items():
            low, high = subjects_interval(values[1:], subjects, folds)
            rows.append(
                {
                    "dataset": spec.dataset,
                    "method": method,
                    "reference": spec.reference,
                    "subset": subset,
                    "metric": metric,
                    "difference": round(100 * values[0], 4),
                    "low": round(100 * low, 4),
                    "high": round(100 * high, 4),
                    "resamples": int((~np.isnan(values[1:])).sum()),
                    "subjects": subjects,
                    "folds": folds,
                }
            )
    order = {subset: place for place, subset in enumerate([*names, ROBUSTNESS])}
    return sorted(rows, key=lambda row: order[row["subset"]])


_NOTHING = (np.full(1, np.nan), 0, 0)


def _mean_of(proper: list[tuple[np.ndarray, int, int]]) -> tuple[np.ndarray, int, int]:
    """The mean over subsets, if every one has a value; folds and subjects are the fewest."""
    if not all(folds for _, folds, _ in proper):
        return _NOTHING
    mean = np.mean([values for values, _, _ in proper], axis=0)
    return mean, min(folds for _, folds, _ in proper), min(subjects for *_, subjects in proper)


def _differences(
    mine: dict[int, _Scored], reference: dict[int, _Scored], key: tuple[str, str]
) -> tuple[np.ndarray, int, int]:
    """Mean over common folds, method minus reference (1 + R,); folds; subjects."""
    folds = [
        fold
        for fold in mine
        if fold in reference
        and key in mine[fold].values
        and key in reference[fold].values
        and not np.isnan(reference[fold].values[key][0])
    ]
    for fold in folds:
        if mine[fold].windows[key[0]] != reference[fold].windows[key[0]]:
            raise DataError(
                f"other test windows than {reference[fold].path}",
                where=mine[fold].path,
                do="run the probe step of both on the same folds",
            )
    if not folds:
        return _NOTHING
    means = [
        known_mean(np.stack([method[fold].values[key] for fold in folds]))
        for method in (mine, reference)
    ]
    return means[0] - means[1], len(folds), sum(mine[fold].subjects for fold in folds)
