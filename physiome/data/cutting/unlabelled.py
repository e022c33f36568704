"""A recording of one's own, cut into the windows that a trained model expects, without labels."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from physiome.config.data import ShardSettings
from physiome.config.modality import Lead, Modality, lead_keys
from physiome.data.cutting.cut import Cut, cut_windows
from physiome.data.cutting.picking import Pick, pick_channels
from physiome.data.formats import open_reader
from physiome.data.recording import RawRecord
from physiome.errors import DataError, PhysioError, nearest


def cut_unlabelled(
    path: Path, settings: ShardSettings, channels: Mapping[str, str], wanted: Sequence[str]
) -> Cut:
    """All whole windows of a recording, from its beginning to its end; see `cut_windows`.

    Args:
        settings: what the model's own recordings were cut with.
        channels: modality, or `modality/lead`, -> name of its channel, where it differs from the
            settings.
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
        if not any(name.strip().lower() == k.strip().lower() for k in known):
            raise DataError(
                f"no channel {name!r} for {modality}", where=path, do=nearest(name, known)
            )
    try:
        found, _ = pick_channels(reader, settings)
    except DataError as error:
        raise DataError(
            error.what, where=path, why=error.why, do="name one with --map modality=CHANNEL"
        ) from None
    _refuse_shared(path, found)
    return cut_windows(RawRecord(path.stem, path.stem, str(path)), reader, settings)


def parse_map(pairs: Sequence[str], keys: Sequence[str]) -> dict[str, str]:
    """`["eog=EOG left", "eeg/F3=C3"]` -> {"eog": "EOG left", "eeg/F3": "C3"}.

    Args:
        keys: modalities, and leads as `modality/lead` (see `carriers`).

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
    if not modality.lead_names:
        if name not in channels:
            return modality
        return modality.model_copy(update={"channel": channels[name], "aliases": ()})
    leads = tuple(
        Lead(channel=channels[key], name=lead.label, minus=lead.minus) if key in channels else lead
        for key, lead in lead_keys(name, modality).items()
    )
    return modality.model_copy(update={"channels": leads})


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
