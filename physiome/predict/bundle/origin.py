"""What a run's files say of a model: its titles, whom it learned from, what its training took."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from physiome.data.folds.roles import read_fold
from physiome.data.report import USED
from physiome.errors import DataError
from physiome.files import read_json, read_noted
from physiome.predict.members import Pair
from physiome.predict.trained import Trained
from physiome.registry import METHODS


class Titles(NamedTuple):
    """How tables call things."""

    method: str
    dataset: str
    modalities: Mapping[str, str]


class FoldOrigin(NamedTuple):
    """Of one fold's model.

    Attributes:
        roles: pretrain, train, test -> subjects, records, windows, labelled (windows).
        training: the manifest of its weights; None for a control.
        probe: what the probe step noted.
    """

    fold: int
    roles: dict[str, dict[str, int]]
    training: dict[str, Any] | None
    probe: dict[str, Any]


def titles(run: Path, trained: Trained) -> Titles:
    """As the run's tables have them; names where it made none."""
    method, dataset = trained.settings.name, trained.settings.dataset
    base = METHODS.get(trained.settings.base)
    own = base.title if base and trained.settings.base == method else method
    found = Titles(own, dataset, {m: m for m in trained.settings.modalities})
    for path in sorted((run / "tables").glob("*.json")):
        found_in = read_json(path)
        told = found_in.get("settings", {})
        if told.get("dataset") != dataset or told.get("layout") == "variants":
            continue
        entry = told.get("methods", {}).get(method, {})
        named = {m: told.get("modalities", {}).get(m, m) for m in found.modalities}
        return Titles(entry.get("title", own), told.get("title", dataset), named)
    return found


def fold_origin(run: Path, pair: Pair, trained: Trained) -> FoldOrigin:
    """What the run says of the model whose heads these are.

    Raises:
        DataError: the run lacks its folds, or what the probe noted; or they were altered.
    """
    from physiome.training.checkpoint import read_weights
    from physiome.training.manifest import Manifest

    fold, dataset = trained.facts["fold"], trained.facts["dataset"]
    training = None
    if pair.weights is not None:
        training = Manifest.parse(read_weights(pair.weights)[1], pair.weights).plain()
    probe = read_noted(pair.heads.with_name(pair.heads.name.replace(".heads.npz", ".json")))
    return FoldOrigin(fold, _roles(run, dataset, fold), training, probe)


def _roles(run: Path, dataset: str, fold: int) -> dict[str, dict[str, int]]:
    subjects = read_fold(run / "folds" / f"{dataset}.json", fold)
    path = run / "folds" / f"{dataset}.records.csv"
    if not path.exists():
        raise DataError("file is missing", where=path, do="run the step `folds` again")
    records = pd.read_csv(path, dtype={"record": str, "subject": str}, keep_default_na=False)
    used = records[records["status"] == USED]
    found = {}
    for role, names in subjects.items():
        mine = used[used["subject"].isin(names)]
        windows = int(mine["windows"].astype(int).sum())
        labelled = windows - int(mine["unlabelled_windows"].astype(int).sum())
        sizes = {"subjects": len(names), "records": len(mine)}
        found[role] = {**sizes, "windows": windows, "labelled": labelled}
    return found
