"""The annotation lists of EDF+ files, checked byte by byte before MNE searches them.

MNE looks for whatever resembles an annotation and passes over the rest in silence; and a list
without its ends takes it time that grows with the square of the size.
"""

import re
from pathlib import Path

from physiome.data.formats.edf_header import ANNOTATIONS, FETCH, EdfHeader
from physiome.errors import DataError

# One list (Kemp & Olivan 2003, section 2.2.2): onset, perhaps duration, texts, end. No text holds
# the bytes 0, 20 or 21, so that one pass decides.
LIST = re.compile(
    rb"[+-][0-9]+(?:\.[0-9]*)?(?:\x15[0-9]+(?:\.[0-9]*)?)?\x14(?:[^\x00\x14\x15]*\x14)+\x00"
)
# A time beyond any calendar would come out of the decoder as another one.
LONGEST_NUMBER = 20


def check_annotations(path: str | Path, header: EdfHeader) -> None:
    """Every annotation signal of every data record holds whole lists, and nothing else.

    Raises:
        DataError: naming the first data record that does not.
    """
    places, width = [], 0
    for signal in header.signals:
        if signal.label == ANNOTATIONS:
            places.append((width, 2 * signal.samples))
        width += 2 * signal.samples
    if not places:
        return
    first = 256 * (len(header.signals) + 1)
    with open(path, "rb") as file:
        for record in range(header.records):
            for place, length in places:
                file.seek(first + record * width + place)
                _check_lists(path, record, file.read(length))


def _check_lists(path: str | Path, record: int, block: bytes) -> None:
    text = block.rstrip(b"\x00")
    text += b"\x00" * (0 < len(text) < len(block))  # the end of the last list
    place = 0
    while place < len(text):
        found = LIST.match(text, place)
        if found is None or not _sound(found[0]):
            raise DataError(
                "annotations are damaged", where=path, do=FETCH,
                why=f"data record {record + 1}: {text[place : place + 40]!r}",
            )  # fmt: skip
        place = found.end()


def _sound(found: bytes) -> bool:
    numbers, _, texts = found.partition(b"\x14")
    try:
        texts.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\n" not in texts and all(len(n) <= LONGEST_NUMBER for n in numbers.split(b"\x15"))
