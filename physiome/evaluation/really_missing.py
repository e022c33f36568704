"""Really against artificially missing: one subset, on windows that lack the rest and that do not.

A table's cell for a subset is scored on windows that carry every modality, of which some are
hidden. Where recordings really lack a modality, the same model and head can be scored on those
windows too. They are other windows, often of other people: a difference between the two is one of
the people as well, and its interval says how little few of them tell.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from physiome.config.metrics import PRINTED
from physiome.evaluation.bootstrap import (
    count,
    draw,
    known_mean,
    resampled_acc,
    resampled_auc,
    subjects_interval,
)
from physiome.evaluation.metrics import window_metrics

KINDS = ("artificial", "real")
SIZES = [f"{kind}_{what}" for kind in KINDS for what in ("windows", "subjects")]
COLUMNS = ["metric", *KINDS, "difference", "low", "high", "resamples", "folds", *SIZES]


@dataclass
class Absence:
    """One method under one subset, over the folds added."""

    sizes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SIZES, 0))
    # Of each fold the subjects of the kind that has more of them: of one alone nothing varies
    subjects: list[int] = field(default_factory=list)
    # metric -> of each fold (kinds, 1 + R): the score itself, then those of the resamples
    scores: dict[str, list[np.ndarray]] = field(
        default_factory=lambda: {metric: [] for metric in PRINTED}
    )

    def add(
        self,
        kinds: Mapping[str, pd.DataFrame],
        classes: Sequence[str],
        subjects: Sequence[str],
        resamples: int,
        seed: Sequence[int],
    ) -> None:
        """Add a fold, all of whose test subjects are drawn alike for both kinds.

        Args:
            kinds: by KINDS, test windows of the subset: subject, label, p0, p1, ...
            subjects: all test subjects, sorted.
            seed: of the draws.
        """
        drawn = draw(len(subjects), resamples, seed)
        self.subjects.append(max(kinds[kind]["subject"].nunique() for kind in KINDS))
        place = {name: i for i, name in enumerate(subjects)}
        found: dict[str, list[np.ndarray]] = {metric: [] for metric in PRINTED}
        for kind in KINDS:
            part = kinds[kind]
            self.sizes[f"{kind}_windows"] += len(part)
            self.sizes[f"{kind}_subjects"] += part["subject"].nunique()
            for metric, values in _scored(part, classes, drawn, place).items():
                found[metric].append(values)
        for metric, values in found.items():
            self.scores[metric].append(np.stack(values))

    def rows(self) -> list[dict[str, float]]:
        """By COLUMNS, in percent: means over folds, the difference over those that have both."""
        found = []
        for metric, folds in self.scores.items():
            values = np.stack(folds)  # (folds, kinds, 1 + R)
            both = ~np.isnan(values[:, :, 0]).any(axis=1)
            alone = 100 * known_mean(values[:, :, 0])
            # In each fold, then over those that have both in a draw: folds differ by themselves
            gap = 100 * known_mean(values[both, 1] - values[both, 0])
            drawn_from = sum(np.array(self.subjects)[both])
            low, high = subjects_interval(gap[1:], drawn_from, int(both.sum()))
            row = {
                "metric": metric,
                **dict(zip(KINDS, alone.round(4).tolist(), strict=True)),
                "difference": round(float(gap[0]), 4),
                "low": round(low, 4),
                "high": round(high, 4),
                "resamples": int((~np.isnan(gap[1:])).sum()),
                "folds": int(both.sum()),
            }
            found.append(row | self.sizes)
        return found


def _scored(
    part: pd.DataFrame, classes: Sequence[str], drawn: np.ndarray, place: Mapping[str, int]
) -> dict[str, np.ndarray]:
    """Metric -> (1 + R,); all NaN without a window."""
    if part.empty:
        return {metric: np.full(1 + len(drawn), np.nan) for metric in PRINTED}
    y = part["label"].to_numpy(np.int64)
    p = part[[f"p{c}" for c in range(len(classes))]].to_numpy(np.float64)
    counts = count(part["subject"], y, p)
    mine = drawn[:, [place[name] for name in counts.subjects]]
    again = {"acc": resampled_acc(counts, mine), "auc": resampled_auc(counts, mine)}
    own = window_metrics(y, p, classes)
    return {metric: np.append(own[metric], again[metric]) for metric in PRINTED}
