"""The heads and weights of a run, by data set, method and folds instead of long paths."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from physiome.errors import PhysioError, nearest
from physiome.evaluation.heads_file import load_facts
from physiome.predict.members import Pair

FLAGSHIP = "physiome"
Folds = Sequence[int] | Literal["all"] | None  # None: the first there is


def locate(run: Path, dataset: str | None, method: str | None, folds: Folds) -> list[Pair]:
    """Heads and weights below the results folder of a run; weights are None for a control.

    Args:
        dataset: None: the only one that has heads.
        method: None: PhysioME.

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
    there = sorted(key[1] for key in found if key[0] == dataset and key[2] == method)
    pairs = []
    for fold in choose(folds, there, method, run):
        heads = found[dataset, fold, method]
        weights = run / "models" / dataset / f"fold{fold}" / f"{method}.safetensors"
        pairs.append(Pair(heads, weights if load_facts(heads)["weights"] is not None else None))
    return pairs


def choose(folds: Folds, there: Sequence[int], method: str, where: object) -> list[int]:
    """The folds that were asked for, of those there are.

    Raises:
        PhysioError: one is not there, or none is named.
    """
    if folds is None:
        return list(there[:1])
    if folds == "all":
        return list(there)
    if not len(folds) or isinstance(folds, str):
        raise PhysioError(
            f"{folds!r} are no folds" if folds else "no fold is named",
            where=where,
            do="give all, or numbers such as 1, 3",
        )
    for fold in folds:
        if fold not in there:
            known = ", ".join(map(str, there))
            raise PhysioError(
                f"no fold {fold!r} of {method}", where=where, do=f"folds there: {known}"
            )
    return sorted(set(folds))


def parse_folds(text: str) -> Folds:
    """`all`, or numbers with commas between.

    Raises:
        PhysioError: for anything else.
    """
    if text.strip() == "all":
        return "all"
    parts = [part.strip() for part in text.split(",")]
    if not all(re.fullmatch(r"[0-9]{1,4}", part) for part in parts):
        raise PhysioError(
            "not folds", where=f"--folds {text!r}", do="give all, or numbers such as 1,3"
        )
    return [int(part) for part in parts]


def _known(kind: str, name: str, names: list[str], run: Path) -> str:
    if name not in names:
        raise PhysioError(f"no {kind} {name!r}", where=run, do=nearest(name, names))
    return name
