"""Whether one's own recordings still are those a run was made from: what planning asks.

Snakemake knows the times of files it is told of. Here a label stands in a table, a file may be
replaced by an older one, and a table that changes concerns the batches of the changed rows only.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from physiome.data.recording import RawRecord
from physiome.data.sources.integrity import states_of
from physiome.data.sources.kinds import open_source, parse_settings
from physiome.data.sources.touched import State, TouchedSums
from physiome.errors import DataError, PhysioError
from physiome.files import digest, read_json

# record -> facts of its row and files now, and record -> as noted
Compared = tuple[dict[str, dict[str, Any]], dict[str, RawRecord]]


def batch_digests(settings: str, noted: Sequence[Path]) -> list[str]:
    """What stands for the rows and files of every batch: it changes when one of them does.

    A file with another time is read once, if it has the size it had: with the same bytes it counts
    as unchanged.

    Args:
        settings: JSON of the steps on raw files, of a source of kind `recordings`.
        noted: for every batch, where the fetch step notes what it found; may not be there yet.
    """
    try:
        return [digest(list(now.values())) for now, _ in _compared(settings, noted)]
    except DataError as error:
        return [str(error)] * len(noted)  # the fetch step says so


def changed_records(settings: str, noted: Sequence[Path]) -> dict[Path, list[str]]:
    """Batch -> its records whose row or files are not what the fetch step noted, where it ran.

    Args:
        settings: JSON of the steps on raw files, of a source of kind `recordings`.
        noted: for every batch, where the fetch step notes what it found.

    Raises:
        DataError: the folder or its table is not there or not in order.
    """
    changed = {}
    for path, (now, before) in zip(noted, _compared(settings, noted), strict=True):
        then = {name: record.plain() | {"sha256": {}} for name, record in before.items()}
        names = sorted(now.keys() | then.keys()) if before else []
        changed[path] = [name for name in names if now.get(name) != then.get(name)]
    return changed


def _compared(settings: str, noted: Sequence[Path]) -> list[Compared]:
    """Of every batch, what is there now and what was noted."""
    source = open_source(parse_settings(settings, "{}"))
    rows, sums = source.records(), TouchedSums(_kept_sums(noted))
    found = []
    for batch, path in enumerate(noted):
        before = _noted(path)
        records = source.fill(rows[batch :: len(noted)])
        now = {r.record: _facts(r, before.get(r.record, r), sums) for r in records}
        found.append((now, before))
    sums.keep()
    return found


def _kept_sums(noted: Sequence[Path]) -> Path | None:
    """`<data set>.touched.json` beside the notes of its batches."""
    names = (path.with_name(f"{path.name.partition('.')[0]}.touched.json") for path in noted)
    return next(names, None)


def _facts(record: RawRecord, before: RawRecord, sums: TouchedSums) -> dict[str, Any]:
    """A record's row and the states of its files, those that were only touched as they were."""
    if record.problem is not None:
        return record.plain()
    try:
        states = states_of(record)
        touched = [path for path, now in states.items() if _is_touched(path, now, before, sums)]
    except OSError as error:
        return record.plain() | {"problem": f"file cannot be read - {error}"}
    return record.plain() | {"states": states | {path: before.states[path] for path in touched}}


def _is_touched(path: str, now: State, before: RawRecord, sums: TouchedSums) -> bool:
    """Whether a file has the noted bytes at another time."""
    state = before.states.get(path, now)
    return state != now and state[0] == now[0] and sums.of(path, now) == before.sha256[path]


def _noted(path: Path) -> dict[str, RawRecord]:
    """What the fetch step found; nothing if it did not run, or long ago."""
    try:
        return {record["record"]: RawRecord(**record) for record in read_json(path)["records"]}
    except (PhysioError, TypeError, KeyError):
        return {}
