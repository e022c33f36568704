"""The seven subsets' heads of one fold at the paper's size, on epochs of 78 real people.

The embeddings are random: 15 features of each epoch, five of each modality, through 512
random units. They are as many, as wide and as hard to separate as learned ones. A head of the kind
`context` has twice as many columns: these less the mean of their recording, beside the mean of
their neighbours.
"""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from physiome.config.evaluation import ProbeSpec
from physiome.evaluation.centred import less_own_mean
from physiome.evaluation.context import with_neighbours
from physiome.evaluation.heads import Labelled, fit_logistic
from physiome.subsets import all_subsets
from tests.bench import common
from tests.bench.common import ROOT, Row

EPOCHS = "sleep-edfx/features/epochs.parquet"
MODALITIES = ("eeg_fpz_cz", "eeg_pz_oz", "eog")
WIDTH = 512  # Table 7
PEOPLE = 12  # a fifth of the 62 that a fold does not test
WORKERS = 2
REACH_S = 120.0  # of the neighbours


def epochs() -> Path:
    """The file of features: below the folder LEARN_DATA names, else beside the repository."""
    return Path(os.environ.get("LEARN_DATA", ROOT / "shared" / "data")) / EPOCHS


def rows(quick: bool) -> list[Row]:
    """Minutes and memory in a process of its own; `quick`: two people and one modality."""
    people, subsets = (2, 1) if quick else (PEOPLE, 7)
    what = "heads of one subset" if quick else "heads of seven subsets of one fold"
    name = f"{what}, {people} people, width {WIDTH}"
    if not epochs().exists():
        return [Row(name, f"skipped: {epochs()} is not there")]
    told = common.in_child("heads", people, subsets)
    chosen = " ".join(f"{c:g}" for c in told["strengths"])
    found = [
        *_took(name, told),
        Row(f"{name}: strengths", f"{told['windows']} windows; C {chosen}"),
    ]
    beside = common.in_child("heads", people, subsets, "context")
    return [*found, *_took(f"{name}, beside their neighbours", beside)]


def _took(name: str, told: dict) -> list[Row]:
    took = f"{told['minutes']:.1f} min, {told['cpu']:.1f} of CPU"
    return [
        Row(f"{name}: {WORKERS} processes", took),
        Row(f"{name}: peak memory", f"{told['peak_mb']:.0f} MB for each process"),
    ]


def measure(people: int, subsets: int, context: bool) -> dict:
    """Fit the heads of the last `subsets` subsets, side by side as the probe does."""
    table = pd.read_parquet(epochs())
    table = table[table["label"] >= 0]
    rng = np.random.default_rng(0)
    chosen = rng.choice(np.sort(table["subject"].unique()), people, replace=False)
    table = table[table["subject"].isin(chosen)]
    began = time.monotonic()
    jobs = [delayed(_fit)(table, s, context) for s in all_subsets(MODALITIES)[-subsets:]]
    done = list(Parallel(n_jobs=WORKERS)(jobs))
    return {
        "minutes": (time.monotonic() - began) / 60,
        "cpu": sum(part["cpu_s"] for part in done) / 60,
        "peak_mb": max(part["peak_mb"] for part in done),
        "strengths": [part["strength"] for part in done],
        "windows": len(table),
    }


def _fit(table: pd.DataFrame, subset: tuple[str, ...], context: bool) -> dict[str, float]:
    columns = [c for c in table if c.split(".")[0] in subset]
    x = table[columns].to_numpy(float)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    rng = np.random.default_rng(len(columns))
    weight = rng.normal(size=(len(columns), WIDTH)) / np.sqrt(len(columns))
    x = np.tanh(x @ weight + rng.uniform(-1, 1, WIDTH)).astype(np.float32)
    if context:
        records, onset_s = table["record"].to_numpy(str), table["onset_s"].to_numpy()
        x = with_neighbours(less_own_mean(x, records), records, onset_s, REACH_S)
    names, y = np.unique(table["label"], return_inverse=True)
    data = Labelled(x, y, table["subject"].to_numpy(str))
    began = time.process_time()
    _, choice = fit_logistic(data, tuple(map(str, names)), ProbeSpec(), "bench")
    cpu_s = time.process_time() - began
    return {"cpu_s": cpu_s, "peak_mb": common.peak_mb(), "strength": choice["strength"]}


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), int(sys.argv[2]), "context" in sys.argv[3:])))
