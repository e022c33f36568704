"""Which modalities the windows of each class carry, in the roles of every fold.

A subset of modalities is learned and scored on the windows that carry it. Where those of a class
never do, the loss of an electrode and the class are one thing, and its cells stay empty.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from physiome.data.folds.coverage import SCORED, TITLES
from physiome.errors import DataError
from physiome.subsets import all_subsets, subset_name


def require_modalities(
    windows: pd.DataFrame, folds: Sequence[dict[str, Any]], classes: Sequence[str], allowed: bool
) -> list[str]:
    """Refuse folds in which a modality cannot be pretrained, or a class not be had with a subset.

    Args:
        windows: columns subject, label, and has_<modality> of every modality.
        allowed: that a class is lacking in some subset; its cells stay empty then.

    Returns:
        What is lacking, one text a fold, role, class and subset; empty unless `allowed`.

    Raises:
        DataError: naming every fold, role, class and subset at once.
    """
    has = windows.filter(regex="^has_").rename(columns=lambda name: name.removeprefix("has_"))
    nowhere = [str(m) for m in has if not has[m].any()]
    if nowhere:
        raise DataError(
            f"no window of any record carries {' or '.join(nowhere)}",
            where="folds",
            do="correct its channel, unit and limits in datasets.<name>.modalities"
            " (`physiome inspect` says what files hold), or take it out",
        )
    idle = [
        f"fold {fold['fold']}: {m}"
        for fold in folds
        for m in has
        if not has.loc[windows["subject"].isin(fold["pretrain"]), m].any()
    ]
    if idle:
        raise DataError(
            "no pretrain subject carries a modality",
            where="folds",
            why="; ".join(idle),
            do="use another folds.seed, a smaller folds.train_share or more recordings",
        )
    found = list(_lacking(windows, has, folds, classes))
    if found and not allowed:
        raise DataError(
            "some folds cannot be scored: of a class no window carries a subset",
            where="folds",
            why="; ".join(found),
            do="take the modality out of datasets.<name>.modalities, use fewer folds or more"
            " recordings; or set folds.allow_missing_classes: true, so those cells stay empty",
        )
    return found


def _lacking(
    windows: pd.DataFrame,
    has: pd.DataFrame,
    folds: Sequence[dict[str, Any]],
    classes: Sequence[str],
) -> Iterator[str]:
    """Classes that a role has, but not with a subset."""
    for fold in folds:
        for role in SCORED:
            held = windows["subject"].isin(fold[role])
            there = set(windows.loc[held, "label"]) - {-1}
            for subset in all_subsets([str(m) for m in has]):
                carried = held & has[list(subset)].all(axis=1)
                for code in sorted(there - set(windows.loc[carried, "label"])):
                    where = f"fold {fold['fold']}, {TITLES[role]}"
                    yield f"{where}: {classes[int(code)]!r} without {subset_name(subset)}"
