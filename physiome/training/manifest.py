"""What a trained model says of itself: the JSON inside and beside its weights."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from physiome.config.agreement import Owner
from physiome.errors import DataError


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


def _chosen(cls: type, plain: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a class's fields; others, of another version, are passed over."""
    return {field.name: plain[field.name] for field in fields(cls)}
