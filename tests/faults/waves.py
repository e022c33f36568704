"""Recordings of one EEG and one EOG channel, with what a fault needs to be different."""

from pathlib import Path
from typing import Any

import edfio
import numpy as np

from physiome.config.data import Dataset

EEG, EOG = "EEG Fpz-Cz", "EOG horizontal"
MINUTES = 3


def dataset(folder: Path, **changes: Any) -> Dataset:
    """Files of a folder with a `records.csv`, labelled by its column `group`."""
    volts = {"unit": "uV", "low": -1000.0, "high": 1000.0, "min_sd": 0.1}
    plain = {
        "title": "Mine",
        "batches": 1,
        "classes": ["sick", "well"],
        "max_left_out": 0.5,
        "source": {"kind": "recordings", "folder": str(folder)},
        "modalities": {"eeg": {"channel": EEG, **volts}, "eog": {"channel": EOG, **volts}},
        "window": {"length_s": 30.0, "rate_hz": 100.0, "lowpass_hz": 40.0},
        "labels": {"rule": "column", "column": "group", "texts": {"s": "sick", "w": "well"}},
    }
    return Dataset.parse({**plain, **changes})


def noise(seed: int, rate_hz: int = 100, minutes: float = MINUTES) -> np.ndarray:
    """(samples,) of 30 uV."""
    samples = round(minutes * 60 * rate_hz)
    return np.random.default_rng(seed).normal(0, 30, samples).clip(-190, 190)


def write(path: Path, channels: dict[str, np.ndarray], rate_hz: int = 100, scale: float = 1.0):
    """An EDF file whose header says uV; `scale` makes that untrue."""
    signals = [
        edfio.EdfSignal(
            x * scale,
            rate_hz,
            label=label,
            physical_dimension="uV",
            physical_range=(-200 * scale, 200 * scale),
        )
        for label, x in channels.items()
    ]
    edfio.Edf(signals, data_record_duration=1).write(path)


def write_good(folder: Path, count: int = 7) -> None:
    """Sound recordings r0, r1, ..."""
    for i in range(count):
        write(folder / f"r{i}.edf", {EEG: noise(i), EOG: noise(100 + i)})


def list_records(folder: Path) -> None:
    """A `records.csv` of all files of the folder: a subject each, groups in turn."""
    names = sorted(path.stem for path in folder.iterdir() if path.suffix in (".edf", ".hea"))
    lines = [f"{name},{name},{'sw'[i % 2]}\n" for i, name in enumerate(names)]
    (folder / "records.csv").write_text("record,subject,group\n" + "".join(lines))
