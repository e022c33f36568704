"""What a recording holds and what each data set would make of it, by the code that cuts it."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from physiome.config.data import AnnotationLabels, ColumnLabels, ShardSettings
from physiome.config.modality import carriers, lead_keys
from physiome.data.cutting.channel_kinds import candidates
from physiome.data.cutting.cut import cut_windows
from physiome.data.cutting.labels import SLACK_S
from physiome.data.cutting.picking import find_channel
from physiome.data.formats import holds_annotations, open_reader, read_annotations
from physiome.data.recording import Annotation, Channel, RawRecord, Reader, moment_of
from physiome.data.report import Report
from physiome.errors import DataError
from physiome.inspect.propose import propose
from physiome.inspect.stages import stages_of

PSG, HYPNOGRAM = "-PSG.edf", "-Hypnogram.edf"
Listed = Mapping[str, Mapping[Path, RawRecord]]  # data set -> absolute path of a recording -> it


def look(
    path: Path, settings: Mapping[str, ShardSettings], listed: Listed | None = None
) -> dict[str, Any]:
    """What a file holds and what each data set would make of it, as JSON data.

    A file that cannot be read has the keys `file` and `error` only.

    Args:
        listed: what tables of records say of it: its annotations, and columns of labels.
    """
    known = {name: records.get(path.resolve()) for name, records in (listed or {}).items()}
    try:
        reader = open_reader(path)
        channels = reader.channels()
        annotations = _named(known.values()) or _annotation_file(path)
        scored = read_annotations(annotations)[0] if annotations else []
    except DataError as error:
        return {"file": str(path), "error": str(error)}
    return {
        "file": str(path),
        "duration_s": reader.duration_s,
        "start": _moment(reader.start),
        "channels": [
            {"name": c.name, "rate_hz": c.rate_hz, "unit": c.unit} for c in channels.values()
        ],
        "annotation_file": str(annotations) if annotations else None,
        "annotations_s": _seconds(scored),
        "annotations_overlap": _overlaps(scored),
        "notes": list(reader.notes),
        "use": {
            name: _use(known.get(name) or _alone(path, annotations), reader, one)
            for name, one in settings.items()
            if channels
        },
        "proposal": propose(channels),
    }


def _named(records: Iterable[RawRecord | None]) -> Path | None:
    """The first file of annotations that is named."""
    return next((Path(r.annotations) for r in records if r and r.annotations), None)


def _alone(path: Path, annotations: Path | None) -> RawRecord:
    """The record of a file that no table names."""
    return RawRecord(path.stem, path.stem, str(path), str(annotations) if annotations else None)


def _moment(start: float | None) -> str | None:
    moment = moment_of(start)
    return None if moment is None else moment.strftime("%Y-%m-%d %H:%M:%S")


def _annotation_file(path: Path) -> Path | None:
    """The file itself if its annotations are a staging or the only ones that last; or that beside.

    A recorder writes marks and events of its own, and scorers another file.
    """
    own = holds_annotations(path)
    lasting = _lasting(path) if own else []
    beside = None if stages_of(lasting) else _beside(path)
    if beside and (not lasting or stages_of(_lasting(beside))):
        return beside
    return path if own else None


def _lasting(path: Path) -> list[str]:
    """Texts of annotations that last."""
    return [text for text, s in _seconds(read_annotations(path)[0]).items() if s > 0]


def _beside(path: Path) -> Path | None:
    """The hypnogram of a cassette night; of others the one EDF file of annotations alone that has
    the recording's name and one word more.
    """
    if path.name.endswith(PSG):
        record = _record(path, PSG)
        near = sorted(path.parent.glob(f"*{HYPNOGRAM}"))
        return next((other for other in near if _record(other, HYPNOGRAM) == record), None)
    named = re.compile(re.escape(path.stem) + r"[-_. ][^\W\d_]+\.(edf|EDF)")
    near = sorted(other for other in path.parent.iterdir() if named.fullmatch(other.name))
    alone = [other for other in near if _is_annotations_alone(other)]
    return alone[0] if len(alone) == 1 else None


def _is_annotations_alone(path: Path) -> bool:
    try:
        return not open_reader(path).channels() and holds_annotations(path)
    except DataError:
        return False


def _record(path: Path, ending: str) -> str:
    """What the two files of a cassette night share: all but the letters of recorder and scorer."""
    stem = path.name.removesuffix(ending)
    return stem[:6] + stem[8:]


def _seconds(annotations: Iterable[Annotation]) -> dict[str, float]:
    """Seconds of each annotation text."""
    seconds: dict[str, float] = {}
    for a in annotations:
        seconds[a.text] = seconds.get(a.text, 0.0) + a.duration_s
    return seconds


def _overlaps(annotations: Iterable[Annotation]) -> list[tuple[str, str]]:
    """Pairs of texts that last at the same time, as stages of sleep and events in them."""
    pairs, going = set(), list[Annotation]()
    for a in sorted((a for a in annotations if a.duration_s > 0), key=lambda a: a.onset_s):
        going = [b for b in going if b.onset_s + b.duration_s > a.onset_s + SLACK_S]
        pairs |= {(min(a.text, b.text), max(a.text, b.text)) for b in going if b.text != a.text}
        going.append(a)
    return sorted(pairs)


def _use(raw: RawRecord, reader: Reader, settings: ShardSettings) -> dict[str, Any]:
    """What the shard step would take, by the same code; without labels where there can be none."""
    labelled = True
    if isinstance(settings.labels, ColumnLabels):
        labelled = settings.labels.column in raw.columns
    if isinstance(settings.labels, AnnotationLabels):
        labelled = raw.annotations is not None or holds_annotations(raw.signals)
    if not labelled:
        settings = settings.model_copy(update={"labels": None})
    known = reader.channels()
    leads = carriers(settings.modalities)
    absent = [key for key, lead in leads.items() if not find_channel(lead, known)]
    map_ = _map(settings, absent, known)
    if len(absent) == len(leads):
        return {"left_out": "none of its channels is here", "map": map_}
    try:
        _, windows, report = cut_windows(raw, reader, settings)
    except DataError as error:
        parts = [error.what, error.why, error.do]
        return {"left_out": " - ".join(part for part in parts if part), "map": map_}
    has = windows[[f"has_{name}" for name in settings.modalities]].to_numpy(dtype=bool)
    drop = ~has.all(axis=1) if settings.incomplete_windows == "drop" else ~has.any(axis=1)
    labels = {name: int((windows["label"] == i).sum()) for i, name in enumerate(settings.classes)}
    return {
        "windows": len(windows),
        "window_s": settings.window.length_s,
        "dropped": int(drop.sum()),
        "labels": labels | {"none": int((windows["label"] < 0).sum())} if labelled else None,
        "modalities": {
            name: {
                **_found(lead_keys(name, modality), report),
                "carried": int(windows[f"has_{name}"].sum()),
                "lost": {k: n for k, n in report.lost[name].items() if n},
            }
            for name, modality in settings.modalities.items()
        },
        "implausible": report.implausible,
        "overhang_s": report.overhang_s,
        "notes": [note for note in report.notes if note not in reader.notes],
        "map": map_,
    }


def _found(keys: Iterable[str], report: Report) -> dict[str, str | None]:
    """The channels of a modality, in words, and what was looked for in vain."""
    channels = [report.channels[key].name for key in keys if key in report.channels]
    absent = [report.absent[key] for key in keys if key in report.absent]
    return {"channel": ", ".join(channels) or None, "absent": "; ".join(absent) or None}


def _map(
    settings: ShardSettings, absent: list[str], channels: Mapping[str, Channel]
) -> dict[str, dict[str, Any]]:
    """Aliases that would give each absent modality of one channel another of the same kind."""
    aliases = {}
    for name in (n for n in absent if n in settings.modalities):
        (lead,) = settings.modalities[name].leads
        near = candidates(lead.channel, channels.values())
        if near:
            aliases[name] = {"aliases": [*lead.aliases, near[0]]}
    return aliases
