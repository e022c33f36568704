"""Short synthetic nights in a folder of their own, taken through the steps up to the folds."""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from physiome.config.data import Dataset
from physiome.data.store.shards import read_manifest
from physiome.data.synthetic import nights as synthetic_sleep
from physiome.files import canonical_json
from physiome.steps import fetch, folds, records, shard

HOURS = 1 / 6  # the shortest night that has every stage
CLASSES = ["W", "N1", "N2", "N3", "REM"]
STAGES = {"W": "W", "1": "N1", "2": "N2", "3": "N3", "4": "N3", "R": "REM"}


def sleep(folder: Path, **changes: Any) -> Dataset:
    """The Sleep-EDF data set of the shipped configuration, in a folder of one's own."""
    eeg = {"unit": "uV", "low": -1000.0, "high": 1000.0, "min_sd": 0.1}
    plain = {
        "title": "Sleep",
        "batches": 1,
        "classes": CLASSES,
        "max_left_out": 0.5,
        "source": {"kind": "sleep_edf", "raw": {"fill": "folder", "folder": str(folder)}},
        "modalities": {
            "eeg": {"channel": "EEG Fpz-Cz", **eeg},
            "eog": {"channel": "EOG horizontal", **eeg},
        },
        "window": {"length_s": 30.0, "rate_hz": 100.0, "lowpass_hz": 40.0},
        "labels": {
            "rule": "annotations",
            "margin_class": "W",
            "margin_s": 1800.0,
            "texts": {f"Sleep stage {text}": name for text, name in STAGES.items()},
            "unscored": ["Sleep stage ?", "Movement time"],
        },
    }
    return Dataset.parse({**plain, **changes})


def with_labels(dataset: Dataset, **changes: Any) -> Dataset:
    """The data set with changes of its rule of labels."""
    labels = dataset.labels.model_copy(update=changes)
    return dataset.model_copy(update={"labels": labels})


def write_nights(folder: Path, count: int, hours: float = HOURS) -> Path:
    """Nights SC4001, SC4011, ... of one subject each, in `<folder>/sleep-cassette`."""
    for number in range(count):
        record = f"SC4{number:02d}1"
        synthetic_sleep.write_night(
            psg(folder, record),
            hypnogram(folder, record),
            record=record,
            subject=record[:5],
            hours=hours,
            seed=0,
        )
    return folder


def copy_night(folder: Path, source: str, target: str) -> None:
    """The same night again, under another record's name."""
    shutil.copyfile(psg(folder, source), psg(folder, target))
    shutil.copyfile(hypnogram(folder, source), hypnogram(folder, target))


def psg(folder: Path, record: str) -> Path:
    """Where a night's signals lie."""
    return folder / "sleep-cassette" / f"{record}E0-PSG.edf"


def hypnogram(folder: Path, record: str) -> Path:
    """Where a night's stages lie."""
    return folder / "sleep-cassette" / f"{record}EC-Hypnogram.edf"


def to_shard(dataset: Dataset, raw: Path, out: Path) -> dict[str, dict[str, Any]]:
    """Run the steps records, fetch and shard; the shard's manifest entries by record."""
    channels = {name: m.channel for name, m in dataset.modalities.items()}
    settings = canonical_json(
        {
            "dataset": "mine",
            "source": dataset.source.plain(),
            "folder": str(raw),
            "modalities": channels,
        }
    )
    records.run(settings, out / "records.csv")
    fetch.run(settings, out / "records.csv", 0, 1, out / "raw.json")
    shard.run(
        settings=canonical_json(dataset.shard_settings()),
        raw=out / "raw.json",
        folder=out / "shard",
    )
    return {entry["record"]: entry for entry in read_manifest(out / "shard")["records"]}


def to_folds(dataset: Dataset, out: Path, **spec: Any) -> pd.DataFrame:
    """Run the step folds on what `to_shard` wrote; the table of records by record."""
    fold_spec = {"count": 2, "use": None, "seed": 0, "train_share": 0.6}
    settings = {
        "folds": {**fold_spec, **spec},
        "classes": list(dataset.classes),
        "max_left_out": dataset.max_left_out,
    }
    folds.run(json.dumps(settings), [out / "shard"], out / "folds.json", out / "records_used.csv")
    return pd.read_csv(out / "records_used.csv").set_index("record")


def left_out(entries: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Record -> reason, of the records that were left out."""
    return {name: e["reason"] for name, e in entries.items() if e["status"] != "used"}
