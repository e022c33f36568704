"""Folds of a million simulated windows, and scores of one method's test windows among them."""

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from physiome.config.folds import FoldSpec
from physiome.data.folds.carried import require_modalities
from physiome.data.folds.make import make_folds
from physiome.data.folds.persons import require_persons
from physiome.files import write_json
from physiome.steps import intervals, scores
from physiome.subsets import all_subsets, subset_name
from tests.bench import common

MODALITIES = ("abp", "ecg", "ppg")
CLASSES = ("normotension", "hypotension")
A_SUBJECT = 100  # windows
FOLDS = 5
HEADS = ("logistic", "one_head", "paper")


def windows(count: int) -> pd.DataFrame:
    """What shards say of so many windows: a tenth is positive, a tenth lacks each signal."""
    rng = np.random.default_rng(0)
    number = np.arange(count)
    who = pd.Series([f"p{n:06d}" for n in range(count // A_SUBJECT + 1)]).iloc[number // A_SUBJECT]
    table = pd.DataFrame({"record": who.to_numpy(), "subject": who.to_numpy()})
    table["number"], table["onset_s"] = number % A_SUBJECT, 60.0 * (number % A_SUBJECT)
    table["label"], table["event"] = (rng.random(count) < 0.1).astype(int), False
    for m in MODALITIES:
        table[f"has_{m}"] = rng.random(count) > 0.1
        table[f"mean_{m}"], table[f"var_{m}"] = rng.random(count), rng.random(count)
    return table


def folds(count: int) -> dict[str, str]:
    """What the step `folds` does with the table once it is read."""
    table = windows(count)
    began = time.process_time()
    require_persons(table, False)
    found = make_folds(table, FoldSpec(count=FOLDS), list(CLASSES))
    require_modalities(table, found, CLASSES, False)
    return _told(f"folds of {count} windows of {count // A_SUBJECT} subjects", began)


def write_probe(count: int, path: Path) -> None:
    """One method's probabilities of a fold's test windows, under seven subsets and three heads."""
    table = windows(count).drop(columns=["label"])
    table = table[["record", "subject", "number", "onset_s", "event"]]
    rng = np.random.default_rng(1)
    table["label"], full = rng.integers(0, 2, count), subset_name(MODALITIES)
    table["carried"], table["complete"] = full, True
    parts = []
    for subset in all_subsets(MODALITIES):
        for head in HEADS:
            p = rng.random(count).astype(np.float32)
            named = {"subset": subset_name(subset), "head": head}
            parts.append(table.assign(**named, p0=1 - p, p1=p))
    pd.concat(parts, ignore_index=True).to_parquet(path, index=False)
    facts = {"dataset": "vitaldb", "fold": 1, "method": "physiome", "classes": list(CLASSES)}
    write_json(path.with_suffix(".json"), facts | {"modalities": list(MODALITIES)})


def score(count: int) -> dict[str, str]:
    """The step `scores` on one method in one fold."""
    with tempfile.TemporaryDirectory() as folder:
        common.in_child("scale_steps", "write", count // FOLDS, folder)
        began, at = time.process_time(), Path(folder)
        scores.run([at / "physiome.parquet"], at / "scores.csv", at / "by_subject.csv")
        return _told(f"scores of a method in a fold, {count // FOLDS} test windows", began)


def compare(count: int) -> dict[str, str]:
    """The step `intervals` on one method in one fold."""
    with tempfile.TemporaryDirectory() as folder:
        common.in_child("scale_steps", "write", count // FOLDS, folder)
        began, probe = time.process_time(), Path(folder, "physiome.parquet")
        named = {"dataset": "vitaldb", "modalities": MODALITIES, "methods": ["physiome"]}
        plain = {**named, "reference": "physiome", "head": HEADS[0], "resamples": 2000, "seed": 0}
        intervals.run([probe], Path(folder, "intervals.csv"), json.dumps(plain))
        return _told(f"intervals of a method in a fold, {count // FOLDS} test windows", began)


def _told(name: str, began: float) -> dict[str, str]:
    seconds = time.process_time() - began
    return {"name": name, "figure": f"{seconds:.0f} s of CPU, {common.peak_mb():.0f} MB in all"}


def main(kind: str, count: int, folder: str = "") -> None:
    """Measure in this process, and print what was found as JSON."""
    if kind == "write":
        write_probe(count, Path(folder, "physiome.parquet"))
        print("{}")
    else:
        print(json.dumps({"folds": folds, "scores": score, "intervals": compare}[kind](count)))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
