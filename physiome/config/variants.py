"""Variants of methods, and tables made of them."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import Field, PositiveInt, field_validator

from physiome.config.base import Spec, deep_merge
from physiome.config.modality import Name
from physiome.subsets import Subset, parse_subset


class Variant(Spec):
    """A method with some settings changed, under a name of its own.

    `untrained`: its weights as they are before any training, those of its parents included.
    """

    of: str  # a registered method, or another variant
    title: str
    encoder: str | None = None  # another modality encoder
    method: dict[str, Any] = Field(default_factory=dict)  # changes to the method's section
    train: dict[str, Any] = Field(default_factory=dict)  # changes to its training
    untrained: bool = False

    def on(self, below: "Variant | None") -> "Variant":
        """This variant as changes to a registered method; `below`: the variant it is made of."""
        if below is None:
            return self
        return self.model_copy(
            update={
                "of": below.of,
                "encoder": self.encoder or below.encoder,
                "method": deep_merge(below.method, self.method),
                "train": deep_merge(below.train, self.train),
                "untrained": self.untrained or below.untrained,
            }
        )


def flattened(variants: Mapping[str, Variant]) -> dict[str, Variant]:
    """Variants of variants as variants of methods; one level deep.

    Raises:
        ValueError: for a variant of a variant of a variant.
    """
    for name, variant in variants.items():
        below = variants.get(variant.of)
        if below is not None and below.of in variants and below.of != variant.of:
            raise ValueError(f"{name} is of {variant.of}, which is of the variant {below.of}")
    return {name: v.on(variants.get(v.of)) for name, v in variants.items()}


class EncoderVariant(Spec):
    """A registered modality encoder with some settings changed, under a name of its own."""

    of: str
    settings: dict[str, Any] = Field(default_factory=dict)  # changes to encoders.<of>
    pretrain: dict[str, Any] = Field(default_factory=dict)  # changes to the section pretrain


class Ablation(Spec):
    """A table of variants on chosen subsets of one data set (the paper's Tables 3 to 6)."""

    dataset: Name
    title: str
    paper_table: PositiveInt | None = None
    rows: dict[str, str]  # method or variant -> title in this table; null takes a row out
    subsets: Annotated[tuple[str, ...], Field(min_length=1)]
    folds: PositiveInt | None = None  # the first n of the data set's folds; null: all

    @field_validator("rows", mode="before")
    @classmethod
    def _without_null(cls, rows: Any) -> Any:
        """A file of changes is merged over another, so it cannot leave a row out otherwise."""
        if isinstance(rows, Mapping):
            return {name: title for name, title in rows.items() if title is not None}
        return rows

    def parsed(self, modalities: Iterable[str]) -> list[Subset]:
        """The subsets as tuples of modalities in their order."""
        names = tuple(modalities)
        return [parse_subset(subset, names) for subset in self.subsets]
