"""The windows of many shards, read through memory maps.

Resident memory stays flat however many shards there are: the pages a batch touched are given back
to the kernel right after they were copied.
"""

import math
import mmap
from collections.abc import Iterable, Sequence
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
import pandas as pd

from physiome.data.store.shards import MANIFEST, read_manifest, read_windows
from physiome.errors import DataError


class Rows:
    """The windows of one `.npy` file, n of `shape` in float32, read through a memory map."""

    def __init__(self, path: Path, window: tuple[int, ...]):
        with open(path, "rb") as file:
            try:
                np.lib.format.read_magic(file)
                shape, _, dtype = np.lib.format.read_array_header_1_0(file)
                if dtype != np.float32 or shape[1:] != window:
                    raise ValueError(f"{dtype} of shape {shape}")
                start = file.tell()
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                flat = np.frombuffer(self._map, dtype, offset=start)
                if min(shape) < 0 or len(flat) != math.prod(shape):
                    raise ValueError(f"shape {shape}, and {len(flat)} samples")
            except (ValueError, OverflowError, SyntaxError, TokenError) as error:
                raise DataError(
                    "not an array of windows",
                    where=path,
                    why=str(error),
                    do=f"add --forcerun {path.parent / MANIFEST}",
                ) from None
        self._rows = flat.reshape(shape)

    def take(self, rows: np.ndarray, out: np.ndarray, places: np.ndarray) -> None:
        """Copy `rows` to `out[places]`, then give the touched pages back."""
        out[places] = self._rows[rows]
        self._map.madvise(mmap.MADV_DONTNEED)


class WindowStore:
    """All windows of a data set's shards, mapped from disk.

    Args:
        folders: of the shards, in order.
        modalities: those that are wanted, in order.

    Attributes:
        table: one row per window (see `shards`), columns shard and row tell where it lies.
        shapes: modality -> (samples,) of a window, or (leads, samples) of one of several leads.
        settings: what the shards were cut with, as JSON data; None if they do not say.

    Raises:
        DataError: shards of different settings, or files that are not what a shard holds.

    Example:
        >>> store = WindowStore(folders, ["eeg", "eog"])
        >>> complete = np.flatnonzero(store.carrying("eeg") & store.carrying("eog"))
        >>> store.read(complete[:4], ["eog"])["eog"].shape == (4, *store.shapes["eog"])
        True
    """

    def __init__(self, folders: Sequence[str | Path], modalities: Sequence[str]):
        manifests = [read_manifest(folder) for folder in folders]
        if len({m["settings_digest"] for m in manifests}) != 1:
            raise DataError(
                "shards were written with different settings",
                where=Path(folders[0]).parent,
                do="add --forcerun and the manifest.json of each of the older ones",
            )
        self.folders = [Path(folder) for folder in folders]
        self.modalities = tuple(modalities)
        self.shapes = {m: tuple(manifests[0]["shapes"][m]) for m in self.modalities}
        self.settings_digest: str = manifests[0]["settings_digest"]
        self.settings: dict[str, Any] | None = manifests[0].get("settings")
        self.table: pd.DataFrame = read_windows(folders)
        self._files: dict[tuple[int, str], Rows] = {}

    def read(self, index: np.ndarray, modalities: Iterable[str]) -> dict[str, np.ndarray]:
        """Windows by their position in `table`: modality -> (len(index), *shape) float32."""
        shards = self.table["shard"].to_numpy()[index]
        rows = self.table["row"].to_numpy()[index]
        batch = {m: np.empty((len(index), *self.shapes[m]), np.float32) for m in modalities}
        for shard in np.unique(shards):
            places = np.flatnonzero(shards == shard)
            for modality, out in batch.items():
                self._open(int(shard), modality).take(rows[places], out, places)
        return batch

    def carrying(self, modality: str) -> np.ndarray:
        """Whether each window has the modality, (windows,) bool."""
        return self.table[f"has_{modality}"].to_numpy()

    def scaling(self, index: np.ndarray, modality: str) -> tuple[float, float]:
        """Offset and scale (mean and standard deviation) over the given windows that have it."""
        rows = self.table.iloc[index]
        rows = rows[rows[f"has_{modality}"]]
        if rows.empty:
            raise DataError(f"no window has modality {modality!r}", do="check the channel names")
        means = rows[f"mean_{modality}"].to_numpy()
        variance = rows[f"var_{modality}"].mean() + means.var()
        return float(means.mean()), float(np.sqrt(variance))

    def _open(self, shard: int, modality: str) -> Rows:
        key = (shard, modality)
        if key not in self._files:
            self._files[key] = Rows(self.folders[shard] / f"{modality}.npy", self.shapes[modality])
        return self._files[key]
