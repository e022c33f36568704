"""`.vital` files of Vital Recorder: verified to the last byte, then decoded by `vitaldb`.

The decoder returns shortened or altered samples for damaged files without an error, so the whole
gzip stream (length and CRC) and the chain of packets are checked before it sees the file.
"""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import vitaldb

from physiome.data.recording import Channel
from physiome.errors import DataError, nearest

FETCH = "fetch the file again"
WAVEFORM = 1  # track type
FLOATS = 2  # sample formats up to this one are floating point and carry no gain and offset
# What each integer sample format writes where there is no sample.
MISSING = {3: -128, 4: 255, 5: -32768, 6: 65535, 7: -(2**31), 8: 2**32 - 1}
LARGEST_PACKET = 1_000_000  # the decoder stops without a word at a longer one in unpacked files


class VitalReader:
    """A whole `.vital` file. See `physiome.data.recording.Reader`."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.files = (self.path,)
        self.notes: list[str] = []
        _verify(self.path)
        census: Any = vitaldb.VitalFile(str(self.path), header_only=True)
        self._tracks = {n: t for n, t in census.trks.items() if t.type == WAVEFORM and t.srate > 0}
        if census.dtend <= census.dtstart:
            raise DataError("file holds no records", where=self.path, do=FETCH)
        self.start: float | None = float(census.dtstart)
        self.duration_s = float(census.dtend - census.dtstart)

    def channels(self) -> dict[str, Channel]:
        """Waveform tracks by `device/track` name."""
        return {
            name: Channel(name, float(track.srate), track.unit, self.duration_s)
            for name, track in self._tracks.items()
        }

    def read(self, channel: str, start_s: float = 0.0, stop_s: float | None = None) -> np.ndarray:
        """Samples (n,) at the track's own rate; NaN wherever no record holds a sample.

        A record is placed by its time to the nearest sample.

        Raises:
            DataError: unknown track, or the decoder did not return it.
        """
        if channel not in self._tracks:
            raise DataError(
                f"no track {channel!r}", where=self.path, do=nearest(channel, self._tracks)
            )
        track = vitaldb.VitalFile(str(self.path), [channel]).trks.get(channel)
        if track is None:
            raise DataError(f"track {channel!r} cannot be decoded", where=self.path, do=FETCH)
        rate_hz, origin = float(track.srate), self.start or 0.0
        placed = [(round((r["dt"] - origin) * rate_hz), r["val"]) for r in track.recs]
        total = max([math.floor(self.duration_s * rate_hz)] + [i + len(v) for i, v in placed])
        first = max(0, round(start_s * rate_hz))
        last = total if stop_s is None else min(total, round(stop_s * rate_hz))
        samples = np.full(max(0, last - first), np.nan)
        for index, values in placed:
            left, right = max(index, first), min(index + len(values), last)
            if left < right:
                samples[left - first : right - first] = _physical(
                    values[left - index : right - index], track
                )
        return samples


def _physical(values: np.ndarray, track: Any) -> np.ndarray:
    """Record values in the track's unit, NaN for the format's mark of a missing sample."""
    physical = values.astype(np.float64)
    if track.fmt > FLOATS:
        missing = values == MISSING[track.fmt]
        physical = physical * track.gain + track.offset
        physical[missing] = np.nan
    physical[~(np.abs(physical) < 4e9)] = np.nan  # the recorder's mark in float tracks
    return physical


def _verify(path: Path) -> None:
    """Decompress everything once: kind, completeness, CRC, and packets that end where they should.

    Raises:
        DataError: one case each for an empty, foreign, cut or damaged file.
    """
    with open(path, "rb") as raw:
        magic = raw.read(2)
    if not magic:
        raise DataError("file is empty", where=path, do=FETCH)
    if magic != b"\x1f\x8b":
        raise DataError("not a .vital file", where=path, why="it is not gzip-compressed", do=FETCH)
    try:
        with gzip.GzipFile(path, "rb") as body:
            complete = _walk(path, body)
    except EOFError:
        raise DataError("file is cut", where=path, why="its gzip stream ends early",
                        do=FETCH) from None  # fmt: skip
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError("file is damaged", where=path, why=str(error), do=FETCH) from None
    if not complete:
        raise DataError("file is damaged", where=path, why="its last packet is cut", do=FETCH)


def _walk(path: Path, body: gzip.GzipFile) -> bool:
    """Step over every packet to the end of the stream; False if the last one is not whole."""
    head = body.read(10)
    if head[:4] != b"VITA":
        raise DataError("not a .vital file", where=path, do=FETCH,
                        why=f"its signature is {head[:4]!r}, not b'VITA'")  # fmt: skip
    if len(head) < 10:
        return False
    (header_length,) = struct.unpack_from("<H", head, 8)
    header = body.read(header_length)
    if len(header) < header_length:
        return False
    packed = header_length >= 27 and header[26] == 1
    while packet := body.read(5):
        if len(packet) < 5:
            return False
        (length,) = struct.unpack_from("<L", packet, 1)
        if not packed and length > LARGEST_PACKET:
            body.read()  # a damaged stream explains itself better
            raise DataError("file is damaged", where=path, why=f"a packet of {length} bytes")
        if not _skip(body, length):
            return False
    return True


def _skip(body: gzip.GzipFile, length: int, piece: int = 1 << 20) -> bool:
    """Read past `length` bytes in pieces; False if there are fewer."""
    while length > 0:
        got = len(body.read(min(length, piece)))
        if not got:
            return False
        length -= got
    return True
