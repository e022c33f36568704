"""Variants of methods, and tables made of them."""

from collections.abc import Iterable
from typing import Any

from pydantic import Field, PositiveInt

from physiome.config.base import Spec
from physiome.config.data import Name
from physiome.subsets import Subset, parse_subset


class Variant(Spec):
    """A registered method with some settings changed, under a name of its own."""

    of: str
    title: str
    encoder: str | None = None  # another modality encoder
    method: dict[str, Any] = Field(default_factory=dict)  # changes to the method's section
    train: dict[str, Any] = Field(default_factory=dict)  # changes to its training


class EncoderVariant(Spec):
    """A registered modality encoder with some settings changed, under a name of its own."""

    of: str
    settings: dict[str, Any] = Field(default_factory=dict)  # changes to the section encoder
    pretrain: dict[str, Any] = Field(default_factory=dict)  # changes to the section pretrain


class Ablation(Spec):
    """A table of variants on chosen subsets of one data set (the paper's Tables 3 to 6)."""

    dataset: Name
    title: str
    paper_table: PositiveInt | None = None
    rows: dict[str, str]  # method or variant -> title in this table
    subsets: tuple[str, ...]
    folds: PositiveInt | None = None  # the first n of the data set's folds; null: all

    def parsed(self, modalities: Iterable[str]) -> list[Subset]:
        """The subsets as tuples of modalities in their order."""
        names = tuple(modalities)
        return [parse_subset(subset, names) for subset in self.subsets]
