"""Step: two rows of scores compared on the windows that both of them scored."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from physiome.config.metrics import METRICS
from physiome.data.store.parquet import read_parquet
from physiome.errors import DataError, nearest
from physiome.evaluation.bootstrap import draw
from physiome.evaluation.gains import Key, fold_scores, gain
from physiome.evaluation.heads_file import LOGISTIC
from physiome.files import atomic_path, read_noted
from physiome.reporting.tables import difference_text
from physiome.subsets import AS_RECORDED

KEYS = ["record", "number", "subject", "label"]
COLUMNS = [
    "subset", "metric", "first", "second", "difference", "low", "high", "folds", "windows",
    "subjects",
]  # fmt: skip
Scores = dict[int, dict[Key, np.ndarray]]  # fold -> (subset, metric) -> (1 + R,)
Sizes = dict[str, dict[int, tuple[int, int]]]  # subset -> fold -> windows, subjects


def run(
    folders: tuple[Path, Path],
    methods: tuple[str, str],
    head: str,
    output: Path | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> None:
    """Print, and write to `output`, what the second row scores beyond the first.

    Of each fold only complete windows count that both scored with the same label, under subsets of
    the same name; each score is the mean over folds, with a paired bootstrap over test subjects
    where a fold has two of them.
    So two runs can be compared, or two data sets that were cut from the same recordings.

    Args:
        folders: `scores/<dataset>` of a run, twice: of the first row and of the second.
        methods: of each.
        output: a CSV of COLUMNS, scores in percent but r2.

    Raises:
        DataError: no such scores, other classes, or no window in common.
    """
    found = [_files(folder, method) for folder, method in zip(folders, methods, strict=True)]
    first: Scores = {}
    second: Scores = {}
    sizes: Sizes = {}
    for fold in sorted(set(found[0]) & set(found[1])):
        pair = found[0][fold], found[1][fold]
        _add(fold, pair, head, (first, second), sizes, (resamples, seed))
    if not sizes:
        raise DataError(
            "no test window was scored by both",
            where=f"{folders[0]} and {folders[1]}",
            do="compare runs with the same recordings, windows and folds",
        )
    rows = _rows(first, second, sizes)
    table = pd.DataFrame(rows, columns=COLUMNS)
    if output is not None:
        with atomic_path(output) as temporary:
            table.to_csv(temporary, index=False)
    _show(table, folders, methods)


def _files(folder: Path, method: str) -> dict[int, Path]:
    """Fold -> the scores of a method there."""
    folds = {p: re.fullmatch(r"fold(\d+)", p.name) for p in sorted(folder.glob("fold*"))}
    found = {int(m[1]): p / f"{method}.parquet" for p, m in folds.items() if m}
    there = {fold: path for fold, path in found.items() if path.exists()}
    if not there:
        known = {path.stem for p in folds for path in p.glob("*.parquet")}
        hint = nearest(method, known) if known else "name the folder scores/<dataset> of a run"
        raise DataError(f"no scores of method {method!r}", where=folder, do=hint)
    return there


def _add(
    fold: int,
    pair: tuple[Path, Path],
    head: str,
    scores: tuple[Scores, Scores],
    sizes: Sizes,
    draws: tuple[int, int],
) -> None:
    """Score one fold of both rows on the windows they have in common."""
    facts = [read_noted(path.with_suffix(".json")) for path in pair]
    classes: list[str] = facts[0]["classes"]
    if facts[1]["classes"] != classes:
        raise DataError("other classes", where=pair[1], why=f"{facts[1]['classes']}, not {classes}")
    tables = [_read(path, head) for path in pair]
    resamples, seed = draws
    for subset in dict.fromkeys(tables[0]["subset"]):
        mine, other = (t[t["subset"] == subset].set_index(KEYS) for t in tables)
        both = mine.index.intersection(other.index).sort_values()
        if both.empty:
            continue
        mine, other = mine.loc[both].reset_index(), other.loc[both].reset_index()
        people = mine["subject"].nunique()
        drawn = draw(people, resamples, (seed, fold))
        sizes.setdefault(subset, {})[fold] = len(both), people
        for told, part in zip(scores, (mine, other), strict=True):
            for metric, values in fold_scores(part, classes, drawn).items():
                told.setdefault(fold, {})[subset, metric] = values


def _read(path: Path, head: str) -> pd.DataFrame:
    """A head's rows of complete windows; none where a fold has no such window, or no head."""
    heads = set(read_parquet(path, columns=["head"])["head"])
    if heads and head not in heads:
        raise DataError(f"no scores of head {head!r}", where=path, do=nearest(head, heads))
    table = read_parquet(path, filters=[("head", "==", head), ("complete", "==", True)])
    if head != LOGISTIC:  # the ridge of dense targets sees embeddings as they are
        table = table.drop(columns=["target", "predicted"], errors="ignore")
    return table[table["subset"] != AS_RECORDED]


def _rows(first: Scores, second: Scores, sizes: Sizes) -> list[dict[str, Any]]:
    keys = dict.fromkeys(key for fold in second.values() for key in fold)
    rows: list[dict[str, Any]] = []
    for subset, metric in keys:
        here = sizes[subset]
        people = {fold: subjects for fold, (_, subjects) in here.items()}
        result = gain({0: second}, {0: first}, [(subset, metric)], people)
        if result is None:
            continue
        unit = 1 if metric == "r2" else 100
        values = (result.untrained, result.trained, result.difference, result.low, result.high)
        told = (round(unit * value, 4) for value in values)
        both = [f for f in here if all(_defined(x[f], (subset, metric)) for x in (first, second))]
        counts = (len(both), *map(sum, zip(*(here[f] for f in both), strict=True)))
        rows.append(dict(zip(COLUMNS, (subset, metric, *told, *counts), strict=True)))
    return rows


def _defined(scores: dict[Key, np.ndarray], key: Key) -> bool:
    return key in scores and not np.isnan(scores[key][0])


def _show(table: pd.DataFrame, folders: tuple[Path, Path], methods: tuple[str, str]) -> None:
    console = Console(highlight=False)
    for name, folder, method in zip(("first: ", "second:"), folders, methods, strict=True):
        console.print(f"{name} {method} in {folder}", markup=False, soft_wrap=True)
    grid = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    grid.add_column("subset", overflow="fold")
    for title in ("", "first", "second", "second - first (95 %)", "windows", "subjects"):
        grid.add_column(title, justify="right", no_wrap=True)
    before: tuple[str, ...] = ("",) * 3
    for row in table.itertuples():
        digits = 3 if row.metric == "r2" else 1
        one, two = (f"{value:.{digits}f}" for value in (row.first, row.second))
        gap = difference_text(row.difference, row.low, row.high, digits)
        name = METRICS[row.metric].short if row.metric in METRICS else row.metric.upper()
        now = (row.subset, str(row.windows), str(row.subjects))
        subset, *sizes = ("",) * 3 if now == before else now
        grid.add_row(subset, name, one, two, gap, *sizes)
        before = now
    console.print(grid)
