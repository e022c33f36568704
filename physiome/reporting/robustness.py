"""Scores by the number of missing modalities, and the error of restored ones."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from physiome.subsets import all_subsets, subset_name

RESTORATION = ["dataset", "method", "subset", "modality", "mse", "mse_sd", "relative",
               "relative_sd", "folds"]  # fmt: skip


def by_missing(means: pd.DataFrame, modalities: Sequence[str]) -> pd.DataFrame:
    """The mean over all subsets that lack the same number of modalities, of each method.

    Args:
        means: from `build_table`, one metric: method, subset, mean.
        modalities: in order.

    Returns:
        method, missing (0 to M - 1), subsets (how many the mean is over), mean in percent; NaN if
        one of the subsets has no score, as the others are not comparable without it.
    """
    known = means.set_index(["method", "subset"])["mean"]
    rows = []
    for method in dict.fromkeys(means["method"]):
        for missing in range(len(modalities)):
            size = len(modalities) - missing
            names = [subset_name(s) for s in all_subsets(tuple(modalities)) if len(s) == size]
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
