"""Which modalities the windows of each class carry, in the roles of every fold.

A subset of modalities is learned and scored on the windows that carry it. Where those of a class
never do, the loss of an electrode and the class are one thing, and its cells stay empty.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from physiome.data.folds.coverage import SCORED, TITLES
from physiome.errors import DataError
from physiome.subsets import Subset, all_subsets, subset_name

ALL_UP_TO = 4  # modalities: every subset that a class lacks is told


def require_modalities(
    windows: pd.DataFrame, folds: Sequence[dict[str, Any]], classes: Sequence[str], allowed: bool
) -> list[str]:
    """Refuse folds in which a modality cannot be pretrained, or a class not be had with a subset.

    Args:
        windows: columns subject, label, and has_<modality> of every modality.
        allowed: that a class is lacking in some subset; its cells stay empty then.

    Returns:
        What is lacking, one text a fold, role and subset; empty unless `allowed`.

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
            held &= windows["label"] >= 0
            known = windows.loc[held, ["label"]].join(has).drop_duplicates()
            where = f"fold {fold['fold']}, {TITLES[role]}"
            lacking: dict[str, list[int]] = {}
            for name, code in _never_carried([str(m) for m in has], known):
                lacking.setdefault(name, []).append(code)
            for name, codes in lacking.items():
                whole = len(codes) == len(set(known["label"])) > 1
                named = ["every class"] if whole else [repr(classes[code]) for code in codes]
                yield f"{where}: {', '.join(named)} without {name}"


def _never_carried(modalities: list[str], known: pd.DataFrame) -> Iterator[tuple[str, int]]:
    """Subset and label, of labels that no window carries a subset with.

    What lacks a subset lacks whatever holds it: of many modalities only the smallest are told.
    """
    labels = set(known["label"])
    if labels == set(known.loc[known[modalities].all(axis=1), "label"]):
        return  # of each label something carries everything
    smallest = len(modalities) > ALL_UP_TO
    told: dict[int, list[Subset]] = {code: [] for code in labels}
    for subset in sorted(all_subsets(modalities), key=len) if smallest else all_subsets(modalities):
        there = set(known.loc[known[list(subset)].all(axis=1), "label"])
        for code in sorted(labels - there):
            if smallest and any(set(part) <= set(subset) for part in told[code]):
                continue
            told[code].append(subset)
            yield subset_name(subset), int(code)
