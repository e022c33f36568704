"""What embeddings say of themselves: the JSON beside them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from physiome.errors import DataError


@dataclass(frozen=True)
class EmbeddingFacts:
    """Whose embeddings these are, what they were made from, and which columns are whose.

    From `columns` on, fields are known only when the windows are embedded.

    Attributes:
        settings, train_settings: of the steps that embedded and trained.
        weights, weights_sha256: the model's identity and its file's sum; None without weights.
        shards, shard_settings: the shards' settings as a digest, and whole.
        restoration: see `physiome.evaluation.restoration.restoration_error`.
        examples: see `physiome.evaluation.restored_example.restored_examples`.
        departure, warnings: footnotes of the method's row in tables.
        columns: subset -> its first column, and one past its last.
        level_columns: how many of each subset's last columns are levels of signals.
        windows: number of rows.
        comparable: embeddings have one size and meaning for every subset.
        refused: subset -> why the method does not embed it.
        peak_gpu_bytes: that embedding took; 0 on a CPU.
        sha256: sums of the files beside it.
    """

    dataset: str
    fold: int
    method: str
    classes: list[str]
    settings: dict[str, Any] = field(default_factory=dict)
    train_settings: dict[str, Any] = field(default_factory=dict)
    weights: str | None = None
    weights_sha256: str | None = None
    shards: str | None = None
    shard_settings: dict[str, Any] | None = None
    restoration: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    examples: dict[str, dict[str, Any]] = field(default_factory=dict)
    departure: str = ""
    warnings: list[str] = field(default_factory=list)
    columns: dict[str, list[int]] = field(default_factory=dict)
    modalities: list[str] = field(default_factory=list)
    level_columns: int = 0
    windows: int = 0
    comparable: bool = True
    refused: dict[str, str] = field(default_factory=dict)
    peak_gpu_bytes: int = 0
    sha256: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, plain: Mapping[str, Any], where: object) -> Self:
        """From the JSON data of a file; the reverse of `plain`.

        Raises:
            DataError: the data do not say whose embeddings they are of.
        """
        try:
            return cls(**{f.name: plain[f.name] for f in fields(cls) if f.name in plain})
        except TypeError as error:
            raise DataError(
                "not the facts of embeddings",
                where=where,
                why=str(error),
                do="delete it and embed again",
            ) from None

    def plain(self) -> dict[str, Any]:
        """The facts as JSON data."""
        return asdict(self)
