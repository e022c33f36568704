"""What another device's gain does to a model's scores, by either kind of head, scaled or not.

On any finished run whose raw recordings are still there:

    python -m tests.bench.amplitudes results/demo sleep_edf 1 physiome handmade
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from physiome.evaluation.heads_file import CENTRED, LOGISTIC
from physiome.evaluation.metrics import window_metrics
from physiome.predict.api import LoadedModel, load
from physiome.predict.rescale import rescaled
from tests.bundle_scores import tested_recordings

GAINS = (1.0, 0.5, 2.0, 4.0)
WAYS = [(head, scaled) for head in (LOGISTIC, CENTRED) for scaled in (False, True)]


def main() -> None:
    """Print a row per gain as Markdown: ACC / AUC in percent, every signal times the gain."""
    results, dataset, fold, *methods = sys.argv[1:]
    print("| method | gain |", *(f"{h}{', scaled' * s} |" for h, s in WAYS))
    print("|---|---|" + "---|" * len(WAYS))
    for method in methods:
        place = Path(results), dataset, method, int(fold)
        by_gain = zip(*(scores(*place, *way) for way in WAYS), strict=True)
        for gain, cells in zip(GAINS, by_gain, strict=True):
            print(f"| {method} | {gain:g} |", *(f"{cell} |" for cell in cells))


def scores(
    results: Path, dataset: str, method: str, fold: int, head: str, scaled: bool
) -> Iterator[str]:
    """ACC / AUC at each gain, of the fold's labelled test windows that carry every modality."""
    model = load(results, dataset, method, fold, head=head)
    files = tested_recordings(results, dataset, fold)
    read = {record: model.read(path) for record, path in files.items()}
    table = pd.read_parquet(results / "scores" / dataset / f"fold{fold}" / f"{method}.parquet")
    whole = table["subset"] == "+".join(model.units)
    table = table[(table["head"] == LOGISTIC) & whole & table["complete"]]
    for gain in GAINS:
        y, p = [], []
        for record, own in table.groupby("record"):
            signals = {m: gain * x for m, x in read[str(record)].items()}
            signals = _scaled(model, signals) if scaled else signals
            p.append(model.predict_proba(signals)[own["number"]])
            y.append(own["label"].to_numpy(np.int64))
        found = window_metrics(np.concatenate(y), np.concatenate(p), list(model.classes))
        yield " / ".join(f"{100 * found[metric]:.1f}" for metric in ("acc", "auc"))


def _scaled(model: LoadedModel, signals: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """As `physiome predict --rescale all`."""
    windows = pd.DataFrame({f"has_{m}": ~np.isnan(x).any(axis=1) for m, x in signals.items()})
    for m, x in signals.items():
        windows[f"var_{m}"] = x.var(axis=1)
    return rescaled(model._trained, signals, windows, list(signals))[0]


if __name__ == "__main__":
    main()
