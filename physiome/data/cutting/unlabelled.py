"""A recording of one's own, cut into the windows that a trained model expects, without labels."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from physiome.config.data import ShardSettings
from physiome.config.modality import Modality, carriers, lead_keys
from physiome.data.cutting.cut import Cut, cut_windows
from physiome.data.cutting.picking import Pick, pick_channels
from physiome.data.formats import open_reader
from physiome.data.recording import RawRecord
from physiome.errors import DataError, PhysioError, nearest

MINUS = "/minus"  # behind a key of the map: the channel that is subtracted from that one
NOTHING = "none"  # in the place of that channel: the file holds the difference already


def cut_unlabelled(
    path: Path, settings: ShardSettings, channels: Mapping[str, str], wanted: Sequence[str]
) -> Cut:
    """All whole windows of a recording, from its beginning to its end; see `cut_windows`.

    Args:
        settings: what the model's own recordings were cut with.
        channels: one of `map_keys` -> name of its channel, where it differs from the settings.
        wanted: modalities to use; those of `channels` are among them.

    Raises:
        DataError: the file is damaged, shorter than a window, lacks a channel of `channels`, or
            has none of the wanted channels.
    """
    changed = {m: _renamed(m, settings.modalities[m], channels) for m in wanted}
    settings = settings.model_copy(
        update={"modalities": changed, "labels": None, "strict_channels": False}
    )
    reader = open_reader(path)
    for modality, name in channels.items():
        known = reader.channels()
        if modality.endswith(MINUS) and name == NOTHING:
            continue
        if not any(name.strip().lower() == k.strip().lower() for k in known):
            raise DataError(
                f"no channel {name!r} for {modality}", where=path, do=nearest(name, known)
            )
    try:
        found, _ = pick_channels(reader, settings)
    except DataError as error:
        do = "name one with --map modality=CHANNEL"
        if any(lead.minus for lead in carriers(changed).values()):
            do += f", and its reference with modality{MINUS}=CHANNEL or {NOTHING}"
        raise DataError(error.what, where=path, why=error.why, do=do) from None
    _refuse_shared(path, found)
    return cut_windows(RawRecord(path.stem, path.stem, str(path)), reader, settings)


def map_keys(modalities: Mapping[str, Modality]) -> list[str]:
    """What a map can name: modalities, or leads as `modality/lead`; and of each what is subtracted.

    Example:
        >>> map_keys({"eeg": Modality(channel="C3", minus="M2")})
        ['eeg', 'eeg/minus']
    """
    leads = carriers(modalities)
    return [*leads, *(key + MINUS for key in leads)]


def parse_map(pairs: Sequence[str], keys: Sequence[str]) -> dict[str, str]:
    """`["eog=EOG left", "eeg/F3=C3"]` -> {"eog": "EOG left", "eeg/F3": "C3"}.

    Args:
        keys: what can be named, see `map_keys`.

    Raises:
        PhysioError: for something else, an unknown modality, or one that is named twice.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        modality, sign, channel = (part.strip() for part in pair.partition("="))
        if not (modality and sign and channel):
            raise PhysioError(
                "not modality=CHANNEL",
                where=f"--map {pair!r}",
                do=f"e.g. --map {keys[0]!r}=NAME",
            )
        if modality not in keys:
            raise PhysioError(
                f"unknown modality {modality!r}",
                where=f"--map {pair!r}",
                do=nearest(modality, keys),
            )
        if modality in found:
            raise PhysioError(f"{modality} is mapped twice", where=f"--map {pair!r}")
        found[modality] = channel
    return found


def _renamed(name: str, modality: Modality, channels: Mapping[str, str]) -> Modality:
    """The modality, with the channels that `channels` gives its leads."""
    leads = tuple(
        lead.model_copy(update={"name": lead.label, **_changes(key, channels)})
        for key, lead in lead_keys(name, modality).items()
    )
    alone = {"channel": None, "aliases": (), "minus": None}  # what one lead may have instead
    return modality.model_copy(update={**alone, "channels": leads})


def _changes(key: str, channels: Mapping[str, str]) -> dict[str, Any]:
    """Settings of the lead of that key."""
    found: dict[str, Any] = {}
    if key in channels:
        found |= {"channel": channels[key], "aliases": ()}
    if key + MINUS in channels:
        other = channels[key + MINUS]
        found["minus"] = None if other == NOTHING else other
    return found


def _refuse_shared(path: Path, found: Mapping[str, Pick]) -> None:
    """One channel as two modalities is a slip of the map, and would pass unseen."""
    carries: dict[str, str] = {}
    for key, pick in found.items():
        if pick.name in carries:
            raise DataError(
                f"channel {pick.name!r} would be both {carries[pick.name]} and {key}",
                where=path,
                do="correct --map, or leave one out with --modalities",
            )
        carries[pick.name] = key
