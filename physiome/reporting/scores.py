"""The tidy table of scores: one row per data set, fold, method, subset, head and metric."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from physiome.errors import DataError
from physiome.files import atomic_path

KEYS = ["dataset", "fold", "method", "subset", "head", "metric"]
COLUMNS = [*KEYS, "value", "windows", "subjects"]
SUBJECT_KEYS = ["dataset", "fold", "method", "subset", "head", "subject"]
SUBJECT_COLUMNS = [*SUBJECT_KEYS, "windows", "acc"]


def read_scores(path: str | Path) -> pd.DataFrame:
    """A scores file; an undefined score is an empty field and reads as NaN.

    Raises:
        DataError: missing file, other columns, or the same score twice.
    """
    return _read(path, COLUMNS, KEYS)


def read_subjects(path: str | Path) -> pd.DataFrame:
    """A file of accuracies by subject.

    Raises:
        DataError: as `read_scores`.
    """
    return _read(path, SUBJECT_COLUMNS, SUBJECT_KEYS)


def write_scores(path: str | Path, scores: pd.DataFrame) -> None:
    """Write scores with the columns in their order, atomically."""
    _write(path, scores, COLUMNS)


def write_subjects(path: str | Path, subjects: pd.DataFrame) -> None:
    """Write accuracies by subject, atomically."""
    _write(path, subjects, SUBJECT_COLUMNS)


def concat(inputs: Iterable[str | Path], output: str | Path) -> None:
    """Join several files of one kind (scores or accuracies by subject) into one.

    Raises:
        DataError: files of two kinds, or one result in two files.
    """
    inputs = [Path(path) for path in inputs]
    if not inputs:
        raise DataError("no score files to join", where=output)
    by_subject = "subject" in _header(inputs[0])
    columns, keys = (SUBJECT_COLUMNS, SUBJECT_KEYS) if by_subject else (COLUMNS, KEYS)
    joined = pd.concat([_read(path, columns, keys) for path in inputs], ignore_index=True)
    _require_unique(joined, keys, output)
    _write(output, joined, columns)


def _header(path: Path) -> list[str]:
    if not path.exists():
        raise DataError("file is missing", where=path, do="run the step that writes it")
    with open(path, encoding="utf-8") as opened:
        return opened.readline().strip().split(",")


def _read(path: str | Path, columns: Sequence[str], keys: list[str]) -> pd.DataFrame:
    found = _header(Path(path))
    if found != list(columns):
        raise DataError(
            "not a file of scores",
            where=path,
            why=f"columns {found}",
            do=f"expected {list(columns)}",
        )
    text = {name: "str" for name in keys if name != "fold"}
    # only the empty field is undefined: a class or a subject may be called NA
    table = pd.read_csv(path, dtype=text, keep_default_na=False, na_values={"value": [""]})
    _require_unique(table, keys, path)
    return table


def _require_unique(table: pd.DataFrame, keys: list[str], where: str | Path) -> None:
    twice = table.duplicated(keys)
    if twice.any():
        first = " ".join(str(part) for part in table.loc[twice, keys].iloc[0])
        raise DataError(f"{twice.sum()} results occur twice", where=where, why=f"first: {first}")


def _write(path: str | Path, table: pd.DataFrame, columns: Sequence[str]) -> None:
    with atomic_path(path) as temporary:
        table[list(columns)].to_csv(temporary, index=False)
