"""Tables on disk: read whole, or refused in one line."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from physiome.errors import DataError


def read_parquet(
    path: str | Path,
    columns: Sequence[str] | None = None,
    filters: list[tuple[str, str, Any]] | None = None,
) -> pd.DataFrame:
    """A table of ours.

    Args:
        columns: None for all.
        filters: (column, operator, value) that rows must pass, as pyarrow takes them.

    Raises:
        DataError: the file is missing, cut, damaged or of another kind, or lacks a column.
    """
    try:
        named = None if columns is None else list(columns)
        return pd.read_parquet(path, columns=named, filters=filters)
    except FileNotFoundError:
        raise DataError("table is missing", where=path, do="run the step that writes it") from None
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(
            "table cannot be read",
            where=path,
            why=str(error),
            do=f"add --forcerun {path} to make it again",
        ) from None
