"""A small training by the real step, moments at which to disturb it, and disks without room."""

import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from small import settings_of
from tiny import NAMES
from tinyshards import tiny_store

from physiome.files import canonical_json, write_json
from physiome.steps import pretrain
from physiome.training import loop
from physiome.training.checkpoint import read_weights

FOLD = {"pretrain": ["s0", "s1", "s2"], "train": ["s3", "s4"], "test": ["s5"]}
EPOCHS = 3
STEPS = 9  # three epochs of three batches


def write_place(folder: Path) -> Path:
    """Shards and folds to train on."""
    tiny_store(folder, windows=24)
    write_json(folder / "folds.json", {"folds": [{"fold": 1, **FOLD}]})
    return folder


def settings(epochs: int = EPOCHS, **changes) -> str:
    """Settings of the step `pretrain`."""
    found = settings_of("physiome")
    training = {"epochs": epochs, "batch": 4, "learning_rate": 1.0e-3, **changes}
    shape = {"dataset": "d", "modalities": NAMES, "window": found["window"]}
    return canonical_json({**shape, "encoder": found["encoder"], "pretrain": training})


def train(place: Path, output: Path, text: str | None = None) -> Path:
    """Run the step `pretrain`, saving progress after every step; return `output`."""
    shards = [place / "shard0", place / "shard1"]
    pretrain.run(
        text or settings(),
        shards,
        place / "folds.json",
        1,
        "a",
        output,
        device="cpu",
        save_every_s=0.0,
    )
    return output


def command(place: Path, output: Path, text: str | None = None) -> list[str]:
    """Arguments of `physiome` that do the same."""
    return [
        "pretrain",
        "--settings",
        text or settings(),
        "--folds",
        str(place / "folds.json"),
        "--fold",
        "1",
        "--modality",
        "a",
        "--output",
        str(output),
        "--device",
        "cpu",
        "--save-every-s",
        "0",
        *(str(place / f"shard{n}/manifest.json") for n in (0, 1)),
    ]


def same_weights(found: Path, expected: Path) -> bool:
    """Whether two files hold the same tensors, bit for bit."""
    ours, theirs = read_weights(found)[0], read_weights(expected)[0]
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


@contextmanager
def at_step(number: int, deed: Callable[[], None]) -> Iterator[None]:
    """Do something in the `number`-th step that is taken, before its progress is saved."""
    steps = []

    class Disturbed(loop.Reporter):
        def step(self, segments, loss, epoch, note=""):
            steps.append(1)
            if len(steps) == number:
                deed()
            super().step(segments, loss, epoch, note)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "Reporter", Disturbed)
        yield
    assert len(steps) >= number, "the moment never came"


def power_cut() -> None:
    """Fail as nothing in the project does."""
    raise RuntimeError("power cut")


def files_below(folder: Path) -> dict[str, bytes]:
    """Path below the folder -> content."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name != "filler")
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


class Disk:
    """A folder whose disk can be exhausted."""

    def __init__(self, folder: Path, limited: bool):
        self.folder, self.limited = folder, limited

    def exhaust(self, left: int = 0) -> None:
        """Leave room for so many more bytes (or: in each file)."""
        if self.limited:
            hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            resource.setrlimit(resource.RLIMIT_FSIZE, (left, hard))
            return
        found = os.statvfs(self.folder)
        with open(self.folder / "filler", "wb") as file:
            file.write(bytes(max(found.f_bavail * found.f_bsize - left, 0)))

    def make_room(self) -> None:
        """The reverse."""
        (self.folder / "filler").unlink(missing_ok=True)
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A tmpfs of 32 MB mounted on `folder`; needs root."""
    mounting = ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mounting, capture_output=True).returncode:
        pytest.skip("a small disk can only be mounted by root")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
