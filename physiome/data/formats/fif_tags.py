"""The tags of a FIF file, walked before any of them is decoded.

The decoder reads as many bytes as a tag claims to have, wherever the directory says one begins.
Source: the FIFF format as MNE documents it: big-endian kind, type, size, next, then the data.
"""

import struct
from pathlib import Path

from physiome.errors import DataError

FETCH = "fetch the file again"
HEAD = struct.Struct(">iIii")
FILE_ID, DIRECTORY = 100, 102  # kinds of tags


def check_fif(path: Path) -> None:
    """Refuse a file whose tags reach beyond it, or whose directory points between them.

    Raises:
        DataError: naming the place of the first such tag.
    """
    size = path.stat().st_size
    begins, directories = set(), []
    with open(path, "rb") as file:
        place = 0
        while place >= 0 and place < size:
            file.seek(place)
            head = file.read(HEAD.size)
            if len(head) < HEAD.size:
                raise _damaged(path, place, "the file ends within a tag")
            kind, _, length, following = HEAD.unpack(head)
            if not begins and kind != FILE_ID:
                raise DataError("not a FIF file", where=path, why=f"it begins with {head[:8]!r}")
            if length < 0 or place + HEAD.size + length > size:
                raise _damaged(
                    path, place, f"{length} bytes said, {size - place - HEAD.size} there"
                )
            begins.add(place)
            if kind == DIRECTORY:
                directories.append(file.read(length))
            if following > 0 and following in begins:
                raise _damaged(path, place, "tags go round in a circle")
            place = place + HEAD.size + length if following == 0 else following
    for listed in directories:
        for kind, _, _, at in HEAD.iter_unpack(listed[: len(listed) // 16 * 16]):
            if kind != -1 and at not in begins:
                raise _damaged(path, at, "its directory names a tag where none begins")
    if not begins:
        raise DataError("file is empty", where=path, do=FETCH)


def _damaged(path: Path, place: int, why: str) -> DataError:
    return DataError("FIF file is damaged", where=path, why=f"at byte {place}: {why}", do=FETCH)
