"""Small embeddings of known structure, on disk as the embed step writes them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from physiome.files import write_json
from physiome.subsets import all_subsets, subset_name

MODALITIES = ("a", "b", "c")


@pytest.fixture
def embed(tmp_path):
    """`embed(...)` writes embeddings below tmp_path and returns the path of the `.npy`."""

    def write(**choices) -> Path:
        return write_embeddings(tmp_path, **choices)

    return write


@pytest.fixture
def edit_windows():
    """`edit_windows(path, change)` rewrites the windows table by `change(table) -> table`."""

    def edit(path: Path, change) -> None:
        table = pd.read_parquet(path.with_suffix(".parquet"))
        change(table).to_parquet(path.with_suffix(".parquet"), index=False)

    return edit


def write_embeddings(
    folder: Path,
    *,
    windows: int = 600,
    classes: int = 3,
    width: int = 6,
    separation: float = 3.0,
    incomplete: bool = False,
    comparable: bool = True,
    constant: bool = False,
    order: str = "stored",
    seed: int = 0,
    name: str = "embeddings",
    **facts: object,
) -> Path:
    """Clusters at class centres; each further modality brings them further apart.

    order: "stored" or "shuffled" rows of the same windows.
    """
    rng = np.random.default_rng(seed)
    subsets = all_subsets(MODALITIES)
    subject = np.arange(windows) * 12 // windows  # 12 subjects of equal size
    label = rng.integers(classes, size=windows)
    has = np.ones((windows, 3), dtype=bool)
    if incomplete:
        has = rng.random((windows, 3)) < 0.8
        has[has.sum(axis=1) == 0, 0] = True
    centres = rng.normal(size=(classes, width))
    values = np.empty((windows, width * len(subsets)), dtype=np.float32)
    columns = {}
    for position, subset in enumerate(subsets):
        at = slice(position * width, (position + 1) * width)
        columns[subset_name(subset)] = [at.start, at.stop]
        spread = rng.normal(size=(windows, width)) / len(subset)
        values[:, at] = 0.0 if constant else separation / 3 * centres[label] + spread
        lacking = ~has[:, [MODALITIES.index(m) for m in subset]].all(axis=1)
        values[np.ix_(lacking, np.arange(at.start, at.stop))] = np.nan
    table = pd.DataFrame(
        {
            "record": [f"r{s:02d}" for s in subject],
            "subject": [f"s{s:02d}" for s in subject],
            "number": np.arange(windows) % (windows // 12),
            "label": label,
            "event": False,
            "role": np.array(["train"] * 8 + ["test"] * 4)[subject],
            **{f"has_{m}": has[:, i] for i, m in enumerate(MODALITIES)},
            **{f"var_{m}": np.where(has[:, i], 4.0, np.nan) for i, m in enumerate(MODALITIES)},
        }
    ).assign(onset_s=lambda t: 30.0 * t["number"])
    path = folder / f"{name}.npy"
    rows = rng.permutation(windows) if order == "shuffled" else np.arange(windows)
    np.save(path, values[rows])
    table.iloc[rows].to_parquet(path.with_suffix(".parquet"), index=False)
    told = {"dataset": "toy", "fold": 0, "method": "m", "modalities": list(MODALITIES)}
    told |= {"classes": [f"k{c}" for c in range(classes)], "columns": columns}
    write_json(path.with_suffix(".json"), {**told, "comparable": comparable, **facts})
    return path
