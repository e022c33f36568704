"""What tables, intervals, costs and figures depend on: written by the tree, read by their steps."""

import json
from collections.abc import Iterable, Mapping
from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from physiome.config.base import Spec
from physiome.config.metrics import PRINTED
from physiome.config.output import Metric, Shown
from physiome.registry import Scope
from physiome.subsets import Subset, named_subsets

ONE_HEAD = "one_head"  # what the probe calls the head that serves every subset
FLAGSHIP = "physiome"  # what figures are about, where it is a row


class MethodEntry(Spec):
    """How a method appears in tables."""

    title: str
    scope: Scope


def is_flagship(name: str, entry: MethodEntry) -> bool:
    """Whether a row is PhysioME or a variant of it, by its name or title; a control is not."""
    named = name == FLAGSHIP or name.startswith(f"{FLAGSHIP}_")
    return entry.scope != "control" and (named or entry.title.lower().startswith(FLAGSHIP))


def main_method(methods: Mapping[str, MethodEntry]) -> str:
    """The method that figures are about: PhysioME, else the last single one, else the last."""
    if FLAGSHIP in methods:
        return FLAGSHIP
    single = [name for name, entry in methods.items() if entry.scope == "single"]
    return (single or list(methods))[-1]


class ReportSettings(Spec):
    """Settings of a report. Not sorted as text: the order of rows and columns is meant."""

    dataset: str
    scored: tuple[str, ...] | None = None  # subsets that are scored, the full set first; null: all

    def text(self) -> str:
        """As JSON, a rule's `--settings`, without defaults that nobody set: they rerun nothing."""
        return json.dumps({k: v for k, v in self.plain().items() if k in self.model_fields_set})


class ShownSpec(ReportSettings):
    """Rows and columns that tables and figures have in common."""

    title: str
    modalities: dict[str, str]  # name -> title, in order
    methods: dict[str, MethodEntry] = Field(min_length=1)  # in order of columns
    head: str = "logistic"  # of figures and LaTeX tables; the CSV has all heads

    @property
    def subsets_scored(self) -> list[Subset]:
        """The subsets that are scored, the full set first."""
        return named_subsets(self.scored, tuple(self.modalities))

    def called(self, subset: Iterable[str]) -> str:
        """A subset as people read it."""
        return " + ".join(self.modalities[m] for m in subset)


class TableSpec(ShownSpec):
    """What a table shows."""

    paper_table: int | None = None  # the paper's table to compare with
    subsets: tuple[str, ...] | None = None  # shown, in order; null: all that are scored
    layout: Literal["subsets", "variants"] = "subsets"  # what the rows of the LaTeX table are
    metrics: Shown = PRINTED  # of LaTeX and the compact CSV; the long CSV has all
    more_if_unbalanced: bool = False  # also BALANCED, where one class holds most windows
    decimals: NonNegativeInt = 2


class FigureSpec(ShownSpec):
    """What the figures show."""

    metric: Metric = "acc"
    timeline_method: str | None = None  # what figures are about; null: see `main_method`
    resamples: PositiveInt = 2000  # of subjects, for intervals
    seed: NonNegativeInt = 0


class IntervalSpec(ReportSettings):
    """Which methods are compared with which, and how often subjects are drawn."""

    methods: tuple[str, ...] = Field(min_length=1)
    reference: str = "physiome"
    modalities: tuple[str, ...] = Field(min_length=1)
    head: str = "logistic"
    resamples: PositiveInt = 2000
    seed: NonNegativeInt = 0

    @property
    def subsets_scored(self) -> list[Subset]:
        """The subsets that are scored, the full set first."""
        return named_subsets(self.scored, self.modalities)


class CostSpec(ReportSettings):
    """Which methods are shown, and which models are trained before each."""

    methods: dict[str, str] = Field(min_length=1)  # name -> title, in order of rows
    folder: str = ""  # of the data set's models
    # method -> models that are trained before its own, below a fold's folder -> those folds
    ancestors: dict[str, dict[str, tuple[int, ...]]] = Field(default_factory=dict)


class SummaryTable(Spec):
    """A table on the page that a run opens with, and the files it is made of."""

    title: str
    long: str  # .long.csv
    modalities: dict[str, str] = Field(default_factory=dict)  # name -> title, of its data set
    intervals: str | None = None
    figures: tuple[str, ...] = ()  # .svg


class SummarySpec(Spec):
    """The page that a run opens with."""

    results: str
    head: str
    tables: tuple[SummaryTable, ...]
    records: dict[str, str]  # title of a data set -> what became of its records, .csv

    def text(self) -> str:
        """As JSON; the order of tables is meant."""
        return json.dumps(self.plain())
