"""What carries a modality: one channel, or several leads; and what its values may look like."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt, model_validator

from physiome.config.base import Spec


def _plain(name: str) -> str:
    if not re.fullmatch("[a-z][a-z0-9_]*", name):
        raise ValueError("a name is of small letters, digits and _, and begins with a letter")
    return name


Name = Annotated[str, Field(max_length=60), AfterValidator(_plain)]
# Keys that only some modalities need: left out of a job's settings where nobody set them
RARE = ("channels", "min_leads", "reference", "minus")


class Lead(Spec):
    """One channel of a recording, or the difference of two."""

    channel: str
    name: str | None = None  # what the lead is called here; null: as the channel
    aliases: tuple[str, ...] = ()  # other names of the same channel
    minus: str | None = None  # the channel that is subtracted from it: its reference

    @property
    def label(self) -> str:
        """What it is called here."""
        return self.name or self.channel

    @property
    def names(self) -> tuple[str, ...]:
        """All it may be called in a file."""
        return self.channel, *self.aliases


class Modality(Spec):
    """One modality: the channel or the leads that carry it and what its values may look like.

    Example:
        >>> eeg = Modality(channels=("EEG F3", Lead(channel="EEG F4", aliases=("F4",))))
        >>> [lead.channel for lead in eeg.leads], eeg.lead_names
        (['EEG F3', 'EEG F4'], ('EEG F3', 'EEG F4'))
        >>> Modality(channel="EOG").lead_names
        ()
    """

    channel: str | None = None
    channels: tuple[str | Lead, ...] = ()  # its leads, instead of `channel`
    aliases: tuple[str, ...] = ()  # other names of `channel`
    minus: str | None = None  # the channel that is subtracted from `channel`
    reference: Literal["average"] | None = None  # of leads: the mean of those there is subtracted
    min_leads: PositiveInt = 1  # a window with fewer leads does not have this modality
    title: str = ""  # as printed in tables
    unit: str = ""  # unit of the shards; EDF voltages are converted to it
    low: float | None = None  # a lead with more than `quality.max_outside` samples of a window
    high: float | None = None  # outside [low, high] is not there in it
    min_sd: Annotated[float, Field(ge=0.0)] = 0.0  # with a smaller standard deviation it is flat
    max_jump: PositiveFloat | None = None  # largest step between two samples at window.rate_hz

    @model_validator(mode="after")
    def _one_channel_or_leads(self) -> "Modality":
        if (self.channel is None) == (not self.channels):
            raise ValueError("give either channel or channels")
        if self.channels and (self.aliases or self.minus):
            raise ValueError(
                "aliases and minus belong to each lead: channels: [{channel: F3, aliases: [F3-A2]}]"
            )
        if self.min_leads > len(self.leads):
            raise ValueError(f"min_leads {self.min_leads} of {len(self.leads)} channels")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"no value is above low {self.low} and below high {self.high}")
        if self.reference == "average" and self.min_leads < 3:
            raise ValueError("reference: average needs min_leads of at least 3")
        for what, names in (
            ("channel", [name for lead in self.leads for name in {*lead.names}]),
            ("lead", [lead.label for lead in self.leads]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{what} {twice[0]!r} is named twice")
        return self

    @property
    def leads(self) -> tuple[Lead, ...]:
        """Its leads in order; one for a single channel."""
        if self.channel is not None:
            return (Lead(channel=self.channel, aliases=self.aliases, minus=self.minus),)
        return tuple(Lead(channel=c) if isinstance(c, str) else c for c in self.channels)

    @property
    def lead_names(self) -> tuple[str, ...]:
        """Names of its leads, if it has several; of one channel none: it has no axis of leads."""
        return tuple(lead.label for lead in self.leads) if len(self.leads) > 1 else ()

    def job_settings(self) -> dict[str, Any]:
        """Plain data for a job, without title and without rare keys that nobody set."""
        plain = self.model_dump(mode="json", exclude={"title"})
        unset = {k for k in RARE if plain[k] == _plain_default(k)}
        unset |= {"channel"} if self.channel is None else set()
        return {k: v for k, v in plain.items() if k not in unset}


def _plain_default(key: str) -> Any:
    default = Modality.model_fields[key].default
    return list(default) if isinstance(default, tuple) else default


def carriers(modalities: Mapping[str, Modality]) -> dict[str, Lead]:
    """Every lead by its key: the modality's name, or `modality/lead` where it has several.

    Example:
        >>> carriers({"ecg": Modality(channel="II"), "eeg": Modality(channels=("F3", "F4"))}).keys()
        dict_keys(['ecg', 'eeg/F3', 'eeg/F4'])
    """
    return {key: lead for m, spec in modalities.items() for key, lead in lead_keys(m, spec).items()}


def lead_keys(name: str, modality: Modality) -> dict[str, Lead]:
    """As `carriers`, of one modality."""
    if not modality.lead_names:
        return {name: modality.leads[0]}
    return {f"{name}/{lead.label}": lead for lead in modality.leads}
