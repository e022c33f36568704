"""Step: whether the systems learn: every one against its own untrained weights, all seeds."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from physiome.data.store.parquet import read_parquet
from physiome.errors import DataError
from physiome.evaluation.bootstrap import draw
from physiome.evaluation.gains import Gain, Key, fold_scores, gain
from physiome.evaluation.heads_file import CENTRED, CONTEXT, LOGISTIC
from physiome.files import atomic_path, read_json, read_noted
from physiome.reporting.gains import COLUMNS, MEAN, gains_figure, gains_page
from physiome.reporting.style import save
from physiome.subsets import AS_RECORDED, named_subsets, subset_name

TOLD = {CENTRED: "embeddings less the mean of their recording, or of all of the subject"}
TOLD[CONTEXT] = f"{TOLD[CENTRED]}, beside the mean of their neighbours"
WHY = {  # a fold has no score
    "auc": "test windows lack a class",
    "r2": "its target is one value, or fewer than two labelled subjects are there for a ridge",
}
NOTHING = "no test window carries every modality, or nothing to fit a head on"
Scores = dict[int, dict[int, dict[Key, np.ndarray]]]  # seed -> fold -> (subset, metric) -> values
Subjects = dict[str, dict[int, int]]  # data set -> fold -> test subjects that are drawn from


def run(
    runs: list[Path], output: Path, notes: list[str], head: str = LOGISTIC, width: int = 100
) -> str:
    """Write `summary.csv`, `summary.svg` and `summary.txt` below `output`; return the last.

    Args:
        runs: `pairs.json` of every data set and seed.
        notes: lines that the page ends with, beside those on undefined folds.
        head: whose scores; of another than the logistic one, files are called `summary.<head>.*`.

    Raises:
        DataError: two runs of one data set and seed, or twins tested on other windows.
    """
    told, scores, subjects = _read_all(runs, head)
    rows, found = [], [*notes, *([TOLD[head]] if head in TOLD else [])]
    for dataset, facts in told.items():
        subsets = list(map(subset_name, named_subsets(facts.get("scored"), facts["modalities"])))
        own = scores[dataset]
        found += _undefined(facts["title"], own)
        for label, mine, other, shown in _compared(facts["rows"], own):
            for metric in _metrics(own[mine]):
                for name, part in _parts(subsets, metric, facts["pressure"]).items():
                    keys = [(subset, metric) for subset in part]
                    result = gain(own[mine], own[other] if other else None, keys, subjects[dataset])
                    if result is not None:
                        row = _row(result, metric, shown)
                        rows.append({"dataset": dataset, "method": label, "subset": name, **row})
    table = pd.DataFrame(rows, columns=COLUMNS)
    titles = {d: facts["title"] for d, facts in told.items()}
    named = {m: r["title"] for facts in told.values() for m, r in facts["rows"].items()}
    whole = {d: subset_name(facts["modalities"]) for d, facts in told.items()}
    page = gains_page(table, titles, whole, named, found, width)
    stem = "summary" if head == LOGISTIC else f"summary.{head}"
    with atomic_path(output / f"{stem}.csv") as temporary:
        table.to_csv(temporary, index=False)
    save(gains_figure(table, titles, named), output / f"{stem}.svg")
    with atomic_path(output / f"{stem}.txt") as temporary:
        temporary.write_text(page, encoding="utf-8")
    return page


def _read_all(runs: list[Path], head: str) -> tuple[dict, dict[str, dict[str, Scores]], Subjects]:
    """Data set -> its facts; data set -> method -> scores; data set -> subjects of its folds."""
    told: dict[str, dict[str, Any]] = {}
    scores: dict[str, dict[str, Scores]] = defaultdict(lambda: defaultdict(dict))
    tested: dict[tuple[str, int], tuple[pd.DataFrame, Path]] = {}
    subjects: Subjects = {}
    for path in sorted(runs):
        facts = read_json(path, "datasets", "scores", "seed")
        for dataset, own in facts["datasets"].items():
            rows = told.setdefault(dataset, {**own, "rows": {}})["rows"]
            rows |= {m: row for m, row in own["rows"].items() if m not in rows}
        for probe in (path.parent / name for name in facts["scores"]):
            here = read_noted(probe.with_suffix(".json"))
            dataset, fold = here["dataset"], here["fold"]
            mine = scores[dataset][here["method"]].setdefault(facts["seed"], {})
            if fold in mine:
                raise DataError(f"seed {facts['seed']} of {dataset} occurs twice", where=path)
            table = _read(probe, here["classes"], head)
            mine[fold] = _score(table, here, facts)
            if table.empty:  # there was nothing to fit a head of this method on, or to test
                continue
            windows = table[["record", "number", "label"]].drop_duplicates()
            windows = windows.sort_values(["record", "number"], ignore_index=True)
            known, first = tested.setdefault((dataset, fold), (windows, probe))
            # A method that refuses subsets still has others, on the same complete windows.
            if not windows.equals(known):
                raise DataError(
                    f"other test windows than {first}",
                    where=probe,
                    do="run all of them with the same shards and folds",
                )
            subjects.setdefault(dataset, {})[fold] = table["subject"].nunique()
    return told, scores, subjects


def _read(probe: Path, classes: list[str], head: str) -> pd.DataFrame:
    """A head's rows of the windows that carry every modality, by chosen subsets.

    Raises:
        DataError: no such head was fitted there.
    """
    heads = set(read_parquet(probe, columns=["head"])["head"])
    table = read_parquet(probe, filters=[("head", "==", head), ("complete", "==", True)])
    if heads and head not in heads:
        raise DataError(
            f"no scores of head {head!r}", where=probe, do="ask the section probe for that head"
        )
    table = table[table["subset"] != AS_RECORDED]  # the full set again, without a target
    needed = ["record", "number", "subject", "label", "subset"]
    # Dense targets have a ridge of their own, which is none of the other heads
    dense = [c for c in ("target", "predicted") if c in table and head == LOGISTIC]
    return table[[*needed, *(f"p{c}" for c in range(len(classes))), *dense]]


def _score(table: pd.DataFrame, here: dict, facts: dict) -> dict[Key, np.ndarray]:
    if table.empty:
        return {}
    # The same subjects whatever the method and the seed of its weights.
    drawn = draw(table["subject"].nunique(), facts["resamples"], (facts["draws"], here["fold"]))
    return {
        (str(subset), metric): values
        for subset, part in table.groupby("subset", sort=False)
        for metric, values in fold_scores(part, here["classes"], drawn).items()
    }


def _compared(rows: dict[str, dict], own: dict[str, Scores]) -> list[tuple]:
    """(how the row is called, method, what it is compared with, whether that is its twin)."""
    found = [(m, m, row["twin"], True) for m, row in rows.items()]
    found += [
        (f"{m} - {row['reference']}", m, row["reference"], False)
        for m, row in rows.items()
        if row["reference"]
    ]
    return [(label, m, other, twin) for label, m, other, twin in found if m in own]


def _metrics(own: Scores) -> list[str]:
    keys = [key for folds in own.values() for values in folds.values() for key in values]
    return list(dict.fromkeys(metric for _, metric in keys))


def _parts(subsets: list[str], metric: str, pressure: str | None) -> dict[str, list[str]]:
    """Each subset alone, and the means: of the proper ones, and with and without the pressure."""
    found = {name: [name] for name in subsets}
    if len(subsets) > 1:
        found[MEAN] = subsets[1:]
    if metric == "r2" and pressure:
        having = [name for name in subsets if pressure in name.split("+")]
        found[f"mean_with_{pressure}"] = having
        found[f"mean_without_{pressure}"] = [name for name in subsets if name not in having]
    return {name: part for name, part in found.items() if part}


def _row(found: Gain, metric: str, twin: bool) -> dict[str, Any]:
    """In percent; R2 as it is. Where another system is the reference, nothing is untrained."""
    scale, digits = (1, 4) if metric == "r2" else (100, 2)
    values = {k: round(scale * getattr(found, k), digits) for k in COLUMNS[4:9]}
    if not twin:
        values["untrained"] = float("nan")
    return {"metric": metric, **values, "seeds": found.seeds, "subjects": found.subjects}


def _undefined(title: str, own: dict[str, Scores]) -> list[str]:
    """Folds without a score, once for all methods: their test windows are the same.

    Where a method alone has none, as it refuses what others are fitted on, it is named.
    """
    found: set[tuple[int, str, str]] = set()
    scored = {fold for s in own.values() for folds in s.values() for fold in folds if folds[fold]}
    for method, scores in own.items():
        for folds in scores.values():
            for fold, values in folds.items():
                for (_, metric), value in values.items():
                    if np.isnan(value[0]):
                        found.add((fold, metric.upper(), WHY.get(metric, NOTHING)))
                if not values:
                    of = f" of {method}" if fold in scored else ""
                    found.add((fold, f"score{of}", NOTHING))
    return [
        f"{title}: fold {fold} has no {what} ({why}) and is left out"
        for fold, what, why in sorted(found)
    ]
