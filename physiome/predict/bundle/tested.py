"""What a run's scores say of a model, with intervals, and of the controls beside it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from physiome.data.store.parquet import read_parquet
from physiome.evaluation.bootstrap import (
    count,
    draw,
    known_mean,
    resampled_acc,
    subjects_interval,
)
from physiome.evaluation.gains import fold_scores
from physiome.evaluation.heads_file import CENTRED, CONTEXT, LOGISTIC
from physiome.evaluation.metrics import window_metrics
from physiome.files import read_noted
from physiome.registry import METHODS
from physiome.subsets import AS_RECORDED

RESAMPLES, SEED = 2000, 0  # as of `physiome compare`
RANKED = ("acc", "auc", "balanced_acc")  # with intervals
NETWORK = ("base", "encoder", "method")  # of a method's settings: what is built
WHOLE = (CENTRED, CONTEXT)  # heads that see the whole recording
SIZE = ("subset", "folds", "subjects", "windows")  # the same by whichever heads
Row = dict[str, Any]


def score_rows(folders: Sequence[Path], method: str, resamples: int = RESAMPLES) -> list[Row]:
    """Scores under every subset, as the run's tables have them: of a fold, then the folds' mean.

    All subsets are scored on the test windows that carry every modality, `as_recorded` on all.
    Subjects are drawn within each fold.

    Args:
        folders: scores/<dataset>/fold<n> of each fold.

    Returns:
        Rows of subset, folds, subjects, windows, ece, and of acc, auc, balanced_acc as fractions,
        with <metric>_low and <metric>_high, the middle 95 %; None where undefined, and where folds
        have one subject. `centred`, `context`: those scores by the heads that see the whole
        recording, where every fold has such.
    """
    rows = {row["subset"]: row for row in _rows(folders, method, resamples, LOGISTIC)}
    for kind in WHOLE:
        for own in _rows(folders, method, resamples, kind):
            beside = rows[own["subset"]]
            if own["folds"] == beside["folds"]:
                beside[kind] = {k: v for k, v in own.items() if k not in SIZE}
    return [*rows.values()]


def _rows(folders: Sequence[Path], method: str, resamples: int, head: str) -> list[Row]:
    values: dict[str, list[dict[str, np.ndarray]]] = {}  # subset -> of each fold (1 + R,)
    sizes: dict[str, list[tuple[int, int]]] = {}  # subset -> of each fold subjects, windows
    for folder in folders:
        facts = read_noted(folder / f"{method}.json")
        table = read_parquet(folder / f"{method}.parquet", filters=[("head", "==", head)])
        for name, part in table.groupby("subset", sort=False):
            part = part if name == AS_RECORDED else part[part["complete"]]
            if part.empty:
                continue
            subjects = part["subject"].nunique()
            drawn = draw(subjects, resamples, (SEED, facts["fold"]))
            values.setdefault(str(name), []).append(_resampled(part, facts["classes"], drawn))
            sizes.setdefault(str(name), []).append((subjects, len(part)))
    return [_row(name, values[name], sizes[name]) for name in values]


def _resampled(part: pd.DataFrame, classes: list[str], drawn: np.ndarray) -> dict[str, np.ndarray]:
    """Metric -> the score itself, then of each resample."""
    y = part["label"].to_numpy(np.int64)
    p = part[[f"p{c}" for c in range(len(classes))]].to_numpy()
    own = window_metrics(y, p, classes)
    again = resampled_acc(count(part["subject"], y, p), drawn)
    found = fold_scores(part, classes, drawn)
    found |= {"acc": np.append(own["acc"], again), "ece": np.array([own["ece"]])}
    return {metric: found[metric] for metric in (*RANKED, "ece")}


def _row(subset: str, folds: list[dict[str, np.ndarray]], sizes: list[tuple[int, int]]) -> Row:
    mean = {metric: known_mean(np.stack([one[metric] for one in folds])) for metric in folds[0]}
    row: Row = {"subset": subset, "ece": _plain(mean["ece"][0])}
    subjects, windows = np.transpose(sizes)
    row |= {"folds": len(sizes), "subjects": int(subjects.sum()), "windows": int(windows.sum())}
    for metric in RANKED:
        known = subjects[[not np.isnan(one[metric][0]) for one in folds]]
        low, high = subjects_interval(mean[metric][1:], known.sum(), len(known))
        ends = {f"{metric}_low": _plain(low), f"{metric}_high": _plain(high)}
        row |= {metric: _plain(mean[metric][0]), **ends}
    return row


def control_rows(folders: Sequence[Path], method: str) -> list[Row]:
    """Rows of `score_rows`, without intervals, of what stands beside a model: each with its title.

    Methods that learn nothing from the recordings, and the model's own twin with untrained weights:
    the same network, where every fold has them.
    """
    own = read_noted(folders[0] / f"{method}.json")["embed_settings"]
    found = []
    for path in sorted(folders[0].glob("*.heads.npz")):
        name = path.name.removesuffix(".heads.npz")
        facts = [folder / f"{name}.json" for folder in folders]
        if name == method or not all(fact.exists() for fact in facts):
            continue
        settings = read_noted(facts[0])["embed_settings"]
        same = all(settings.get(key) == own.get(key) for key in NETWORK)
        control = name in METHODS and METHODS[name].scope == "control"
        if control or (settings.get("untrained") and same):
            title = METHODS[name].title if control else f"{name} (untrained)"
            rows = score_rows(folders, name, resamples=0)
            kept = ("subset", "windows", *RANKED, "ece")
            found += [{"method": name, "title": title} | {k: r[k] for k in kept} for r in rows]
    return found


def fold_folders(run: Path, dataset: str, folds: Sequence[int]) -> list[Path]:
    """scores/<dataset>/fold<n> of a run."""
    return [run / "scores" / dataset / f"fold{fold}" for fold in folds]


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
