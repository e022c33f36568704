"""The heads and weights of a run, by data set, method and fold instead of two long paths."""

import re
from pathlib import Path

from physiome.errors import PhysioError, nearest
from physiome.evaluation.heads_file import load_facts

FLAGSHIP = "physiome"


def locate(
    run: Path, dataset: str | None, method: str | None, fold: int | None
) -> tuple[Path, Path | None]:
    """(heads, weights) below the results folder of a run; weights are None for a control.

    Args:
        dataset: None: the only one that has heads.
        method: None: PhysioME.
        fold: None: the first there is.

    Raises:
        PhysioError: no such folder, or several data sets and none named; says what there is.
    """
    found = {
        (path.parts[-3], int(number[1]), path.name.removesuffix(".heads.npz")): path
        for path in sorted((run / "scores").glob("*/fold*/*.heads.npz"))
        if (number := re.fullmatch(r"fold(\d+)", path.parts[-2]))
    }
    if not found:
        raise PhysioError(
            "no fitted heads", where=run, do="name the results folder of a finished run"
        )
    names = sorted({key[0] for key in found})
    if dataset is None and len(names) > 1:
        raise PhysioError("several data sets", where=run, do=f"add --dataset {' or '.join(names)}")
    dataset = _known("data set", dataset or names[0], names, run)
    methods = sorted({key[2] for key in found if key[0] == dataset})
    method = _known("method", method or FLAGSHIP, methods, run)
    folds = sorted(key[1] for key in found if key[0] == dataset and key[2] == method)
    fold = folds[0] if fold is None else fold
    if fold not in folds:
        there = ", ".join(map(str, folds))
        raise PhysioError(f"no fold {fold} of {method}", where=run, do=f"folds there: {there}")
    heads = found[dataset, fold, method]
    if load_facts(heads)["weights"] is None:
        return heads, None
    return heads, run / "models" / dataset / f"fold{fold}" / f"{method}.safetensors"


def _known(kind: str, name: str, names: list[str], run: Path) -> str:
    if name not in names:
        raise PhysioError(f"no {kind} {name!r}", where=run, do=nearest(name, names))
    return name
