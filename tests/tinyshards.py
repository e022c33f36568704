"""Tiny shards written as the shard step writes them, with waves inside."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from tiny import NAMES, SAMPLES, waves

from physiome.data.store.shards import write_shard
from physiome.data.store.windows import WindowStore


def tiny_store(
    folder: Path,
    windows: int = 12,
    shards: int = 2,
    names: Sequence[str] = NAMES,
    absent: Mapping[str, Sequence[int]] | None = None,
    poison: Mapping[int, float] | None = None,
    samples: int = SAMPLES,
    constant: float | None = None,
) -> WindowStore:
    """A store of `windows` windows in records r0, r1, ... of four windows each.

    Args:
        absent: modality -> windows that lack it.
        constant: what all samples of all windows are; None: waves.
        poison: window -> a value that one of its samples takes, in the first modality.
    """
    signals = {m: x[:, :samples].numpy() for m, x in waves(windows, names).items()}
    if constant is not None:
        signals = {m: np.full_like(x, constant) for m, x in signals.items()}
    for window, value in (poison or {}).items():
        signals[names[0]][window, 17] = value
    number = np.arange(windows)
    table = pd.DataFrame(
        {
            "record": [f"r{n // 4}" for n in number],
            "subject": [f"s{n // 4}" for n in number],
            "number": number % 4,
            "onset_s": 9.0 * (number % 4),
            "label": number % 2,
            "event": False,
        }
    )
    for m in names:
        table[f"has_{m}"] = ~np.isin(number, list((absent or {}).get(m, [])))
        signals[m][~table[f"has_{m}"]] = np.nan
        table[f"mean_{m}"], table[f"var_{m}"] = 0.0, 1.0
    folders = []
    for shard, rows in enumerate(np.array_split(number, shards)):
        folders.append(folder / f"shard{shard}")
        with write_shard(
            folders[-1], dict.fromkeys(names, (samples,)), {"settings_digest": "tiny"}
        ) as writer:
            writer.add({m: x[rows] for m, x in signals.items()}, table.iloc[rows])
    return WindowStore(folders, names)
