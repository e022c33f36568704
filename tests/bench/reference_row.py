"""The reference row beside Table 1: `python -m tests.bench.reference_row [--data FOLDER]`.

Logistic regression on five log band powers per channel of all 153 nights of Sleep-EDF. The features
were made by others (see README.md of the folder of real recordings): the row says what a linear
head reaches without any learned representation, not what our pipeline measures. Last
come features less the mean of their recording, see `probe.centred`, and these beside the mean of
their neighbours within two minutes, see `probe.context_s`.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from physiome.evaluation.centred import less_own_mean
from physiome.evaluation.context import with_neighbours
from physiome.evaluation.metrics import window_metrics
from physiome.reporting.paper import paper_cells, paper_subset
from physiome.subsets import Subset, all_subsets
from tests.bench.common import ROOT

FEATURES = "sleep-edfx/features/epochs.parquet"
TITLES = {"eeg_fpz_cz": "Fpz-Cz", "eeg_pz_oz": "Pz-Oz", "eog": "EOG"}
CLASSES = ("W", "N1", "N2", "N3", "REM")
FOLDS, SHARE = 5, 0.2  # by subject; of a fold's labelled subjects, as folds.train_share
METRICS = ("acc", "auc")
REACH_S = 120.0


def main() -> None:
    """Print the seven rows as Markdown: means over folds in percent, the paper's beside them."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.reference_row")
    parser.add_argument("--data", type=Path, default=ROOT / "shared" / "data", help="its folder")
    table = read_epochs(parser.parse_args().data / FEATURES)
    print(f"{len(table)} epochs of {table['subject'].nunique()} subjects\n")
    powers = [c for c in table.columns if c.startswith(tuple(TITLES))]
    less = table.copy()
    less[powers] = less_own_mean(table[powers].to_numpy(), table["record"].to_numpy())
    beside = with_neighbours(less[powers].to_numpy(), less["record"], less["onset_s"], REACH_S)
    around = [f"{name}.around" for name in powers]
    context = less.join(pd.DataFrame(beside[:, len(powers) :], less.index, around))
    print("| subset | all labelled subjects of the fold ACC / AUC | a fifth of them |", end="")
    print(" a fifth, less the recording's mean | so, beside the epochs around |", end="")
    print(" paper's PhysioME ACC / AUC |\n|---|---|---|---|---|---|")
    for subset in all_subsets(tuple(TITLES)):
        of = [folds(table, subset), folds(table, subset, SHARE), folds(less, subset, SHARE)]
        of.append(folds(context, subset, SHARE))
        found = [_both(scores) for scores in of]
        named = paper_subset([TITLES[m] for m in subset])
        print(f"| {named.replace('+', ' + ')} | {' | '.join([*found, published(named)])} |")


def read_epochs(path: Path) -> pd.DataFrame:
    """subject, label (0 to 4) and the log powers of the labelled epochs."""
    table = pd.read_parquet(path)
    return table[table["label"] >= 0].reset_index(drop=True)


def folds(table: pd.DataFrame, subset: Subset, share: float = 1.0) -> pd.DataFrame:
    """Scores of each fold (rows), fitted on `share` of its train subjects."""
    powers = [c for c in table.columns if c.startswith(subset)]
    x, y = table[powers].to_numpy(np.float64), table["label"].to_numpy()
    splitter, rows = GroupKFold(FOLDS, shuffle=True, random_state=0), []
    for number, (train, test) in enumerate(splitter.split(x, y, table["subject"])):
        subjects = table["subject"].iloc[train].unique()
        size = round(share * len(subjects))
        taken = np.random.default_rng(number).choice(subjects, size, replace=False)
        train = train[table["subject"].iloc[train].isin(taken)]
        head = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
        p = head.fit(x[train], y[train]).predict_proba(x[test])
        rows.append({name: window_metrics(y[test], p, CLASSES)[name] for name in METRICS})
    return pd.DataFrame(rows)


def _both(scores: pd.DataFrame) -> str:
    return " / ".join(f"{100 * scores[name].mean():.1f}" for name in METRICS)


def published(named: str) -> str:
    """PhysioME's cell of the paper's Table 1."""
    cells = paper_cells(1).set_index(["method", "subset", "metric"])["value"]
    return " / ".join(f"{cells['PhysioME', named, name]:.2f}" for name in METRICS)


if __name__ == "__main__":
    main()
