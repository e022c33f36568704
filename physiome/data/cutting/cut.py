"""From one recording to its windows: open, pick channels, clean, filter, resample, label, judge."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from physiome.config.data import ColumnLabels, HypotensionLabels, ShardSettings
from physiome.config.modality import lead_keys
from physiome.data.cutting import signals
from physiome.data.cutting.cut_lead import Findings, cut_lead
from physiome.data.cutting.grid import Plan, plan_windows
from physiome.data.cutting.labels import UNLABELLED, annotation_labels
from physiome.data.cutting.leads import join_leads
from physiome.data.cutting.picking import pick_channels
from physiome.data.formats import open_reader
from physiome.data.recording import RawRecord, Reader
from physiome.data.report import Report
from physiome.errors import DataError
from physiome.files import file_digest

Cut = tuple[dict[str, np.ndarray], pd.DataFrame, Report]


def cut_record(raw: RawRecord, settings: ShardSettings) -> Cut:
    """Cut one recording into windows.

    Returns:
        signals: modality -> (W, T) float32 in the modality's unit, of several leads (W, C, T);
            NaN where not carried;
        windows: the W rows of `windows.parquet`;
        report: what was found and what was left out and why.

    Raises:
        DataError: the recording cannot be used.
    """
    if raw.problem:
        raise DataError(raw.problem, where=raw.record)
    rows, windows, report = cut_windows(raw, open_reader(raw.signals), settings)
    windows = windows.drop(columns=[f"lost_{name}" for name in settings.modalities])
    keep, dropped = _kept(windows, settings)
    if not keep.any():
        raise DataError("no usable window", where=raw.record, why=_explain(report))
    windows = windows.loc[keep].reset_index(drop=True)
    labels = _label_counts(windows["label"], settings.classes)
    report = replace(report, dropped=dropped, labels=labels, windows=len(windows))
    if not keep.all():  # a copy only where rows go
        rows = {name: part[keep] for name, part in rows.items()}
    return rows, windows, report


def cut_windows(raw: RawRecord, reader: Reader, settings: ShardSettings) -> Cut:
    """As `cut_record`, for an opened recording and with the windows that carry nothing.

    Column lost_<m> says why a window does not carry the modality ("" if it does). With
    `settings.labels` None all labels are -1 and the grid of windows begins with the recording.
    The report counts no windows that are kept or dropped: that is for the caller to decide.
    """
    found, absent = pick_channels(reader, settings)
    plan = plan_windows(raw, reader, settings)
    met = Findings(notes=[*reader.notes, *plan.notes])
    rows: dict[str, np.ndarray] = {}
    dense = isinstance(settings.labels, HypotensionLabels) and settings.labels.dense
    table: dict[str, Any] = {
        "record": raw.record,
        "subject": raw.subject,
        "number": plan.numbers,
        "onset_s": plan.onsets_s,
        "label": _given_labels(raw, plan, settings),
        "event": False,
    }
    if dense:
        table["target"] = np.nan
    for name, modality in settings.modalities.items():
        parts = [
            cut_lead(reader, found.get(key), key, modality, plan, settings, met)
            for key in lead_keys(name, modality)
        ]
        rows[name], verdict = parts[0]
        if modality.lead_names:
            rows[name], verdict, table[f"leads_{name}"] = join_leads(parts, modality)
            met.lost[name] = verdict.counts
        table |= {f"has_{name}": verdict.good, f"mean_{name}": verdict.mean}
        table |= {f"var_{name}": verdict.variance, f"lost_{name}": verdict.reason}
    table |= met.labels
    _refuse_wrong_unit(raw.record, met.implausible, table, settings)
    report = Report(
        raw.record,
        raw.subject,
        duration_s=reader.duration_s,
        channels={key: pick.carrier for key, pick in found.items()},
        absent=absent,
        lost=met.lost,
        implausible=met.implausible,
        notes=met.notes,
        overhang_s=plan.scoring.overhang_s if plan.scoring else 0.0,
        files=_digests(reader, raw),
    )
    return rows, pd.DataFrame(table), report


def _given_labels(raw: RawRecord, plan: Plan, settings: ShardSettings) -> np.ndarray:
    """Labels (W,) from annotations or the records table; -1 where pressure is to decide."""
    rule = settings.labels
    if plan.scoring is not None:
        return annotation_labels(plan.scoring, plan.onsets_s, settings.window.length_s)
    if not isinstance(rule, ColumnLabels):
        return np.full(len(plan.onsets_s), UNLABELLED, dtype=np.int8)
    text = raw.columns.get(rule.column)
    if not text or text not in rule.texts:
        raise DataError(
            f"unknown label {text!r}" if text else f"no label in column {rule.column!r}",
            where=raw.record,
            do=f"known: {', '.join(rule.texts)}",
        )
    label = settings.classes.index(rule.texts[text])
    return np.full(len(plan.onsets_s), label, dtype=np.int8)


def _refuse_wrong_unit(
    record: str, implausible: Mapping[str, str], table: Mapping[str, Any], settings: ShardSettings
) -> None:
    """Where no voltage is plausible as it is and one would be in another unit, the file is wrong.

    Beside a plausible voltage, such a channel is rather broken: only its modality is lost.
    """
    volts = [n for n, m in settings.modalities.items() if m.unit.lower() in signals.VOLTS]
    wrong = [text for key, text in implausible.items() if key.partition("/")[0] in volts]
    if wrong and not any(table[f"has_{name}"].any() for name in volts):
        raise DataError(
            "voltages have the wrong scale",
            where=record,
            why="; ".join(wrong),
            do="correct the file's unit, or the bounds of the modality",
        )


def _kept(windows: pd.DataFrame, settings: ShardSettings) -> tuple[np.ndarray, dict[str, int]]:
    """Windows (W,) worth keeping; and how many are not, by reason."""
    has = windows[[f"has_{name}" for name in settings.modalities]].to_numpy(dtype=bool)
    carried = has.sum(axis=1)
    empty, incomplete = carried == 0, carried < has.shape[1]
    drop = incomplete if settings.incomplete_windows == "drop" else empty
    return ~drop, {"no_modality": int(empty.sum()), "incomplete": int((drop & ~empty).sum())}


def _explain(report: Report) -> str:
    """Why a record has no windows, in one line."""
    lost = [
        f"{name} {', '.join(f'{n} {reason}' for reason, n in counts.items() if n)}"
        for name, counts in report.lost.items()
    ]
    return "; ".join([*report.implausible.values(), *lost, *report.absent.values()])


def _label_counts(labels: pd.Series, classes: tuple[str, ...]) -> dict[str, int]:
    counts = {name: int((labels == i).sum()) for i, name in enumerate(classes)}
    return counts | {"none": int((labels == UNLABELLED).sum())}


def _digests(reader: Reader, raw: RawRecord) -> dict[str, str]:
    paths = [*reader.files, *([Path(raw.annotations)] if raw.annotations else [])]
    # Sums that the shard step has just compared are not computed again.
    return {path.name: raw.sha256.get(str(path)) or file_digest(path) for path in paths}
