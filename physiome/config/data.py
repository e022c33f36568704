"""Data sets: which channels of which recordings are used, how windows are labelled."""

from collections.abc import Collection, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PositiveFloat, PositiveInt, model_validator

from physiome.config.base import Spec
from physiome.config.modality import Modality, Name, carriers
from physiome.config.sources import Source
from physiome.config.subsets import Choice, scored_subsets
from physiome.config.window import Window

Share = Annotated[float, Field(ge=0.0, le=1.0)]
NonNegative = Annotated[float, Field(ge=0.0)]


def _lasting(given: Any) -> Any:
    number = isinstance(given, int | float) and not isinstance(given, bool) and given > 0
    if not (number or given in (None, "next")):
        raise ValueError("write a number of seconds above 0, or next")
    return given


class AnnotationLabels(Spec):
    """Classes from annotation texts, e.g. sleep stages.

    `margin_class` is kept for at most `margin_s` before the first and after the last window of any
    other class (the customary 30 minutes of wake around sleep).
    """

    rule: Literal["annotations"]
    texts: dict[str, str]  # annotation text -> class
    unscored: tuple[str, ...] = ()
    # What annotations of a class without a duration last: seconds, or until the next one
    lasts: Annotated[PositiveFloat | Literal["next"] | None, BeforeValidator(_lasting)] = None
    margin_class: str | None = None
    margin_s: NonNegative = 1800.0
    max_overhang_s: NonNegative | None = (
        None  # annotations may outlast the signals by this; null: any
    )
    max_shortfall_s: NonNegative | None = (
        None  # signals may outlast the annotations by this; null: any
    )

    def require_fit(self, classes: Collection[str], modalities: Mapping[str, Modality]) -> None:
        """Refuse a data set that lacks a class which the rule gives."""
        _require_classes(self.texts, classes)
        if self.margin_class not in (None, *classes):
            raise ValueError(f"labels.margin_class {self.margin_class!r} is not a class")


class HypotensionLabels(Spec):
    """Class 1 if pressure stays low for a while inside a span that begins `gap_s` after the window.

    Low: every moving average over `mean_s` is below `threshold_mmhg`, for a stretch of at least
    `sustained_s` inside the `span_s` label span.

    `dense`: windows also carry the mean pressure of the label span, a target for every window
    where events are rare.
    """

    rule: Literal["hypotension"]
    pressure: Name = "abp"
    threshold_mmhg: PositiveFloat = 65.0
    mean_s: PositiveFloat = 2.0
    gap_s: NonNegative = 0.0
    span_s: PositiveFloat = 300.0
    sustained_s: PositiveFloat = 60.0
    dense: bool = False

    @model_validator(mode="after")
    def _stretch_fits_span(self) -> "HypotensionLabels":
        if self.sustained_s > self.span_s:
            raise ValueError(f"sustained_s {self.sustained_s} is longer than span_s {self.span_s}")
        if self.mean_s > self.sustained_s:
            raise ValueError(f"mean_s {self.mean_s} is longer than sustained_s {self.sustained_s}")
        return self

    def require_fit(self, classes: Collection[str], modalities: Mapping[str, Modality]) -> None:
        """Refuse a data set without the pressure, or with other than two classes."""
        if self.pressure not in modalities:
            raise ValueError(f"labels.pressure {self.pressure!r} is not a modality")
        unit = modalities[self.pressure].unit
        if unit.replace(" ", "").casefold() not in ("", "mmhg"):
            raise ValueError(
                f"labels.threshold_mmhg is in mmHg, the pressure {self.pressure!r} in {unit!r}"
            )
        if modalities[self.pressure].lead_names:
            raise ValueError(f"labels.pressure {self.pressure!r} must be a single channel")
        if len(classes) != 2:
            raise ValueError("the hypotension rule needs exactly two classes")


class ColumnLabels(Spec):
    """One class per recording, from a column of the records table."""

    rule: Literal["column"]
    column: str
    texts: dict[str, str]  # value in the column -> class

    def require_fit(self, classes: Collection[str], modalities: Mapping[str, Modality]) -> None:
        """Refuse a data set that lacks a class which the rule gives."""
        _require_classes(self.texts, classes)


# Each with `require_fit`: what a data set must have for it
Labels = Annotated[AnnotationLabels | HypotensionLabels | ColumnLabels, Field(discriminator="rule")]


class Quality(Spec):
    """When a window does not carry a modality."""

    max_gap_s: NonNegative = 1.0  # longer gaps are not interpolated
    max_flat_s: PositiveFloat = 5.0  # a longer constant run is a detached sensor
    max_clipped: Share = 0.05  # share of samples held at the window's extreme: saturation
    max_outside: Share = 0.05  # share of samples outside [low, high]


class Dataset(Spec):
    """One data set, from its source to labelled windows."""

    title: str
    paper_table: PositiveInt | None = None  # the paper's table with its results; null: own table
    source: Source
    batches: PositiveInt
    modalities: dict[Name, Modality] = Field(min_length=1)
    classes: tuple[str, ...] = Field(min_length=2)
    window: Window
    labels: Labels
    methods: tuple[str, ...] | None = None  # columns of its table; null: those of all data sets
    # Scored subsets of modalities: all; {per_size, seed}; names. null: all of up to 4 modalities
    subsets: Choice = None
    quality: Quality = Quality()
    incomplete_windows: Literal["keep", "drop"] = "keep"  # windows without all modalities
    strict_channels: bool = False  # a record without a wanted channel: error instead of missing
    strict_rates: bool = False  # a channel not at window.rate_hz: error instead of resampling
    max_left_out: Share = 0.2  # share of records that may be unusable

    @model_validator(mode="after")
    def _labels_fit_classes(self) -> "Dataset":
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("classes are not distinct")
        _refuse_shared_channels(self.modalities)
        scored_subsets(self.subsets, tuple(self.modalities))  # refuses what cannot be
        self.labels.require_fit(self.classes, self.modalities)
        return self

    @model_validator(mode="after")
    def _lowpass_below_nyquist(self) -> "Dataset":
        lowpass, rate = self.window.lowpass_hz, self.window.rate_hz
        if lowpass is not None and lowpass >= rate / 2:
            raise ValueError(f"window.lowpass_hz {lowpass} is not below half of rate_hz {rate}")
        return self

    @property
    def made_up(self) -> bool:
        """Whether its recordings are synthetic: beside them published figures say nothing."""
        return bool(self.source.plain().get("raw", {}).get("fill") == "synthetic")

    @cached_property
    def scored(self) -> tuple[str, ...] | None:
        """Names of the subsets that are scored, in order; None: all there are."""
        return scored_subsets(self.subsets, tuple(self.modalities))

    def shard_settings(self) -> dict[str, Any]:
        """What sharding depends on, `ShardSettings`: no title, and nothing that is made of it."""
        fields = set(ShardSettings.model_fields) - {"modalities"}
        settings = self.model_dump(mode="json", include=fields)
        settings["modalities"] = {m: spec.job_settings() for m, spec in self.modalities.items()}
        if not settings["labels"].get("dense"):
            settings["labels"].pop("dense", None)  # what is not asked for changes no shard
        return settings | {"kind": self.source.kind}


def _require_classes(texts: Mapping[str, str], classes: Collection[str]) -> None:
    foreign = set(texts.values()) - set(classes)
    if foreign:
        raise ValueError(f"labels.texts names classes that do not exist: {sorted(foreign)}")


def _refuse_shared_channels(modalities: dict[str, Modality]) -> None:
    """One channel under two names would be two modalities that never differ."""
    owner: dict[str, str] = {}
    for name, lead in carriers(modalities).items():
        for channel in lead.names:
            if channel in owner and owner[channel] != name:
                both = f"{owner[channel]} and {name}"
                raise ValueError(f"modalities {both} are both channel {channel!r}")
            owner[channel] = name


class ShardSettings(Spec):
    """What a shard job reads of a data set."""

    kind: str
    modalities: dict[Name, Modality] = Field(min_length=1)
    classes: tuple[str, ...] = Field(min_length=2)
    window: Window
    labels: Labels | None  # None: a recording to be scored, which has none
    quality: Quality
    incomplete_windows: Literal["keep", "drop"]
    strict_channels: bool
    strict_rates: bool
