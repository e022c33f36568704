"""What a trained model says of itself: the JSON inside and beside its weights."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from physiome.config.agreement import Owner
from physiome.errors import DataError, PhysioError
from physiome.files import read_json


@dataclass(frozen=True)
class Summary:
    """What a training took, and where it ended."""

    epochs: int
    asked_epochs: int  # fewer than `epochs` where these would not have been `least_steps`
    steps: int
    seconds: float
    segments_per_s: float
    peak_gpu_bytes: int
    device: str
    precision: str
    parameters: int
    trained_parameters: int
    final_loss: dict[str, float]


@dataclass(frozen=True)
class Manifest:
    """Whose weights these are, what they were made from, and what that took.

    Attributes:
        name: of the method, or the modality of an encoder.
        role: of the subjects that were learned from, pretrain or train.
        settings: all that the result depends on besides data and code, as the step had them.
        shards: digest of the shards' settings.
        data: digest of the windows trained on.
        code: digest of the modules that trained.
        identity: digest of all these.
        monitor: see `physiome.training.monitor.Monitor.report`.
        peak_rss_bytes, cpu_s: of the process.
    """

    dataset: str
    fold: int
    name: str
    role: str
    settings: dict[str, Any]
    shards: str | None
    data: str
    code: str
    identity: str
    training: Summary
    monitor: dict[str, Any]
    torch: str
    host: str
    peak_rss_bytes: int
    cpu_s: float

    @classmethod
    def parse(cls, plain: Any, where: object) -> Self:
        """From the JSON data of a file; the reverse of `plain`.

        Raises:
            DataError: naming the first key that is missing.
        """
        try:
            training = Summary(**_chosen(Summary, plain["training"]))
            return cls(**{**_chosen(cls, plain), "training": training})
        except (KeyError, TypeError) as error:
            raise DataError(
                "not the manifest of a trained model",
                where=where,
                why=f"it lacks {error}" if isinstance(error, KeyError) else str(error),
                do="train the model again",
            ) from None

    @property
    def owner(self) -> Owner:
        """Data set, fold and name."""
        return Owner(self.dataset, self.fold, self.name)

    def plain(self) -> dict[str, Any]:
        """The manifest as JSON data."""
        return asdict(self)


def peak_gpu_bytes(device: str, before: int = 0) -> int:
    """The most that a job took of a GPU so far; `before`: that its earlier processes took."""
    import torch  # plans and tables read manifests without it

    return max(before, torch.cuda.max_memory_allocated()) if device == "cuda" else before


def training_peaks(output: Path, settings: Mapping[str, Any]) -> Iterator[int]:
    """What trainings of other folds took at most of a GPU that had all these settings, in bytes."""
    for path in other_folds(output.with_suffix(".json")):
        try:
            found = Manifest.parse(read_json(path), path)
        except PhysioError:
            continue  # it is being written, or of another version
        if all(found.settings.get(key) == value for key, value in settings.items()):
            yield found.training.peak_gpu_bytes


def other_folds(path: Path) -> list[Path]:
    """The same file of other folds, where there is one: `fold1/a.json` -> `fold2/a.json`, ..."""
    fold = next((p for p in path.parents if re.fullmatch(r"fold\d+", p.name)), None)
    if fold is None or not fold.parent.is_dir():
        return []
    others = (p / path.relative_to(fold) for p in fold.parent.iterdir() if p != fold)
    return sorted(p for p in others if p.is_file())


def _chosen(cls: type, plain: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a class's fields; others, of another version, are passed over."""
    return {field.name: plain[field.name] for field in fields(cls)}
