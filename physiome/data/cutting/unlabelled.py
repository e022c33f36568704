"""A recording of one's own, cut into the windows that a trained model expects, without labels."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from physiome.config.data import Modality, ShardSettings
from physiome.data.cutting.channels import pick_channels
from physiome.data.cutting.cut import Cut, cut_windows
from physiome.data.formats import open_reader
from physiome.data.recording import Channel, RawRecord
from physiome.errors import DataError, PhysioError, nearest


def cut_unlabelled(
    path: Path, settings: ShardSettings, channels: Mapping[str, str], wanted: Sequence[str]
) -> Cut:
    """All whole windows of a recording, from its beginning to its end; see `cut_windows`.

    Args:
        settings: what the model's own recordings were cut with.
        channels: modality -> name of its channel, where it differs from the settings.
        wanted: modalities to use; those of `channels` are among them.

    Raises:
        DataError: the file is damaged, shorter than a window, lacks a channel of `channels`, or
            has none of the wanted channels.
    """
    changed = {m: _renamed(settings.modalities[m], channels.get(m)) for m in wanted}
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


def parse_map(pairs: Sequence[str], modalities: Sequence[str]) -> dict[str, str]:
    """`["eog=EOG left"]` -> {"eog": "EOG left"}.

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
                do=f"e.g. --map {modalities[0]!r}=NAME",
            )
        if modality not in modalities:
            raise PhysioError(
                f"unknown modality {modality!r}",
                where=f"--map {pair!r}",
                do=nearest(modality, modalities),
            )
        if modality in found:
            raise PhysioError(f"{modality} is mapped twice", where=f"--map {pair!r}")
        found[modality] = channel
    return found


def _renamed(modality: Modality, channel: str | None) -> Modality:
    if channel is None:
        return modality
    return modality.model_copy(update={"channel": channel, "aliases": ()})


def _refuse_shared(path: Path, found: Mapping[str, Channel]) -> None:
    """One channel as two modalities is a slip of the map, and would pass unseen."""
    carries: dict[str, str] = {}
    for modality, channel in found.items():
        if channel.name in carries:
            raise DataError(
                f"channel {channel.name!r} would be both {carries[channel.name]} and {modality}",
                where=path,
                do="correct --map, or leave one out with --modalities",
            )
        carries[channel.name] = modality
