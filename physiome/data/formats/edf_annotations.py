"""The annotation lists of EDF+ and BDF+ files, read byte by byte.

MNE looks for whatever resembles an annotation, also among samples, and passes over the rest in
silence, as over texts of several lines; and a list without its ends takes it time that grows with
the square of the size.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from physiome.data.formats.edf_header import ANNOTATIONS, FETCH, EdfHeader
from physiome.data.recording import Annotation
from physiome.errors import DataError

# One list (Kemp & Olivan 2003, section 2.2.2): onset, perhaps duration, texts, end. No text holds
# the bytes 0, 20 or 21, so that one pass decides.
NUMBER = rb"[0-9]{1,18}(?:\.[0-9]{0,18})?"  # a longer one is a time beyond any calendar
DRIFT_S = 0.05  # that data records may begin late or early by: no label moves a window for it
LIST = re.compile(rb"([+-]%b)(?:\x15(%b))?\x14((?:[^\x00\x14\x15]*\x14)+)\x00" % (NUMBER, NUMBER))


def list_annotations(path: str | Path, header: EdfHeader) -> list[Annotation]:
    """All annotations by onset, in seconds from the first sample; [] if the file has none.

    Texts are UTF-8; one that is not is taken for LATIN-1, which older programs write.

    Raises:
        DataError: naming the first data record where an annotation signal holds something else
            than whole lists, or that does not follow the one before it at once, or of a file
            that may have been interrupted (EDF+D) does not say so.
    """
    found, begin_s, timed, told = [], begins_s(path, header), -1, 0
    for record, onset_s, duration_s, texts in _lists(path, header):
        if record > timed and not texts[0]:  # the first list of every data record says its time
            _check_time(path, header, record, onset_s - begin_s)
            timed, told = record, told + 1
        found += [Annotation(onset_s - begin_s, duration_s, _decoded(t)) for t in texts if t]
    if header.may_pause and _has_signals(header) and told < header.records:
        kind = "BDF+" if header.sample_bytes == 3 else "EDF+"
        raise DataError(
            "the recording may be interrupted",
            where=path,
            why=f"it is {kind}D, and {header.records - told} of {header.records} data records "
            "do not say when they begin",
            do=f"convert it to a continuous {kind}C file",
        )
    return sorted(found, key=lambda a: a.onset_s)


def begins_s(path: str | Path, header: EdfHeader) -> float:
    """By what the first sample is later than the header, which knows whole seconds only.

    Raises:
        DataError: see `list_annotations`.
    """
    _, onset_s, _, texts = next(_lists(path, header), (0, 0.0, 0.0, [b""]))
    return 0.0 if texts[0] else onset_s


def _has_signals(header: EdfHeader) -> bool:
    return any(s.label != ANNOTATIONS for s in header.signals)


def _check_time(path: str | Path, header: EdfHeader, record: int, begin_s: float) -> None:
    """A file that was interrupted says so here, whatever its header is called."""
    due_s = record * header.record_s
    if _has_signals(header) and abs(begin_s - due_s) > DRIFT_S:
        raise DataError(
            "the recording is interrupted",
            where=path,
            why=f"data record {record + 1} begins at {begin_s:g} s, not at {due_s:g} s",
            do="write its parts to files of their own, or fill the gap with missing samples",
        )


def _lists(path: str | Path, header: EdfHeader) -> Iterator[tuple[int, float, float, list[bytes]]]:
    """Data record, onset and duration in seconds, texts of each list; an empty text keeps time."""
    places, width = [], 0
    for signal in header.signals:
        if signal.label == ANNOTATIONS:
            places.append((width, header.sample_bytes * signal.samples))
        width += header.sample_bytes * signal.samples
    if not places:
        return
    first = 256 * (len(header.signals) + 1)
    with open(path, "rb") as file:
        for record in range(header.records):
            for place, length in places:
                file.seek(first + record * width + place)
                for found in _lists_of(path, record, file.read(length)):
                    yield record, *found


def _lists_of(
    path: str | Path, record: int, block: bytes
) -> Iterator[tuple[float, float, list[bytes]]]:
    text = block.rstrip(b"\x00")
    text += b"\x00" * (0 < len(text) < len(block))  # the end of the last list
    place = 0
    while place < len(text):
        found = LIST.match(text, place)
        if found is None:
            raise DataError(
                "annotations are damaged",
                where=path,
                do=FETCH,
                why=f"data record {record + 1}: {text[place : place + 40]!r}",
            )
        onset, duration, texts = found.groups()
        yield float(onset), float(duration or 0), texts.split(b"\x14")[:-1]
        place = found.end()


def _decoded(text: bytes) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")
