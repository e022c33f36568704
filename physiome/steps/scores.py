"""Turn per-window probabilities into scores, and join score files."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from physiome.data.store.parquet import read_parquet
from physiome.errors import DataError
from physiome.evaluation.metrics import (
    NAN,
    class_counts,
    onset_auc,
    subject_accuracy,
    window_metrics,
)
from physiome.evaluation.predicted import heads_of
from physiome.files import read_noted, sums, write_json
from physiome.reporting.notes import NOTES, Notes
from physiome.reporting.scores import (
    COLUMNS,
    SUBJECT_COLUMNS,
    concat,
    write_scores,
    write_subjects,
)
from physiome.subsets import AS_RECORDED

INCOMPLETE = "no test window carries every modality"
COLUMNS_READ = ["subject", "label", "event", "complete", "subset", "head"]


def run(probes: list[Path], output: Path, by_subject: Path) -> None:
    """Score probe results.

    All subsets are scored on the same windows, those that carry every modality; `as_recorded` is
    scored on all windows. Besides the scores, each fold, method, subset and head has the rows
    `windows_<class>` and `subjects_<class>`: test windows of a class, and test subjects with any.

    Args:
        probes: `.parquet` files of the probe step; the `.json` lies beside each.
        output: CSV of scores. Subsets that a method refuses, by the probe's `refused`, and what no
            head was fitted for, by its `empty`, are empty there; `<output>.notes.json` (which
            shares its stem) says why these and any other score is undefined, and holds the
            footnotes of each method (see `physiome.reporting.notes`).
        by_subject: CSV of each test subject's accuracy.
    """
    scores: list[pd.DataFrame] = []
    subjects: list[pd.DataFrame] = []
    notes = Notes()
    for probe in probes:
        _score_probe(Path(probe), scores, subjects, notes)
    if not scores:
        raise DataError("no probe results to score", where=output)
    output = Path(output)
    write_scores(output, pd.concat(scores, ignore_index=True))
    none = pd.DataFrame(columns=SUBJECT_COLUMNS)
    write_subjects(by_subject, pd.concat(subjects, ignore_index=True) if subjects else none)
    write_json(output.with_suffix(NOTES), notes.plain() | {"sha256": sums(output, by_subject)})


def run_concat(inputs: list[Path], output: Path) -> None:
    """Join score files (or files of accuracies by subject) into one."""
    concat(inputs, output)


def _score_probe(
    probe: Path, scores: list[pd.DataFrame], subjects: list[pd.DataFrame], notes: Notes
) -> None:
    facts = read_noted(probe.with_suffix(".json"))
    notes.add_fold(facts)
    classes = facts["classes"]
    columns = [*COLUMNS_READ, *(f"p{c}" for c in range(len(classes)))]
    table = read_parquet(probe, columns=columns)
    named = {key: facts[key] for key in ("dataset", "fold", "method")}
    for (subset, head), part in table.groupby(["subset", "head"], sort=False):
        if subset != AS_RECORDED:
            part = part[part["complete"]]
        here = {**named, "subset": subset, "head": head}
        by_subject, rows = _score(part, classes)
        scores.append(pd.DataFrame(rows).assign(**here)[COLUMNS])
        subjects.append(by_subject.reset_index().assign(**here)[SUBJECT_COLUMNS])
        for reason in _undefined(rows, classes):
            notes.add_reason(facts, str(subset), reason)
    rows = pd.DataFrame(_rows({"acc": NAN, "auc": NAN}, windows=0, subjects=0))
    empty = facts.get("empty", [])
    heads = heads_of(facts, table["head"])
    told = {*table["subset"], *(cell["subset"] for cell in empty)}
    lacking = {subset: INCOMPLETE for subset in facts.get("subsets", {}) if subset not in told}
    for subset, reason in (lacking | facts.get("refused", {})).items():
        notes.add_reason(facts, subset, reason)
        scores += [rows.assign(**named, subset=subset, head=head)[COLUMNS] for head in heads]
    for cell in empty:
        here = {**named, "subset": cell["subset"], "head": cell["head"]}
        scores.append(rows.assign(**here)[COLUMNS])
        notes.add_reason(facts, cell["subset"], cell["reason"])


def _score(part: pd.DataFrame, classes: list[str]) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Accuracy by subject, and rows of metric, value, windows, subjects."""
    y = part["label"].to_numpy(np.int64)
    p = part[[f"p{c}" for c in range(len(classes))]].to_numpy()
    event = part["event"].to_numpy(bool)
    by_subject = subject_accuracy(part["subject"], y, p)
    values = window_metrics(y, p, classes)
    values["acc_subject_mean"] = float(by_subject["acc"].mean())
    values["acc_subject_sd"] = float(by_subject["acc"].std(ddof=1))
    values |= class_counts(part["subject"], y, classes)
    rows = _rows(values, len(part), len(by_subject))
    if len(classes) == 2 and event.any():
        who = part.loc[~event, "subject"]
        onset = {"auc_onset": onset_auc(y, p, event)}
        onset |= class_counts(who, y[~event], classes, "onset_")
        rows += _rows(onset, len(who), who.nunique())
    return by_subject, rows


def _undefined(rows: list[dict[str, Any]], classes: list[str]) -> list[str]:
    """Why scores of a fold's cell are undefined: all of them miss windows of some class."""
    values = {row["metric"]: row["value"] for row in rows}
    absent = [name for name in classes if values[f"windows_{name}"] == 0]
    if len(absent) == len(classes):
        return [INCOMPLETE]
    found = [f"no test window of {', '.join(absent)}"] if absent else []
    if np.isnan(values.get("auc_onset", 0.0)) and not absent:
        lost = [name for name in classes if values[f"onset_windows_{name}"] == 0]
        found.append(f"auc_onset: every window of {', '.join(lost)} is already in the event")
    return found


def _rows(values: dict[str, float], windows: int, subjects: int) -> list[dict[str, Any]]:
    return [
        {"metric": name, "value": value, "windows": windows, "subjects": subjects}
        for name, value in values.items()
    ]
