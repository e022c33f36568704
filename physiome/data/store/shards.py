"""Shards: windows of a batch of records, one memory-mappable `.npy` per modality.

A shard is a folder:

- `<modality>.npy`: (windows, samples) float32, in the modality's unit, of several leads (windows,
  leads, samples); a row of NaN where the window does not carry the modality, or has lost the lead.
- `windows.parquet`: one row per window: record, subject, number (within the record), onset_s,
  label (index into classes, -1: none), event (the window already is in the predicted state), with
  `labels.dense` target (mean pressure of the label span in mmHg, NaN without a label), and
  for each modality has_<m>, mean_<m>, var_<m>, of several leads also leads_<m>: how many are there.
- `manifest.json`: settings, units, classes, and one entry per record with what was left out
  and why. It is written last: a shard without it is not a shard.
"""

import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from physiome.config.agreement import require
from physiome.data.store.parquet import read_parquet
from physiome.errors import DataError
from physiome.files import (
    atomic_path,
    file_digest,
    read_json,
    read_noted,
    readable_json,
    write_errors,
)

MANIFEST = "manifest.json"
WINDOWS = "windows.parquet"
STATED = {"bytes", "records", "settings_digest", "shapes"}  # in every manifest


Shapes = Mapping[str, tuple[int, ...]]  # modality -> (samples,) of a window, or (leads, samples)


def window_columns(shapes: Shapes, dense: bool = False) -> dict[str, str]:
    """Column name -> pandas dtype of `windows.parquet`."""
    columns = {
        "record": "str",
        "subject": "str",
        "number": "int32",
        "onset_s": "float64",
        "label": "int8",
        "event": "bool",
    }
    if dense:
        columns |= {"target": "float64"}
    for modality, shape in shapes.items():
        columns |= {f"has_{modality}": "bool"}
        columns |= {f"mean_{modality}": "float64", f"var_{modality}": "float64"}
        columns |= {f"leads_{modality}": "int16"} if len(shape) > 1 else {}
    return columns


class ShardWriter:
    """Collects the windows of one record after another. Made by `write_shard`."""

    def __init__(self, folder: Path, files: dict[str, BinaryIO], shapes: Shapes):
        self._folder = folder
        self._files = files
        self._shapes = shapes
        self._bytes = 0
        self._dense = False
        self._tables: list[pd.DataFrame] = []
        self._records: list[dict[str, Any]] = []
        for modality in files:
            self._header(modality, 0)

    def add(self, signals: dict[str, np.ndarray], windows: pd.DataFrame) -> None:
        """Append one record's windows.

        Args:
            signals: modality -> windows of its shape; NaN where `has_<modality>` is False.
            windows: the rows of `windows.parquet`, in the same order.
        """
        self._bytes += 4 * len(windows) * sum(map(math.prod, self._shapes.values()))
        for modality, file in self._files.items():
            rows = np.ascontiguousarray(signals[modality], dtype=np.float32)
            if rows.shape != (len(windows), *self._shapes[modality]):
                raise ValueError(f"{modality}: {rows.shape} for {len(windows)} windows")
            with write_errors(self._folder, self._bytes):  # as far as is known by now
                _write_all(file, rows.tobytes())
        self._dense = "target" in windows
        self._tables.append(windows.astype(window_columns(self._shapes, self._dense)))

    def note(self, entry: dict[str, Any]) -> None:
        """Add a record's manifest entry (record, subject, status, reason, windows, counts, ...)."""
        self._records.append(entry)

    def finish(self) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
        """Write the final headers; return the windows table and the records' entries."""
        columns = window_columns(self._shapes, self._dense)
        empty = pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in columns.items()})
        windows = pd.concat(self._tables, ignore_index=True) if self._tables else empty
        for modality, file in self._files.items():
            file.seek(0)
            self._header(modality, len(windows))
        return windows[list(columns)], self._records

    def _header(self, modality: str, rows: int) -> None:
        # numpy pads the header for growth along the first axis, so its length does not change.
        shape = (rows, *self._shapes[modality])
        fields = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._files[modality], fields)


@contextmanager
def write_shard(folder: str | Path, shapes: Shapes, facts: dict[str, Any]) -> Iterator[ShardWriter]:
    """Write a shard into `folder`; nothing is there under a final name unless the block succeeds.

    Args:
        shapes: of a window of each modality.
        facts: further entries of the manifest (settings, units, classes).
    """
    folder = Path(folder)
    with ExitStack() as stack:
        # Moved into place from the last to the first, and only when all are written: old signals
        # under a new manifest, or the reverse, would be read without complaint.
        manifest = stack.enter_context(atomic_path(folder / MANIFEST))
        table = stack.enter_context(atomic_path(folder / WINDOWS))
        paths = {m: stack.enter_context(atomic_path(folder / f"{m}.npy")) for m in shapes}
        with ExitStack() as opened:
            # Without a buffer, which closing would try to write once more after an error.
            files: dict[str, BinaryIO] = {
                m: opened.enter_context(open(path, "wb", buffering=0)) for m, path in paths.items()
            }
            writer = ShardWriter(folder, files, shapes)
            yield writer
            windows, records = writer.finish()
        with write_errors(folder / WINDOWS):
            windows.to_parquet(table, index=False)
        sizes = {m: os.path.getsize(path) for m, path in paths.items()}
        held = {"windows": len(windows), "shapes": dict(shapes), "bytes": sizes}
        held |= {"records": records, "sha256": {WINDOWS: file_digest(table)}}
        manifest.write_text(readable_json({**facts, **held}), encoding="utf-8")
        (folder / MANIFEST).unlink(missing_ok=True)


def _write_all(file: BinaryIO, content: bytes) -> None:
    rest = memoryview(content)
    while rest:  # a full disk takes a part before it refuses
        rest = rest[file.write(rest) :]


def read_manifest(folder: str | Path) -> dict[str, Any]:
    """A shard's manifest, after checking that its files have the sizes it states.

    Raises:
        DataError: if it is none, or a file is missing or has another size.
    """
    folder = Path(folder)
    manifest = _read(folder / MANIFEST)
    for modality, size in manifest["bytes"].items():
        path = folder / f"{modality}.npy"
        found = path.stat().st_size if path.exists() else None
        if found != size:
            raise DataError(
                "shard file is missing" if found is None else "shard file has the wrong size",
                where=path,
                why=f"{size} bytes expected, {found} found",
                do=f"add --forcerun {folder / MANIFEST}",
            )
    return manifest


def _read(path: Path) -> dict[str, Any]:
    return read_json(path, *STATED)


def require_settings(folders: Iterable[str | Path], wanted: str | None) -> None:
    """Refuse shards of other settings than `wanted` (JSON; None: any will do).

    Raises:
        DataError: naming the shard and the keys that differ; for a shard that is not there any
            more. Snakemake does not look: after the folds, jobs name only these as their input.
    """
    for folder in folders if wanted is not None else ():
        path = Path(folder) / MANIFEST
        if not path.is_file():
            raise DataError("a shard is missing", where=path, do=f"add --forcerun {path}")
        require(_read(path).get("settings"), wanted, path, "shard", whole=True)


def read_windows(folders: Iterable[str | Path]) -> pd.DataFrame:
    """The windows of several shards in one table, with columns shard (position) and row."""
    tables = []
    for position, folder in enumerate(folders):
        read_noted(Path(folder) / MANIFEST)
        table = read_parquet(Path(folder) / WINDOWS)
        tables.append(table.assign(shard=position, row=np.arange(len(table))))
    return pd.concat(tables, ignore_index=True)
