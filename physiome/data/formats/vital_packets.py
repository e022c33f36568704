"""The packets of a `.vital` file, stepped over once: which tracks it holds and how many samples.

Never more than a piece of a packet is held, whatever lengths the file claims, and what no recording
needs is refused before a decoder is handed it: a stream that unpacks to far more than a day of
every waveform, times years apart, tracks that are almost nothing but gaps.
"""

import io
import math
import struct
from dataclasses import dataclass, field
from pathlib import Path

from physiome.errors import DataError

FETCH = "fetch the file again"
TRACK, RECORD, DEVICE, RAW = 0, 1, 9, 10  # packet types
WAVEFORM = 1  # track type
WIDTHS = {1: 4, 2: 8, 3: 1, 4: 1, 5: 2, 6: 2, 7: 4, 8: 4}  # bytes of a sample, by format
PIECE = 1 << 20  # bytes read at once
LARGEST_PACKET = 1_000_000  # the decoder stops without a word at a longer one in unpacked files
LARGEST_BODY = 4 * 10**9  # bytes unpacked; a day of 20 waveforms of 500 Hz in 32 bits is 3.5e9
LARGEST_RAW = 256 << 20  # bytes of raw device output, which the decoder keeps in memory
MOST_PACKETS = 20_000_000  # a day of 100 tracks with one packet a second is 8.6e6
LONGEST_S = 31 * 86400.0
MOST_SAMPLES = 200_000_000  # of one track; a day of 2 kHz is 1.7e8
PLACES_PER_SAMPLE = 1000  # a track may have
PLACES_FREE = 10_000_000  # any track may have, however few its samples


@dataclass
class Track:
    """What the packets say about one track."""

    kind: int
    width: int  # bytes of a sample
    unit: str
    rate_hz: float
    records: int = 0
    samples: int = 0


@dataclass
class Census:
    """All tracks by `device/track` name, and the time from the first to the last record."""

    start_s: float = 0.0  # since the epoch
    stop_s: float = 0.0
    tracks: dict[str, Track] = field(default_factory=dict)


class Cut(Exception):
    """The stream ends inside a packet."""


def take_census(path: Path, body: io.BufferedIOBase) -> Census:
    """Step over every packet of the unpacked stream `body`.

    Raises:
        DataError: not a `.vital` stream, a packet that contradicts itself, a limit exceeded.
        Cut: the last packet is not whole.
    """
    walk = _Walk(path)
    packed = walk.header(body)
    packets, unpacked, raw = 0, 0, 0
    while lead := body.read(5):
        if len(lead) < 5:
            raise Cut
        kind, length = struct.unpack("<BL", lead)
        packets, unpacked, raw = packets + 1, unpacked + 5 + length, raw + length * (kind == RAW)
        if not packed and length > LARGEST_PACKET:
            _refuse(path, f"a packet of {length} bytes")
        if unpacked > LARGEST_BODY or raw > LARGEST_RAW or packets > MOST_PACKETS:
            _refuse(path, f"it unpacks to {unpacked} bytes or more, in {packets} packets")
        piece = body.read(min(length, PIECE))
        if len(piece) < min(length, PIECE):
            raise Cut
        try:
            walk.packet(kind, piece, length)
        except (struct.error, IndexError):
            _refuse(path, f"a packet of type {kind} and {length} bytes is too short")
        _skip(body, length - len(piece))
    return walk.finished()


def is_sparse(track: Track, duration_s: float) -> bool:
    """Whether a track is nothing but gaps, for which no memory is laid out: 18 s in ten hours."""
    places = duration_s * track.rate_hz
    return PLACES_FREE + PLACES_PER_SAMPLE * track.samples < places <= MOST_SAMPLES


def check_size(path: Path, name: str, track: Track, duration_s: float) -> None:
    """Refuse a track whose samples and places in time are out of all proportion.

    Raises:
        DataError: saying how many samples there are, and how many there is room for.
    """
    places = duration_s * track.rate_hz
    if places > MOST_SAMPLES or track.samples > PLACES_FREE + 2 * places:
        raise DataError(
            f"track {name!r} has an impossible rate or length",
            where=path,
            do=FETCH,
            why=f"{track.samples} samples in {duration_s:g} s at {track.rate_hz:g} Hz",
        )


class _Walk:
    """Adds one packet after another to a census."""

    def __init__(self, path: Path):
        self._path, self._census = path, Census()
        self._devices: dict[int, str] = {}
        self._names: dict[int, str] = {}  # track number -> name

    def header(self, body: io.BufferedIOBase) -> bool:
        """Read the file's header; True for a packed file, whose packets may be long."""
        head = body.read(10)
        if head[:4] != b"VITA":
            raise DataError(
                "not a .vital file",
                where=self._path,
                do=FETCH,
                why=f"its signature is {head[:4]!r}, not b'VITA'",
            )
        if len(head) < 10:
            raise Cut
        (length,) = struct.unpack_from("<H", head, 8)
        header = body.read(length)
        if len(header) < length:
            raise Cut
        if length < 2:
            _refuse(self._path, f"a header of {length} bytes")
        if length >= 26:
            self._census.start_s, self._census.stop_s = struct.unpack_from("<dd", header, 10)
        return length >= 27 and header[26] == 1

    def packet(self, kind: int, piece: bytes, length: int) -> None:
        """Count one packet, of which `piece` is the beginning."""
        if kind == DEVICE:
            (number,) = struct.unpack_from("<L", piece)
            model, place = _text(piece, 4)
            name, _ = _text(piece, place)
            self._devices[number] = name or model
        elif kind == TRACK:
            self._track(piece)
        elif kind == RECORD and length >= 12:  # the decoder, too, passes over shorter ones
            self._record(piece, length)

    def _track(self, piece: bytes) -> None:
        number, kind, form = struct.unpack_from("<HBB", piece)
        if kind in (1, 2) and form not in WIDTHS:
            return
        name, place = _text(piece, 4)
        # Whatever follows is optional: unit, display range, colour, rate, calibration, device.
        unit, place = _text(piece, place) if len(piece) > place else ("", place)
        (rate_hz,) = (
            struct.unpack_from("<f", piece, place + 12) if len(piece) > place + 12 else (0,)
        )
        (device,) = struct.unpack_from("<L", piece, place + 33) if len(piece) > place + 33 else (0,)
        if device and device in self._devices:
            name = f"{self._devices[device]}/{name}"
        self._names[number] = name
        if kind == WAVEFORM and not (math.isfinite(rate_hz) and rate_hz >= 0):
            _refuse(self._path, f"track {name!r} has a rate of {rate_hz} Hz")
        self._census.tracks.setdefault(name, Track(kind, WIDTHS.get(form, 0), unit, rate_hz))

    def _record(self, piece: bytes, length: int) -> None:
        skip, time_s, number = struct.unpack_from("<HdH", piece)
        name = self._names.get(number)
        if name is None:
            return
        census, track = self._census, self._census.tracks[name]
        if census.start_s == 0 or 0 < time_s < census.start_s:
            census.start_s = time_s
        census.stop_s = max(census.stop_s, time_s)
        if track.kind != WAVEFORM:
            return
        if not 0 < time_s < math.inf:
            _refuse(self._path, f"a record of {name!r} has the time {time_s}")
        (count,) = struct.unpack_from("<L", piece, 2 + skip)
        if 2 + skip + 4 + count * track.width > length:
            _refuse(self._path, f"a record of {name!r} claims {count} samples in {length} bytes")
        track.records, track.samples = track.records + 1, track.samples + count

    def finished(self) -> Census:
        """The census, after a look at its times."""
        duration_s = self._census.stop_s - self._census.start_s
        if not math.isfinite(self._census.start_s) or not duration_s <= LONGEST_S:
            _refuse(self._path, f"it lasts {duration_s:g} s, from {self._census.start_s:g} on")
        return self._census


def _text(piece: bytes, place: int) -> tuple[str, int]:
    """A string after its length, read as the decoder does; and the place behind it."""
    (length,) = struct.unpack_from("<L", piece, place)
    stop = place + 4 + length
    if stop > len(piece):
        raise IndexError
    return piece[place + 4 : stop].decode("utf-8", "ignore"), stop


def _skip(body: io.BufferedIOBase, length: int) -> None:
    while length > 0:
        got = len(body.read(min(length, PIECE)))
        if not got:
            raise Cut
        length -= got


def _refuse(path: Path, why: str) -> None:
    raise DataError("file is damaged", where=path, why=why, do=FETCH)
