"""A finished run of two folds over made-up nights: all files that a run leaves, tiny models."""

from pathlib import Path
from typing import Any

import pandas as pd
from small import SECTIONS, settings_of
from trained_nights import CLASSES, DATASET, ROLES, UNTRAINED, Nights

from physiome.data.report import Report
from physiome.data.store.shards import read_manifest
from physiome.files import canonical_json, read_json, write_json
from physiome.plan.layout import Layout, Model, Row
from physiome.registry import METHODS
from physiome.steps import embed, folds, probe, scores, train

NAME, FOLDS = "nights", (1, 2)
METHOD = "random"  # a fused network, here in the part of the model that one hands on
CONTROLS = ("handmade", "majority")
TITLES = {"fpz": "EEG Fpz-Cz", "pz": "EEG Pz-Oz", "eog": "EOG"}


def write_run(nights: Nights, folder: Path) -> Path:
    """Take the nights through all steps of both folds; the results folder."""
    at, shards = Layout(str(folder)), [nights.folder / "shard"]
    roles = [{"fold": fold, **ROLES} for fold in FOLDS]
    roles[1] |= {"test": ["s3"], "train": ["s1", "s2", "s4"]}
    write_json(at.folds(NAME), {"folds": roles})
    reports = [Report.parse(entry) for entry in read_manifest(shards[0])["records"]]
    raw = folder / "raw" / f"{NAME}.batch0.json"
    write_json(raw, read_json(nights.folder / "raw.json"))
    pd.DataFrame(map(folds._row, reports)).to_csv(at.what_became(NAME), index=False)
    found = [_row(at, shards, fold, method) for fold in FOLDS for method in (METHOD, *CONTROLS)]
    csv = folder / "scores" / f"{NAME}.csv"
    scores.run(found, csv, csv.with_suffix(".by_subject.csv"))
    shown = {METHOD: "Tiny net", "handmade": "Hand-made", "majority": "Majority"}
    methods = {name: {"title": title, "scope": "control"} for name, title in shown.items()}
    told = {"dataset": NAME, "title": "Made-up nights", "modalities": TITLES, "methods": methods}
    write_json(at.table("table1", "json"), {"settings": told})
    return folder


def _row(at: Layout, shards: list[Path], fold: int, name: str) -> Path:
    """Train, embed and score one method in one fold; its scores."""
    known, of = Path(at.folds(NAME)), Row(NAME, fold, name)
    plain: dict[str, Any] = settings_of(name) | {
        "dataset": NAME, "name": name, "base": name, "modalities": list(DATASET["modalities"]),
        "window": DATASET["window"], "method": SECTIONS[name], "classes": CLASSES,
    }  # fmt: skip
    weights = Path(at.weights(Model(NAME, fold, name))) if METHODS[name].trains else None
    if weights:
        text = canonical_json({**plain, "train": {**UNTRAINED, "seed": fold}})
        train.run(text, shards, known, fold, [], weights)
    rows, output = Path(at.embeddings(of)), Path(at.scores(of))
    text = canonical_json({**plain, "batch": 16, "subsets": None})
    embed.run(text, shards, known, fold, rows, weights)
    probe.run('{"paper_head": null, "centred": "record", "strengths": [0.01]}', rows, output)
    return output
