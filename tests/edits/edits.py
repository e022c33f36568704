"""Single edits, each a function of a tree and a random generator that says what it did."""

import os
import random
from collections.abc import Callable
from pathlib import Path

import yaml

from tests.faults.waves import EEG, EOG, noise, write

Edit = Callable[[Path, random.Random], str]

SETTINGS = [
    ("probe.max_iterations", [20, 40]), ("folds.seed", [1, 2, 3]), ("seed", [1, 2]),
    ("datasets.mine.window.lowpass_hz", [20.0, 30.0]), ("tables.decimals", [0, 3]),
    ("systems.crossl.train.learning_rate", [1.0e-4, 3.0e-3]),
    ("systems.crossl.keep", [0.3, 0.7]), ("datasets.mine.title", ["Other"]),
    ("datasets.mine.modalities.eeg.high", [150.0]), ("methods", [["handmade"], ["crossl"]]),
]  # fmt: skip


def table_cell(root: Path, rng: random.Random) -> str:
    """Another group or subject of one record, or one record less."""
    path = root / "mine" / "records.csv"
    head, *rows = [line.split(",") for line in path.read_text().splitlines()]
    row = rng.choice(rows)
    what = rng.choice(["group", "subject", "record"])
    if what == "group":
        row[2] = "sw"[row[2] == "s"]
    elif what == "subject":
        row[1] = rng.choice([r[1] for r in rows if r is not row])
    else:
        rows.remove(row)
    path.write_text("".join(",".join(line) + "\n" for line in [head, *rows]))
    return f"{what} of {row[0]} in records.csv"


def recording(root: Path, rng: random.Random) -> str:
    """One file replaced, by one of its size and an older time, damaged, deleted or touched."""
    path = rng.choice(sorted((root / "mine").glob("*.edf")))
    what, before = rng.choice(["replaced", "a byte", "deleted", "touched"]), path.stat()
    if what == "replaced":
        seed = rng.randrange(1000, 2000)
        write(path, {EEG: noise(seed, minutes=2), EOG: noise(seed + 1, minutes=2)})
        os.utime(path, ns=(before.st_mtime_ns, before.st_mtime_ns - 10**12))
    elif what == "a byte":
        flip(path, rng)
    elif what == "deleted":
        path.unlink()
    else:
        path.touch()
    return f"{path.name} {what}"


def setting(root: Path, rng: random.Random) -> str:
    """Another value of one key of the configuration."""
    key, values = rng.choice(SETTINGS)
    value, path = rng.choice(values), root / "mine.yaml"
    config = yaml.safe_load(path.read_text())
    section = config
    *parents, last = key.split(".")
    for name in parents:
        section = section.setdefault(name, {})
    section[last] = value
    path.write_text(yaml.safe_dump(config))
    return f"{key}: {value}"


def result(root: Path, rng: random.Random) -> str:
    """A byte of one result flipped, or the file cut, deleted or touched."""
    folders = ("raw", "shards", "folds", "models", "embeddings", "scores")
    files = [p for f in folders for p in sorted((root / "results" / f).rglob("*")) if p.is_file()]
    path, what = rng.choice(files), rng.choice(["a byte", "cut", "deleted", "touched"])
    if what == "a byte":
        flip(path, rng)
    elif what == "cut":
        path.write_bytes(path.read_bytes()[: rng.randrange(path.stat().st_size)])
    elif what == "deleted":
        path.unlink()
    else:
        path.touch()
    return f"{path.relative_to(root)} {what}"


def memory(root: Path, rng: random.Random) -> str:
    """Snakemake's memory lost, and one value of the configuration changed."""
    (root / ".snakemake").rename(root / "lost")
    return f"without .snakemake, {setting(root, rng)}"


def flip(path: Path, rng: random.Random) -> None:
    """Change one byte of a file."""
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


INPUTS: list[Edit] = [table_cell, recording, setting, memory]
RESULTS: list[Edit] = [result, result]  # as often as two of the others
