"""Scores by name: what tables call them. What computes them is `evaluation/metrics.py`."""

from typing import NamedTuple


class Named(NamedTuple):
    """How tables show a score."""

    short: str  # in heads of columns
    long: str  # in captions
    less_is_better: bool = False


METRICS = {
    "acc": Named("ACC", "accuracy"),
    "auc": Named("AUC", "area under the ROC curve"),
    "balanced_acc": Named("BACC", "balanced accuracy"),
    "f1": Named("F1", "macro-F1"),
    "kappa": Named("KAPPA", "Cohen's kappa"),
    "auprc": Named("AUPRC", "average precision"),
    "ece": Named("ECE", "expected calibration error", less_is_better=True),
}
PRINTED = ("acc", "auc")  # of the paper's tables; of these alone it has figures
BALANCED = ("balanced_acc", "auprc")  # say more where one class holds most windows
