"""Scores by the number of missing modalities, and the error of restored ones."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from physiome.subsets import Subset, subset_name

RESTORATION = ["dataset", "method", "subset", "modality", "mse", "mse_sd", "relative",
               "relative_sd", "folds"]  # fmt: skip


def by_missing(means: pd.DataFrame, scored: Sequence[Subset]) -> pd.DataFrame:
    """The mean over the scored subsets that lack the same number of modalities, of each method.

    Args:
        means: from `build_table`, one metric: method, subset, mean.
        scored: the subsets that are scored, the full set first.

    Returns:
        method, missing (how many a scored subset lacks), subsets (how many the mean is over), mean
        in percent; NaN if one of them has no score, as the others are not comparable without it.
    """
    known = means.set_index(["method", "subset"])["mean"]
    rows = []
    for method in dict.fromkeys(means["method"]):
        for missing in sorted({len(scored[0]) - len(s) for s in scored}):
            names = [subset_name(s) for s in scored if len(scored[0]) - len(s) == missing]
            values = known.reindex([(method, name) for name in names])
            mean = values.mean(skipna=False)
            rows.append((method, missing, len(names), mean))
    return pd.DataFrame(rows, columns=["method", "missing", "subsets", "mean"])


def restoration_errors(facts: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Mean over folds of the error of every restored modality; no row if no method restores.

    Args:
        facts: of the embed step; `restoration`, if there, is {observed subset: {restored modality:
            {mse, relative}}}, where relative is mse over the variance of what is restored, so that
            1 is the error of restoring its mean. A null is an undefined value.

    Returns:
        dataset, method, subset, modality, mse, mse_sd, relative, relative_sd, folds (that have a
        value); in the order of the facts.
    """
    rows = [
        {
            **{key: told[key] for key in ("dataset", "method", "fold")},
            "subset": subset,
            "modality": modality,
            **errors,
        }
        for told in facts
        for subset, restored in (told.get("restoration") or {}).items()
        for modality, errors in restored.items()
    ]
    if not rows:
        return pd.DataFrame(columns=RESTORATION)
    table = pd.DataFrame(rows).astype({"mse": float, "relative": float})
    found = table.groupby(["dataset", "method", "subset", "modality"], sort=False).agg(
        mse=("mse", "mean"),
        mse_sd=("mse", "std"),
        relative=("relative", "mean"),
        relative_sd=("relative", "std"),
        folds=("mse", "count"),
    )
    return found.reset_index()[RESTORATION]
