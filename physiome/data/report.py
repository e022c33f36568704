"""What became of one record: its entry in a shard's manifest."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

USED, LEFT_OUT = "used", "left_out"


@dataclass(frozen=True)
class Carrier:
    """The channel that carries a modality, as its file has it."""

    name: str
    rate_hz: float
    unit: str


@dataclass(frozen=True)
class Report:
    """What a recording held, what was made of it, and what was left out and why.

    A record that was left out has names, status, reason and `windows` 0, nothing else. The order
    of the fields is that of the manifest.

    Attributes:
        channels: modality -> its channel.
        absent: modality without a channel -> what was looked for.
        lost: modality -> reason -> number of windows that do not carry it.
        implausible: modality -> what is odd about its unit.
        notes: what is odd but harmless.
        overhang_s: how far annotations reach beyond the signals.
        files: name -> SHA-256.
        dropped: reason -> number of windows that were not kept.
        labels: class -> number of kept windows; `none`: without a label.
        windows: number of kept windows.
    """

    record: str
    subject: str
    status: str = USED
    reason: str = ""
    duration_s: float = 0.0
    channels: dict[str, Carrier] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    lost: dict[str, dict[str, int]] = field(default_factory=dict)
    implausible: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    overhang_s: float = 0.0
    files: dict[str, str] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    windows: int = 0

    @classmethod
    def left_out(cls, record: str, subject: str, reason: str) -> Self:
        """The report of a record that cannot be used."""
        return cls(record, subject, LEFT_OUT, reason)

    @classmethod
    def parse(cls, plain: Mapping[str, Any]) -> Self:
        """From a manifest's entry; the reverse of `plain`."""
        channels = {m: Carrier(**channel) for m, channel in plain.get("channels", {}).items()}
        return cls(**{**plain, "channels": channels})

    def plain(self) -> dict[str, Any]:
        """The entry as JSON data."""
        entry = asdict(self)
        if self.status == LEFT_OUT:
            return {k: entry[k] for k in ("record", "subject", "status", "reason", "windows")}
        return entry
