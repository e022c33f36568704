"""The verb `init`: a first configuration for a folder of recordings."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from physiome.config.sources import RecordingsSource
from physiome.config.tree import load_files
from physiome.data.formats.suffixes import LOOKED_FOR, files_in
from physiome.data.sources.own_folder import Recordings
from physiome.data.sources.record_table import Row, write_rows
from physiome.errors import DataError
from physiome.files import write_text
from physiome.inspect.draft import (
    MOST_CLASSES,
    Labels,
    annotation_labels,
    column_labels,
    draft,
    guess_subject,
    lasting_texts,
    next_commands,
)
from physiome.inspect.look import look
from physiome.inspect.propose import merge

SHIPPED = Path("config.yaml")


def run(folder: Path, output: Path, label: str | None = None, records: bool = False) -> list[str]:
    """Write a small configuration that runs; return what to do with it, in lines.

    Args:
        label: the column of records.csv that holds the classes; None: the likeliest, or
            annotations.
        records: write `records.csv` into the folder if it has none, with subjects guessed from
            names (BIDS' participants.tsv gives further columns). It is to be looked at.

    Raises:
        DataError: nothing to read or to learn, or a file that would be overwritten; nothing is
            written then.
    """
    if output.exists():
        raise DataError("file is there already", where=output, do="give another --output")
    if not folder.is_dir():
        raise DataError("folder is not there", where=folder)
    found = [look(path, {}) for path in files_in([folder])]
    blocks = [block for block in found if "error" not in block]
    if not blocks:
        why = found[0]["error"] if found else LOOKED_FOR
        raise DataError("no recording can be read", where=folder, why=why)
    carrying = [block for block in blocks if block["channels"]]  # others are annotations alone
    if not carrying:
        why = f"all {len(blocks)} that were read hold annotations alone"
        raise DataError("no recording has signals", where=folder, why=why)
    table = folder / "records.csv"
    made = [] if table.is_file() else _guessed(folder, carrying)
    rows = (
        made
        or Recordings(RecordingsSource(kind="recordings", folder=str(folder)), folder).records()
    )
    if made and not records:
        first = made[0]
        raise DataError(
            "no table of records",
            where=table,
            why=f"it says whose each recording is; by its name {first['path']} would be that of "
            f"{first['subject']}, and there would be {len({r['subject'] for r in made})} subjects",
            do="write one (record, subject, label), or add --records to have it written so",
        )
    labels = _labels(folder, blocks, rows, label)
    text = _draft(folder, carrying, rows, labels, output)
    if made:
        write_rows(table, [{**row, "signals": ""} for row in made])
    write_text(output, text)
    return [*_told(found, blocks, labels, table if made else None), *_next(output)]


def _guessed(folder: Path, blocks: Sequence[dict[str, Any]]) -> list[Row]:
    """A row of every recording, subjects by their names, with what participants.tsv says."""
    known, rows = _participants(folder), []
    paired = any(_apart(block) for block in blocks)
    for block in blocks:
        path = _below(folder, block["file"])
        subject = guess_subject(path)
        record = path.rpartition(".")[0].replace("/", "_")
        row = {"record": record, "subject": subject, "path": path, **known.get(subject, {})}
        if paired:
            row["annotations"] = _below(folder, block["annotation_file"]) if _apart(block) else ""
        rows.append(row)
    return rows


def _apart(block: dict[str, Any]) -> bool:
    """Whether a recording's annotations lie in a file of their own."""
    return block["annotation_file"] not in (None, block["file"])


def _below(folder: Path, file: str) -> str:
    return Path(file).relative_to(folder).as_posix()


def _participants(folder: Path) -> dict[str, dict[str, str]]:
    """BIDS: subject -> its other columns."""
    path = folder / "participants.tsv"
    if not path.is_file():
        return {}
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return {
        row["participant_id"].removeprefix("sub-"): {
            k: v for k, v in row.items() if k != "participant_id" and v is not None
        }
        for row in rows
        if row.get("participant_id")
    }


def _draft(
    folder: Path,
    blocks: Sequence[dict[str, Any]],
    rows: Sequence[Row],
    labels: Labels,
    output: Path,
) -> str:
    modalities = merge([block["proposal"] for block in blocks])
    if not modalities:
        raise DataError(
            "no channel has a name that tells its kind",
            where=folder,
            do="name them in a copy of workflow/overlays/own-recordings.yaml",
        )
    used = {c for m in modalities.values() for c in _channels(m)}
    rates = [c["rate_hz"] for b in blocks for c in b["channels"] if c["name"] in used]
    windows = sum(int(b["duration_s"] // labels.window_s) for b in blocks)
    counts = len(rows), len({row["subject"] for row in rows}), windows
    return draft(_named(folder), modalities, labels, min(rates), counts, _named(output))


def _channels(modality: dict[str, Any]) -> list[str]:
    leads = modality.get("channels") or [modality["channel"]]
    return [lead if isinstance(lead, str) else lead["channel"] for lead in leads]


def _labels(
    folder: Path, blocks: Sequence[dict[str, Any]], rows: Sequence[Row], label: str | None
) -> Labels:
    found = column_labels(rows, label)
    if label is None:
        found = annotation_labels(blocks) or found
    texts, others = lasting_texts(blocks)
    if found is None and label is None and len(texts) > MOST_CLASSES:
        raise DataError(
            f"{len(texts)} annotation texts last",
            where=folder,
            why=f"of up to {MOST_CLASSES} each would be a class: {', '.join(map(repr, texts))}",
            do="say in a copy of workflow/overlays/own-recordings.yaml which text is which class "
            "(labels.rule: annotations; several texts may be one), or name a column with --label",
        )
    if found is None:
        none = f"none of {', '.join(map(repr, others[:5]))}" if others else "none"
        raise DataError(
            f"column {label!r} holds no classes" if label else "nothing says what to learn",
            where=folder / "records.csv",
            why=f"annotations that last: {', '.join(map(repr, texts)) or none}; no column of "
            "2 to 8 values",
            do="add a column with the label of each recording, and name it with --label"
            + ("; or see labels.lasts in docs/own-data.md" if others and not texts else ""),
        )
    return found


def _told(
    found: Sequence[dict[str, Any]],
    blocks: Sequence[dict[str, Any]],
    labels: Labels,
    table: Path | None,
) -> list[str]:
    lines = [f"{len(blocks)} of {len(found)} {'file' if len(found) == 1 else 'files'} read"]
    lines += [f"  not read: {block['error']}" for block in found if "error" in block][:5]
    called = [f"{text} = {name}" for text, name in labels.rule["texts"].items() if text != name]
    if called:
        lines.append(f"stages of sleep (labels.texts): {', '.join(called)}")
    if unscored := labels.rule.get("unscored"):
        lines.append(f"annotations that are no classes (labels.unscored): {', '.join(unscored)}")
    if table is not None:
        lines.append(f"{table}: written; subjects are guessed from names, look at them")
    return lines


def _next(output: Path) -> list[str]:
    """The two commands, and where to type them; the file is checked if config.yaml is here."""
    if SHIPPED.is_file():
        load_files([SHIPPED, output])
    where = "" if _in_clone() else ", in the clone (the folder of Snakefile and config.yaml)"
    return [
        f"{output}: written. Next{where}:",
        *(f"  {command}" for command in next_commands(_named(output))),
    ]


def _in_clone() -> bool:
    return SHIPPED.is_file() and Path("Snakefile").is_file()


def _named(path: Path) -> str:
    """A path as it is found from the clone: whole, unless this is the clone."""
    return str(path if _in_clone() else path.resolve())
