"""Draw training curves from the JSON lines that training writes."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from physiome.errors import DataError
from physiome.reporting.curves import curve_figure
from physiome.reporting.style import save


def run(metrics: list[Path], output: Path) -> None:
    """Draw a row of panels per model: its loss, the loss's terms, what a monitor saw.

    Args:
        metrics: JSON-lines files with at least `epoch` in each line.
        output: the SVG.
    """
    paths = [Path(path) for path in metrics]
    if not paths:
        raise DataError("no training metrics to draw", where=output)
    models: dict[str, dict[str, pd.DataFrame]] = {}
    for path in paths:
        models.setdefault(_model(path), {})[str(path)] = read_metrics(path)
    save(curve_figure(models), output)


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


def _model(path: Path) -> str:
    """Whose training it is: a method, or the encoders of one kind, of all folds and modalities."""
    if path.parent.parent.name == "encoders":
        return f"{path.parent.name} (encoders)"
    return path.name.partition(".")[0]
