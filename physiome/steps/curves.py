"""Draw training curves from the JSON lines that training writes."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from physiome.errors import DataError
from physiome.reporting.figures import curve_figure, save


def run(metrics: list[Path], output: Path) -> None:
    """Draw every numeric term over epochs, and what a monitor saw; one line per file.

    Args:
        metrics: JSON-lines files with at least `epoch` in each line.
        output: the SVG.
    """
    paths = [Path(path) for path in metrics]
    if not paths:
        raise DataError("no training metrics to draw", where=output)
    titles = _titles(paths)
    save(curve_figure({titles[path]: read_metrics(path) for path in paths}), output)


def read_metrics(path: str | Path) -> pd.DataFrame:
    """Mean of each numeric term per epoch, and what the monitor saw after it: `monitor <name>`.

    A step that was repeated after a resume counts once. Epoch 0 are the first weights.

    Raises:
        DataError: missing file, a line that is not JSON, or no epoch in it.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise DataError("file is missing", where=path, do="train first") from None
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise DataError(f"line {number} is not JSON", where=path, why=str(error)) from None
    steps = _by_epoch([row for row in rows if "monitor" not in row], path)
    looks = [
        {"epoch": row.get("epoch")} | {f"monitor {k}": v for k, v in row["monitor"].items()}
        for row in rows
        if "monitor" in row
    ]
    return steps.merge(_by_epoch(looks, path), on="epoch", how="outer") if looks else steps


def _by_epoch(rows: list[dict[str, Any]], path: str | Path) -> pd.DataFrame:
    table = pd.DataFrame(rows)
    if "epoch" not in table:
        raise DataError("no epochs in the metrics", where=path, do="train again")
    keys = [name for name in ("epoch", "step") if name in table]
    numeric = table.select_dtypes("number").drop_duplicates(keys, keep="last")
    return numeric.groupby("epoch", as_index=False).mean()


def _titles(paths: list[Path]) -> dict[Path, str]:
    """Each path without the folders that all share and without suffixes; the name if unique."""
    folders = [path.parent.parts for path in paths]
    shared = 0
    while all(len(f) > shared and f[shared] == folders[0][shared] for f in folders):
        shared += 1
    names = {path: path.name.partition(".")[0] for path in paths}
    if len(set(names.values())) == len(paths):
        return names
    return {path: "/".join([*path.parent.parts[shared:], names[path]]) for path in paths}
