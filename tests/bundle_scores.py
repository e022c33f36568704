"""Whether a bundle scores a fold's raw test recordings as the workflow scored their windows.

On any finished run whose raw recordings are still there:

    python -m tests.bundle_scores results/demo sleep_edf physiome 1
"""

import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from physiome.data.folds.roles import read_fold
from physiome.evaluation.metrics import window_metrics
from physiome.files import read_json
from physiome.predict.asked import ModelFiles, run
from physiome.predict.bundle import export


class Both(NamedTuple):
    """Scores of the same windows: by the workflow, and by the bundle from raw files."""

    windows: int
    recordings: int
    workflow: dict[str, float]
    bundle: dict[str, float]
    furthest: float  # largest difference of a probability


def tested_recordings(results: Path, dataset: str, fold: int) -> dict[str, Path]:
    """Record -> its raw file, of the fold's test subjects."""
    test = set(read_fold(results / "folds" / f"{dataset}.json", fold)["test"])
    notes = sorted((results / "raw").glob(f"{dataset}.batch*.json"))
    records = [record for path in notes for record in read_json(path)["records"]]
    return {r["record"]: Path(r["signals"]) for r in records if r["subject"] in test}


def compare(
    results: Path, dataset: str, method: str, fold: int, bundle: Path, folder: Path
) -> Both:
    """Predict the raw test recordings with `bundle` into `folder`, and score both.

    Windows are those of the table: labelled, with every modality.
    """
    found = tested_recordings(results, dataset, fold)
    model = ModelFiles(bundle=str(bundle), fold=fold)
    run(list(found.values()), model, None, folder, [], None, "cpu")
    stored = results / "scores" / dataset / f"fold{fold}" / f"{method}.parquet"
    facts = read_json(stored.with_suffix(".json"))
    classes, whole = facts["classes"], "+".join(facts["modalities"])
    table = pd.read_parquet(stored)
    table = table[(table["head"] == "logistic") & (table["subset"] == whole) & table["complete"]]
    tables = [
        pd.read_csv(folder / f"{path.stem}.csv").assign(record=record)
        for record, path in found.items()
    ]
    mine = pd.concat(tables).set_index(["record", "window"])
    theirs = table.set_index(["record", "number"])
    mine = mine.loc[theirs.index]
    y = theirs["label"].to_numpy(np.int64)
    p = [
        theirs[[f"p{i}" for i in range(len(classes))]].to_numpy(),
        mine[[f"p_{name}" for name in classes]].to_numpy(),
    ]
    scores = [window_metrics(y, one, classes) for one in p]
    return Both(len(y), len(found), scores[0], scores[1], float(np.abs(p[0] - p[1]).max()))


def main() -> None:
    """Export the model, predict its fold's test recordings, print both scores."""
    results, dataset, method, fold = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
    with tempfile.TemporaryDirectory() as temporary:
        bundle = Path(temporary) / "bundle.zip"
        print("\n".join(export.run(results, bundle, dataset, method, [fold])))
        both = compare(results, dataset, method, fold, bundle, Path(temporary) / "scored")
    print(f"{both.windows} windows of {both.recordings} recordings of test subjects")
    for metric in ("acc", "auc", "balanced_acc", "ece"):
        print(f"{metric}: workflow {both.workflow[metric]:.4f}, bundle {both.bundle[metric]:.4f}")
    print(f"largest difference of a probability: {both.furthest:.1e}")


if __name__ == "__main__":
    main()
