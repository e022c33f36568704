"""What is tortured: two real steps on a small synthetic set, each a process of its own."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open

from physiome.config.tree import load_files
from physiome.files import file_digest
from physiome.steps import fetch, folds, records, shard

ROOT = Path(__file__).resolve().parents[2]
OVERLAYS = ("config.yaml", "workflow/overlays/demo.yaml", "tests/workflow/small.yaml")
DATASET, MODALITY = "sleep_edf", "eog"
# A record of these is no part of the result: no two runs share them.
MEASURED = ("host", "peak_rss_bytes", "cpu_s")
TIMED = ("seconds", "segments_per_s")


@dataclass(frozen=True)
class Job:
    """A command line, and the folder that it alone writes to."""

    name: str
    command: tuple[str, ...]
    folder: Path

    def clear(self) -> None:
        """Remove everything that it wrote."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def leftovers(self) -> list[Path]:
        """Temporary files of a killed run."""
        return sorted(self.folder.rglob("*.tmp"))

    def result(self) -> dict[str, str]:
        """File below the folder -> hash of what counts in it."""
        paths = sorted(path for path in self.folder.rglob("*") if path.is_file())
        return {str(path.relative_to(self.folder)): _digest(path) for path in paths}

    def differences(self, expected: dict[str, str]) -> list[str]:
        """Names of files that are not as expected, leftovers included."""
        found = self.result()
        names = found.keys() | expected.keys()
        return sorted(name for name in names if found.get(name) != expected.get(name))


def _digest(path: Path) -> str:
    """SHA-256 of a file; of a model all but what was measured while it trained."""
    if path.suffix == ".safetensors":
        return _weights_digest(path)
    if path.suffix == ".json":
        return _facts_digest(json.loads(path.read_text(encoding="utf-8")))
    return file_digest(path)


def _weights_digest(path: Path) -> str:
    """Of every tensor's name, type, shape and bytes, and of the manifest inside."""
    summed = hashlib.sha256()
    with safe_open(path, framework="numpy") as file:
        for name in sorted(file.keys()):
            values: np.ndarray = file.get_tensor(name)
            summed.update(f"{name} {values.dtype} {values.shape}".encode())
            summed.update(values.tobytes())
        summed.update(_facts_digest(json.loads(file.metadata()["manifest"])).encode())
    return summed.hexdigest()


def _facts_digest(facts: dict[str, Any]) -> str:
    kept = {key: value for key, value in facts.items() if key not in MEASURED}
    if "training" in kept:
        kept["training"] = {k: v for k, v in kept["training"].items() if k not in TIMED}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def start(job: Job) -> subprocess.Popen:
    """Begin a job as the leader of a process group of its own."""
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        job.command,
        cwd=ROOT,
        env=alone,
        start_new_session=True,
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def run_whole(job: Job) -> str:
    """Run a job to its end; what it logged.

    Raises:
        RuntimeError: if it fails.
    """
    process = start(job)
    _, log = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{job.name} ended with {process.returncode}:\n{log}")
    return log


def killed_after(job: Job, seconds: float) -> bool:
    """Run a job and kill its process group after some time; False if it was done before."""
    process = start(job)
    time.sleep(seconds)
    too_late = process.poll() is not None
    if not too_late:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return not too_late


def prepare(folder: Path) -> list[Job]:
    """Make synthetic recordings, shards and folds; the jobs to torture on them."""
    config = load_files([ROOT / name for name in OVERLAYS])
    spec, paths = config.datasets[DATASET], [folder / f"raw{b}.json" for b in range(2)]
    source = json.loads(config.records_settings(DATASET)) | {"folder": str(folder / "raw")}
    transfer = config.transfer_settings(DATASET)
    records.run(json.dumps(source), folder / "records.csv", transfer)
    for batch, path in enumerate(paths):
        fetch.run(json.dumps(source), folder / "records.csv", batch, len(paths), path, transfer)
        shards = folder / f"shard{batch}"
        shard.run(settings=config.shard_settings(DATASET), raw=path, folder=shards)
    shards = [folder / f"shard{b}" for b in range(2)]
    divided = folder / "folds.json"
    folds.run(config.folds_settings(DATASET), shards, divided, folder / "folds.records.csv")
    settings = json.loads(config.pretrain_settings(DATASET, 1, "dp_neuronet"))
    settings["pretrain"] |= {"epochs": 3, "batch": 16}
    assert spec.batches == len(paths)
    return [_training(folder, settings, shards, divided), _sharding(folder, config, paths[0])]


def _training(folder: Path, settings: dict[str, Any], shards: list[Path], divided: Path) -> Job:
    command = [
        "pretrain",
        "--settings",
        json.dumps(settings),
        "--folds",
        divided,
        "--fold",
        1,
        "--modality",
        MODALITY,
        "--output",
        folder / "model" / f"{MODALITY}.safetensors",
        "--device",
        "cpu",
        "--save-every-s",
        0.1,
        *(path / "manifest.json" for path in shards),
    ]
    return Job("training", _physiome(command), folder / "model")


def _sharding(folder: Path, config: Any, raw: Path) -> Job:
    settings = config.shard_settings(DATASET)
    command = [
        "shard",
        "--settings",
        settings,
        "--raw",
        raw,
        "--folder",
        folder / "cut",
        "--workers",
        2,
    ]
    return Job("sharding", _physiome(command), folder / "cut")


def _physiome(arguments: list[Any]) -> tuple[str, ...]:
    return (sys.executable, "-m", "physiome", *map(str, arguments))
