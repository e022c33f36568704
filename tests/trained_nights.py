"""A small data set of made-up nights taken through the steps, up to heads that can predict."""

from pathlib import Path
from typing import Any

import edfio
import numpy as np
from small import SECTIONS, settings_of

from physiome.config.data import Dataset
from physiome.data.recording import RawRecord
from physiome.data.synthetic.nights import write_night
from physiome.files import canonical_json, write_json
from physiome.registry import METHODS
from physiome.steps import embed, probe, shard, train

NIGHTS = 5
HOURS = 0.2  # 24 windows
ROLES = {"pretrain": ["s0"], "train": ["s1", "s2", "s3"], "test": ["s4"]}
CHANNELS = {"fpz": "EEG Fpz-Cz", "pz": "EEG Pz-Oz", "eog": "EOG horizontal"}
CLASSES = ["W", "N1", "N2", "N3", "REM"]
TEXTS = {"W": "W", "1": "N1", "2": "N2", "3": "N3", "4": "N3", "R": "REM"}
DATASET: dict[str, Any] = {
    "title": "Nights", "source": {"kind": "recordings", "folder": "x"}, "batches": 1,
    "modalities": {
        m: {"channel": name, "unit": "uV", "low": -2000.0, "high": 2000.0, "min_sd": 0.1}
        for m, name in CHANNELS.items()
    },
    "classes": CLASSES,
    "window": {"length_s": 30.0, "rate_hz": 100.0, "lowpass_hz": 40.0},
    "labels": {
        "rule": "annotations", "texts": {f"Sleep stage {k}": v for k, v in TEXTS.items()},
        "unscored": ["Sleep stage ?", "Movement time"],
    },
}  # fmt: skip
UNTRAINED = {"epochs": 0, "batch": 8, "learning_rate": 1.0e-3}


class Nights:
    """Recordings, shards and folds in `folder`; `model(name)` embeds, fits heads and scores."""

    def __init__(self, folder: Path, dataset: dict[str, Any] | None = None):
        self.folder, self.dataset = folder, Dataset.parse(dataset or DATASET)
        records = []
        for i in range(NIGHTS):
            files = [folder / f"n{i}-{kind}.edf" for kind in ("PSG", "Hypnogram")]
            write_night(*files, record=f"n{i}", subject=f"s{i}", hours=HOURS, seed=1)
            records.append(RawRecord(f"n{i}", f"s{i}", str(files[0]), str(files[1])).plain())
        self.recording = folder / "n4-PSG.edf"  # of the test subject
        write_json(folder / "raw.json", {"dataset": "nights", "records": records})
        text = canonical_json(self.dataset.shard_settings())
        shard.run(settings=text, raw=folder / "raw.json", folder=folder / "shard")
        write_json(folder / "folds.json", {"folds": [{"fold": 1, **ROLES}]})

    def model(self, name: str, seed: int = 0, subsets: list[str] | None = None) -> dict[str, Path]:
        """What `predict` is given, and `scores`; `weights` only if the method has some."""
        place = self.folder / f"{name}.{seed}.{len(subsets or [])}"
        found = {"heads": place / "scores.heads.npz", "scores": place / "scores.parquet"}
        weights = place / "m.safetensors" if METHODS[name].trains else None
        if weights:
            found["weights"] = weights
        if found["heads"].exists():
            return found
        shards, folds = [self.folder / "shard"], self.folder / "folds.json"
        plain = settings_of(name) | {
            "dataset": "nights",
            "name": name,
            "base": name,
            "modalities": list(self.dataset.modalities),
            "leads": {
                m: len(s.lead_names) for m, s in self.dataset.modalities.items() if s.lead_names
            },
            "window": DATASET["window"],
            "method": SECTIONS[name],
            "classes": CLASSES,
        }
        if weights:
            text = canonical_json({**plain, "train": {**UNTRAINED, "seed": seed}})
            train.run(text, shards, folds, 1, [], weights)
        text = canonical_json({**plain, "batch": 16, "subsets": subsets})
        embed.run(text, shards, folds, 1, place / "rows.npy", weights)
        heads = '{"paper_head": null, "strengths": [0.01], "centred": "record", "context_s": 60}'
        probe.run(heads, place / "rows.npy", found["scores"])
        return found

    def altered(
        self,
        name: str,
        drop: str | None = None,
        flat: dict[str, slice] | None = None,
        gains: dict[str, float] | None = None,
    ):
        """A copy of the test night: without a channel, samples held constant, another gain."""
        edf = edfio.read_edf(self.recording)
        if drop is not None:
            edf.drop_signals([drop])
        for channel, samples in (flat or {}).items():
            signal = edf.get_signal(channel)
            data = np.array(signal.data)
            data[samples] = 10.0
            signal.update_data(data)
        for channel, gain in (gains or {}).items():
            signal = edf.get_signal(channel)
            signal.update_data(gain * np.array(signal.data))
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        edf.write(path)
        return path
