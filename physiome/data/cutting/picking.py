"""Which channels of a recording carry which modality, or which of its leads: found by name."""

from collections.abc import Mapping
from dataclasses import dataclass

from physiome.config.data import ShardSettings
from physiome.config.modality import Lead, carriers
from physiome.data.cutting.channel_kinds import candidates, kind_of
from physiome.data.recording import Channel, Reader
from physiome.data.report import Carrier
from physiome.errors import DataError, nearest


@dataclass(frozen=True)
class Pick:
    """The channel that carries a lead, and the one that is subtracted from it, if any."""

    channel: Channel
    minus: Channel | None = None

    @property
    def name(self) -> str:
        """As the file has it: `F3`, or `F3 - M2`."""
        return f"{self.channel.name} - {self.minus.name}" if self.minus else self.channel.name

    @property
    def carrier(self) -> Carrier:
        """Its entry in a report."""
        return Carrier(self.name, self.channel.rate_hz, self.channel.unit)


def find_channel(lead: Lead, known: Mapping[str, Channel]) -> Channel | None:
    """The channel of that lead: called exactly so, else but for case and blanks."""
    lowered = {name.strip().lower(): name for name in reversed([*known])}
    hits = [w for w in lead.names if w in known]
    hits += [lowered[w.strip().lower()] for w in lead.names if w.strip().lower() in lowered]
    return known[hits[0]] if hits else None


def _spelt_alike(lead: Lead, known: Mapping[str, Channel]) -> list[str]:
    """Channels called as the lead but for case and blanks, if none is called exactly so."""
    if any(name in known for name in lead.names):
        return []
    alike = ([n for n in known if n.strip().lower() == w.strip().lower()] for w in lead.names)
    return next((names for names in alike if names), [])


def pick_channels(
    reader: Reader, settings: ShardSettings
) -> tuple[dict[str, Pick], dict[str, str]]:
    """What carries each lead (see `carriers`), and for the others what was looked for.

    Raises:
        DataError: a channel is absent and `strict_channels` is set; or several have a lead's name
            but for case and blanks, and none has it exactly.
    """
    known = reader.channels()
    found: dict[str, Pick] = {}
    absent: dict[str, str] = {}
    lacked: list[str] = []
    for key, lead in carriers(settings.modalities).items():
        pick, lacking = _pick(key, lead, known, reader)
        if pick:
            found[key] = pick
            continue
        lacked.append(lacking)
        hint = _hint(lacking, known)
        behind = "" if lacking == lead.channel else f", which {lead.channel!r} is measured against"
        absent[key] = f"no channel {lacking!r}{behind}: {hint}"
        if settings.strict_channels:
            raise DataError(f"no channel {lacking!r} for {key}", where=reader.path, do=hint)
    if not found:
        wanted = ", ".join(map(repr, dict.fromkeys(lacked)))
        raise DataError(
            "none of the wanted channels is there",
            where=reader.path,
            why=f"no channel {wanted}; known: {', '.join(sorted(known)) or 'none'}",
        )
    return found, absent


def _pick(
    key: str, lead: Lead, known: Mapping[str, Channel], reader: Reader
) -> tuple[Pick | None, str]:
    """What carries the lead; or None, and the channel that it lacks."""
    picked: list[Channel] = []
    for wanted in (lead, *([Lead(channel=lead.minus)] if lead.minus else [])):
        alike = _spelt_alike(wanted, known)
        if len(alike) > 1:
            raise DataError(
                f"several channels could be {key}",
                where=reader.path,
                why=f"{', '.join(map(repr, alike))} differ in case or blanks only",
                do=f"give the one that is meant, as the file spells it, as the channel of {key}",
            )
        channel = find_channel(wanted, known)
        if channel is None:
            return None, wanted.channel
        picked.append(channel)
    return Pick(*picked), ""


def _hint(wanted: str, known: Mapping[str, Channel]) -> str:
    """A channel of the same kind, or one spelt alike if names tell no kind; and all there are."""
    alike = candidates(wanted, known.values())
    if kind_of(wanted) is None or not known:
        return nearest(wanted, known)
    names = ", ".join(sorted(known))
    return f"did you mean {alike[0]!r}? (known: {names})" if alike else f"known: {names}"
