"""The elements of a MAT file (version 5), walked before any of them is decoded.

The decoder reserves what a size or the dimensions claim, whatever the file holds, and dies of some
claims. Source: "MAT-File Format", The MathWorks, chapter 1 (level 5).
"""

import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from physiome.errors import DataError

FETCH = "fetch the file again"
HEADER = 128  # bytes
COMPRESSED, MATRIX = 15, 14
CHUNK = 1 << 20
DEEPEST = 32  # structures within each other
# Bytes of a number of each type; others hold none
SIZES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8, 16: 1, 17: 2, 18: 4}


def check_mat(path: Path) -> None:
    """Refuse a file whose elements do not lie within each other, or claim more than they hold.

    Raises:
        DataError: naming the place of the first such element.
    """
    size = path.stat().st_size
    with open(path, "rb") as file:
        head = file.read(HEADER)
        order = {b"IM": "<", b"MI": ">"}.get(head[126:128])
        if order is None:
            raise DataError(
                "not a MAT file of version 5",
                where=path,
                do="save it with -v7 (older and -v7.3 files cannot be read), or fetch it again",
            )
        place = HEADER
        while place < size:
            kind, length = struct.unpack(order + "II", _exactly(path, file, 8))
            if length > size - place - 8:
                raise _damaged(path, place, f"{length} bytes said, {size - place - 8} there")
            source = _inflated(path, file, length) if kind == COMPRESSED else _plain(file, length)
            stream = _Stream(path, source, order)
            if kind == COMPRESSED:
                kind, length = struct.unpack(order + "II", stream.read(8))
            if kind == MATRIX:
                _walk(stream, length, 0)
            stream.skip_rest()
            place = file.tell()


def _walk(stream: "_Stream", length: int, depth: int) -> None:
    """The elements within a matrix: flags, dimensions, name, then data or further matrices."""
    if depth > DEEPEST:
        raise _damaged(stream.path, stream.place, "too many structures within each other")
    end = stream.place + length
    number = 0
    while stream.place < end:
        kind, size, small = stream.tag()
        inside = size if small else size + -size % 8
        if stream.place + (4 if small else size) > end or (small and size > 4):
            raise _damaged(stream.path, stream.place, f"{size} bytes said, fewer there")
        if kind == MATRIX:
            _walk(stream, size, depth + 1)
            continue
        if kind not in SIZES:
            raise _damaged(stream.path, stream.place, f"there is no type {kind}")
        if number == 1:  # dimensions: everything has at least one byte
            found = stream.read(size)
            counts = struct.unpack(f"{stream.order}{size // 4}i", found[: size // 4 * 4])
            if min(counts, default=0) < 0 or math.prod(counts) > length:
                raise _damaged(stream.path, stream.place, f"dimensions {counts}")
            stream.skip((4 if small else inside) - size)
        else:
            stream.skip(4 if small else min(inside, end - stream.place))
        number += 1


def _damaged(path: Path, place: int, why: str) -> DataError:
    return DataError("MAT file is damaged", where=path, why=f"at byte {place}: {why}", do=FETCH)


class _Stream:
    """Bytes of one element, read from its beginning to its end."""

    def __init__(self, path: Path, source: Iterator[bytes], order: str):
        self.path, self.order, self.place = path, order, 0
        self._source, self._held = source, b""

    def read(self, count: int) -> bytes:
        while len(self._held) < count:
            more = next(self._source, b"")
            if not more:
                raise _damaged(self.path, self.place, "the element ends too early")
            self._held += more
        found, self._held = self._held[:count], self._held[count:]
        self.place += count
        return found

    def skip(self, count: int) -> None:
        while count > 0:
            part = min(count, CHUNK)
            self.read(part)
            count -= part

    def tag(self) -> tuple[int, int, bool]:
        """Type, bytes, and whether these lie in the tag's own second half."""
        first = self.read(4)
        (word,) = struct.unpack(self.order + "I", first)
        if word >> 16:
            return word & 0xFFFF, word >> 16, True
        (size,) = struct.unpack(self.order + "I", self.read(4))
        return word, size, False

    def skip_rest(self) -> None:
        self._held = b""
        for _ in self._source:
            pass


def _plain(file: BinaryIO, length: int) -> Iterator[bytes]:
    while length > 0 and (part := file.read(min(length, CHUNK))):
        length -= len(part)
        yield part


def _inflated(path: Path, file: BinaryIO, length: int) -> Iterator[bytes]:
    decoder = zlib.decompressobj()
    try:
        for part in _plain(file, length):
            while part:
                found, part = decoder.decompress(part, CHUNK), decoder.unconsumed_tail
                if found:
                    yield found
    except zlib.error as error:
        raise _damaged(path, file.tell(), str(error)) from None
    if not decoder.eof:
        raise _damaged(path, file.tell(), "a compressed element ends too early")


def _exactly(path: Path, file: BinaryIO, count: int) -> bytes:
    found = file.read(count)
    if len(found) < count:
        raise _damaged(path, file.tell(), "the file ends within an element")
    return found
