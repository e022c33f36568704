"""Step: divide a data set's subjects into folds, and account for every record."""

import logging
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

from physiome.config.folds import FoldsSettings
from physiome.data.folds.carried import require_modalities
from physiome.data.folds.coverage import held_classes, shortfalls
from physiome.data.folds.make import label_counts, make_folds
from physiome.data.folds.persons import require_persons
from physiome.data.report import USED, Report
from physiome.data.store.shards import read_manifest, read_windows, require_settings
from physiome.errors import DataError
from physiome.files import atomic_path, digest, write_json

log = logging.getLogger(__name__)


def run(
    settings: str,
    shards: list[Path],
    output: Path,
    records: Path,
    shard_settings: str | None = None,
) -> None:
    """Write the folds (JSON) and the table of records with what became of each (CSV).

    Args:
        shard_settings: what the shards must have been written with, as JSON; None: anything.

    Raises:
        DataError: if too many records were left out, subjects, classes or modalities do not
            suffice, or one person has two names.
    """
    spec = FoldsSettings.parse_text(settings)
    require_settings(shards, shard_settings)
    entries = _entries(shards)
    table = pd.DataFrame([_row(Report.parse(entry)) for entry in entries]).sort_values("record")
    with atomic_path(records) as temporary:
        table.to_csv(temporary, index=False)
    _check_left_out(table, spec.max_left_out, records)
    windows = read_windows(shards)
    if windows.empty:
        where, do = _kept(table, records), "see its columns lost_windows and reason"
        raise DataError("no record has a usable window", where=where, do=do)
    same = require_persons(windows, spec.folds.similar_names_differ)
    for note in same:
        log.warning("%s", note)
    folds = make_folds(windows, spec.folds, list(spec.classes))
    counts = Counter(windows["label"].map(lambda code: spec.classes[code] if code >= 0 else "none"))
    facts = {"classes": dict(sorted(counts.items())), "windows": len(windows)}
    notes = list(map(str, shortfalls(folds, held_classes(label_counts(windows), spec.classes))))
    for note in notes:
        log.warning("%s; two were wished for", note)
    rare = require_modalities(windows, folds, spec.classes, spec.folds.allow_missing_classes)
    for note in rare:
        log.warning("%s", note)
    found = {"folds": folds, "notes": [*same, *notes, *rare]}
    content = {"settings": spec.plain(), **facts, **found}
    write_json(output, content | {"sum": digest(content)})
    log.info("folds=%d subjects=%d %s", len(folds), windows["subject"].nunique(), facts)


def _entries(shards: list[Path]) -> list[dict[str, Any]]:
    """What became of every record, in batches that have none in common."""
    found: dict[str, Path] = {}
    entries = []
    for folder in shards:
        for entry in read_manifest(folder)["records"]:
            name = entry["record"]
            if name in found:
                raise DataError(
                    f"record {name!r} is there twice",
                    where=folder,
                    why=f"{found[name]} holds it, too: they were not divided into the same batches",
                    do="add --forcerun fetch to divide the records again",
                )
            found[name] = folder
            entries.append(entry)
    return entries


def _row(report: Report) -> dict[str, Any]:
    """One line: single values as they are, counts as text (`abp flat: 3; ecg gap: 1`)."""
    plain = sorted(report.plain().items())  # the order of columns
    row: dict[str, Any] = {"record": report.record, "subject": report.subject}
    row |= {k: v for k, v in plain if not isinstance(v, dict | list)}
    row["lost_windows"] = "; ".join(
        f"{m} {reason}: {n}"
        for m, counts in report.lost.items()
        for reason, n in counts.items()
        if n
    )
    dropped = report.dropped.items()
    row["dropped_windows"] = "; ".join(f"{reason}: {n}" for reason, n in dropped if n)
    row["unlabelled_windows"] = report.labels.get("none", 0)
    row["notes"] = "; ".join([*report.implausible.values(), *report.notes])
    return row


def _check_left_out(table: pd.DataFrame, allowed: float, records: Path) -> None:
    left_out = table[table["status"] != USED]
    share = len(left_out) / len(table)
    reasons = _reasons(left_out)
    for reason, count in reasons:
        log.warning("left_out=%d reason=%s", count, reason)
    if share > allowed:
        reason, count = reasons[0]
        raise DataError(
            f"{len(left_out)} of {len(table)} records cannot be used",
            where=_kept(left_out, records),
            why=f"more than max_left_out = {allowed:g}; most often ({count}): {reason}",
            do="repair the recordings, or raise max_left_out",
        )


def _reasons(left_out: pd.DataFrame) -> list[tuple[str, int]]:
    """Reasons and how often, the most frequent first; those that name the record only count as one.

    Of such the first is told.
    """
    pairs = zip(left_out["reason"], left_out["record"], strict=True)
    alike: dict[str, list[str]] = {}
    for reason, record in pairs:
        alike.setdefault(reason.replace(record, "*"), []).append(reason)
    return sorted(((r[0], len(r)) for r in alike.values()), key=lambda pair: -pair[1])


def _kept(table: pd.DataFrame, records: Path) -> Path:
    """Where the table of records stays after an error: Snakemake removes the output itself."""
    kept = records.with_name(f"{records.name.removesuffix('.records.csv')}.left_out.csv")
    with atomic_path(kept) as temporary:
        table.to_csv(temporary, index=False)
    return kept
