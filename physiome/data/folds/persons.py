"""One person under two names would be on both sides of a fold: learned from and tested."""

import hashlib
import re
from collections.abc import Iterable

import pandas as pd

from physiome.errors import DataError

SHOWN = 5  # pairs that an error names


def alike(name: str) -> str:
    """Equal for names that differ by case, blanks or leading zeros only: `S01`, `s1`, `S 1`."""
    plain = re.sub(r"\s+", "", name.casefold())
    return re.sub(r"(?<!\d)0+(?=\d)", "", plain)


def similar_names(subjects: Iterable[str]) -> list[list[str]]:
    """Subjects whose names are alike, in groups of at least two."""
    groups: dict[str, list[str]] = {}
    for name in sorted(set(subjects)):
        groups.setdefault(alike(name), []).append(name)
    return [names for names in groups.values() if len(names) > 1]


def same_signals(windows: pd.DataFrame) -> list[list[tuple[str, str]]]:
    """Records (record, subject) whose windows have the very same statistics, in groups.

    Copies of a file have them, and so has a recording that was saved anew.

    Args:
        windows: of all records; with a mean and a variance of each modality.
    """
    columns = [c for c in windows if str(c).startswith(("mean_", "var_"))]
    groups: dict[str, list[tuple[str, str]]] = {}
    for (record, subject), rows in windows.groupby(["record", "subject"], sort=True):
        values = rows.sort_values("number")[columns]
        if not (values.filter(like="var_") > 0).to_numpy().any():
            continue  # nothing was recorded that could tell two people apart
        found = hashlib.sha256(values.to_numpy(float).tobytes()).hexdigest()
        groups.setdefault(found, []).append((str(record), str(subject)))
    return [records for records in groups.values() if len(records) > 1]


def require_persons(windows: pd.DataFrame, names_differ: bool) -> list[str]:
    """Refuse one person under two names; see `similar_names` and `same_signals`.

    Args:
        names_differ: the configuration says that names that are alike are different people.

    Returns:
        A note for each group of records of one subject that hold the same signals.

    Raises:
        DataError: naming the subjects, or the records.
    """
    if not names_differ and (groups := similar_names(windows["subject"])):
        raise DataError(
            "names of subjects differ only by case, blanks or leading zeros: "
            + _listed(" and ".join(map(repr, names)) for names in groups),
            why="one person would be learned from and tested",
            do="use one name for one person, or set folds.similar_names_differ: true",
        )
    same = same_signals(windows)
    several = [records for records in same if len({subject for _, subject in records}) > 1]
    if several:
        raise DataError(
            "records of different subjects hold the same signals: "
            + _listed(" and ".join(f"{r} ({s})" for r, s in records) for records in several),
            why="one person would be learned from and tested",
            do="take the copies out, or correct whose they are",
        )
    return [
        f"records {' and '.join(record for record, _ in records)} of subject {records[0][1]}"
        " hold the same signals"
        for records in same
    ]


def _listed(groups: Iterable[str]) -> str:
    found = list(groups)
    more = len(found) - SHOWN
    return "; ".join(found[:SHOWN]) + (f"; and {more} more" if more > 0 else "")
