"""Whether recordings hold what a data set asks for: told by the headers of some of them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from physiome.config.data import AnnotationLabels, ColumnLabels, ShardSettings
from physiome.config.modality import Lead, carriers, lead_keys
from physiome.config.tree import Config
from physiome.data.cutting.channel_kinds import candidates
from physiome.data.cutting.labels import read_scoring
from physiome.data.cutting.picking import find_channel
from physiome.data.formats import holds_annotations, open_reader, read_annotations
from physiome.data.recording import Channel, RawRecord, Reader
from physiome.data.sources.kinds import open_source, parse_settings
from physiome.doctor import enough
from physiome.doctor.finding import Finding
from physiome.doctor.stored import raw_lists
from physiome.errors import DataError, PhysioError, nearest
from physiome.files import read_json

ENOUGH = 4  # recordings, if they have every channel between them
IN_TABLE = "of the records table"
PATIENCE_S = 8.0  # after which no further file is opened


@dataclass
class Headers:
    """What the headers of some recordings of a data set say.

    Attributes:
        records: of the data set, those without their files left out.
        opened: whose headers were read.
        unreadable: reasons why others were not.
        names: of every channel.
        lacking: lead -> the channel that it lacks, its own or the one that is subtracted from it,
            and another that may be meant, "" if none: leads that no recording that was opened has.
        units: lead -> (channel, unit) of those that have one.
        annotated: of those opened, recordings with annotations.
        unscored: what leaves some of these out for their annotations, and what to do.
        whole: of those opened, recordings with a wanted channel and, where classes are of
            annotations, with these too.
        seconds: of all recordings, at the mean length of those opened.
        longest_s: the longest of those opened.
    """

    records: list[RawRecord]
    opened: list[RawRecord] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    lacking: dict[str, tuple[str, str]] = field(default_factory=dict)
    units: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    annotated: int = 0
    unscored: list[tuple[str, str]] = field(default_factory=list)
    whole: int = 0
    seconds: float = 0.0
    longest_s: float = 0.0

    @property
    def told(self) -> str:
        """How many were opened: `4 of 36 recordings`."""
        return f"{len(self.opened)} of {len(self.records)} recordings"

    @property
    def all_opened(self) -> bool:
        """Whether none is left that could be otherwise."""
        return len(self.opened) + len(self.unreadable) == len(self.records)


def recordings(config: Config, dataset: str) -> tuple[list[RawRecord], list[str]]:
    """Recordings whose files are there, before or after they were fetched; and what others lack.

    Raises:
        PhysioError: the table of records is not in order.
    """
    lists = raw_lists(config, dataset)
    if config.datasets[dataset].source.kind == "recordings":
        source = open_source(parse_settings(config.records_settings(dataset), "{}"))
        found = source.fill(source.records())
    else:
        told = [read_json(path, "records")["records"] for path in lists]
        found = [RawRecord(**record) for records in told for record in records]
    usable = [r for r in found if r.problem is None and Path(r.signals).is_file()]
    return usable, [r.problem.replace(r.record, "*") for r in found if r.problem is not None]


def _all_there(config: Config, dataset: str) -> bool:
    """Whether no recording is still to be fetched."""
    spec = config.datasets[dataset]
    return spec.source.kind == "recordings" or len(raw_lists(config, dataset)) == spec.batches


def read(records: list[RawRecord], settings: ShardSettings) -> Headers:
    """Open recordings, spread over all, until what is asked for was found or time is up."""
    leads, began, seconds = carriers(settings.modalities), monotonic(), 0.0
    found = Headers(records, lacking={key: (lead.channel, "") for key, lead in leads.items()})
    for record in _spread(records):
        if monotonic() - began > PATIENCE_S:
            break
        there = found.whole and enough.is_one_fit(settings, found.units, found.longest_s)
        if len(found.opened) >= ENOUGH and not found.lacking and there:
            break
        try:
            reader = open_reader(Path(record.signals))
            channels = reader.channels()
            annotated = record.annotations is not None or holds_annotations(record.signals)
        except DataError as error:
            found.unreadable.append(str(error).replace(record.record, "*"))
            continue
        found.opened.append(record)
        found.names |= channels.keys()
        found.annotated += annotated
        if annotated and isinstance(settings.labels, AnnotationLabels):
            found.unscored += _unscored(record, settings.labels, settings.classes, reader)
        absent = {key: _absent(lead, channels) for key, lead in leads.items()}
        carrying = {k: find_channel(leads[k], channels) for k, name in absent.items() if not name}
        found.whole += bool(carrying) and (annotated or not _by_annotations(settings))
        seconds += reader.duration_s
        found.longest_s = max(found.longest_s, reader.duration_s)
        for key, channel in carrying.items():
            if channel:
                found.units.setdefault(key, set()).add((channel.name, channel.unit))
        for key in [*found.lacking]:
            if key in carrying:
                del found.lacking[key]
            elif near := candidates(absent[key], channels.values()):
                found.lacking[key] = absent[key], near[0]
            elif not found.lacking[key][1]:
                found.lacking[key] = absent[key], ""
    found.seconds = seconds / max(1, len(found.opened)) * len(records)
    return found


def _unscored(
    record: RawRecord, rule: AnnotationLabels, classes: Sequence[str], reader: Reader
) -> Iterator[tuple[str, str]]:
    """What the shard step would have against a record's annotations."""
    path = record.annotations or record.signals
    try:
        read_scoring(read_annotations(path)[0], rule, classes, reader.duration_s, path)
    except DataError as error:
        yield error.what, error.do
    except OSError as error:  # a file that was fetched may be gone
        yield f"annotation file: {error.strerror}", "fetch it again, or let it be read"


def _absent(lead: Lead, channels: Mapping[str, Channel]) -> str:
    """The channel without which nothing carries the lead; "" if it has what it needs."""
    if find_channel(lead, channels) is None:
        return lead.channel
    reference = lead.minus is not None and find_channel(Lead(channel=lead.minus), channels) is None
    return str(lead.minus) if reference else ""


def _spread(records: list[RawRecord]) -> list[RawRecord]:
    """First some from all over, then the others."""
    first = range(0, len(records), max(1, len(records) // ENOUGH))
    return [records[i] for i in first] + [r for i, r in enumerate(records) if i not in first]


def findings(config: Config, dataset: str) -> tuple[list[Finding], float | None]:
    """What is wrong with a data set's recordings; and their seconds in all, as far as known."""
    try:
        records, problems = recordings(config, dataset)
    except PhysioError as error:
        return [Finding("FAIL", "records", str(error))], None
    lines = [*_missing(dataset, records, problems)]
    if not records:
        return lines, None
    settings = ShardSettings.parse_text(config.shard_settings(dataset), "shard settings")
    found = read(records, settings)
    lines += _unreadable(dataset, found)
    if found.opened:
        lines += [*_channels(dataset, settings, found), *_labels(dataset, settings, found)]
        every = found.all_opened
        lines += enough.units(dataset, settings, found.units, every)
        lines += enough.lengths(dataset, settings, found.longest_s, found.told, every)
    if _all_there(config, dataset):
        lines += enough.subjects(config, dataset, [record.subject for record in records])
    if found.opened and not lines:
        text = f"{dataset}: {found.told} opened, their channels and labels are there"
        lines = [Finding("ok", "recordings", text)]
    return lines, found.seconds or None


def _missing(dataset: str, records: list[RawRecord], problems: list[str]) -> Iterator[Finding]:
    if problems:
        reason, count = Counter(problems).most_common(1)[0]
        text = f"{dataset}: {len(problems)} of {len(records) + len(problems)} records cannot be "
        text += f"used; most often ({count}): {reason}"
        yield Finding("warn" if records else "FAIL", "records", text)


def _unreadable(dataset: str, found: Headers) -> Iterator[Finding]:
    if found.unreadable:
        reason, count = Counter(found.unreadable).most_common(1)[0]
        text = f"{dataset}: {len(found.unreadable)} recordings cannot be read; most often "
        text += f"({count}): {reason}"
        yield Finding("warn" if found.opened else "FAIL", "recordings", text)


def _channels(dataset: str, settings: ShardSettings, found: Headers) -> Iterator[Finding]:
    for modality, spec in settings.modalities.items():
        keys = lead_keys(modality, spec)
        lacking = [key for key in keys if key in found.lacking]
        if not lacking:
            continue
        whole = len(lacking) == len(keys)
        wanted = [found.lacking[key][0] for key in lacking]
        names = " or ".join(map(repr, dict.fromkeys(wanted)))
        text = f"{dataset}: no channel {names} for {modality} in {found.told}"
        yield Finding(
            "FAIL" if whole and found.all_opened else "warn",
            "channels",
            text + (": nothing can be learned of it" if whole else ""),
            _instead(found, lacking, wanted),
        )


def _instead(found: Headers, lacking: Iterable[str], wanted: list[str]) -> str:
    near = [found.lacking[key][1] for key in lacking if found.lacking[key][1]]
    if near:
        return f"did you mean {near[0]!r}? (known: {', '.join(sorted(found.names))})"
    return nearest(wanted[0], found.names)


def _labels(dataset: str, settings: ShardSettings, found: Headers) -> Iterator[Finding]:
    rule, by_annotations = settings.labels, _by_annotations(settings)
    if by_annotations and found.annotated and not found.whole:
        yield Finding(
            "FAIL",
            "labels",
            f"{dataset}: no recording has both a channel that is asked for and annotations, in "
            f"{found.told}",
            f"name each recording's file of annotations in the column annotations {IN_TABLE}",
        )
    if by_annotations and not found.annotated:
        yield Finding(
            "FAIL",
            "labels",
            f"{dataset}: no annotations in {found.told}, and no files of theirs",
            f"name each recording's in the column annotations {IN_TABLE}, or take labels from a "
            "column (labels.rule: column)",
        )
    if found.unscored:
        (what, do), count = Counter(found.unscored).most_common(1)[0]
        text = f"{dataset}: {found.told} opened, annotations leave {len(found.unscored)} of them "
        text += f"out; most often ({count}): {what}"
        every = found.all_opened and len(found.unscored) == len(found.opened)
        yield Finding("FAIL" if every else "warn", "labels", text, do)
    if isinstance(rule, ColumnLabels):
        columns = found.opened[0].columns
        if rule.column not in columns:
            text = f"{dataset}: the records table has no column {rule.column!r}"
            yield Finding("FAIL", "labels", text, nearest(rule.column, columns))
            return
        yield from _unknown_labels(dataset, rule, found.records)


def _unknown_labels(
    dataset: str, rule: ColumnLabels, records: list[RawRecord]
) -> Iterator[Finding]:
    """Values of the column that stand for no class: their records are left out."""
    values = [record.columns.get(rule.column, "") for record in records]
    unknown = Counter(value for value in values if value not in rule.texts)
    if unknown:
        value, count = unknown.most_common(1)[0]
        text = (
            f"{dataset}: {unknown.total()} of {len(records)} records have no label that is known "
        )
        text += f"in column {rule.column!r}; most often ({count}): {value!r}"
        known = f"labels.texts knows {', '.join(map(repr, rule.texts))}"
        all_of_them = unknown.total() == len(records)
        yield Finding("FAIL" if all_of_them else "warn", "labels", text, known)


def _by_annotations(settings: ShardSettings) -> bool:
    return isinstance(settings.labels, AnnotationLabels)
