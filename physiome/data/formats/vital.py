"""`.vital` files of Vital Recorder: verified to the last byte, then decoded by `vitaldb`.

The decoder returns shortened or altered samples for damaged files without an error, so the whole
gzip stream (length and CRC) and the chain of packets are checked before it sees the file.
"""

import gzip
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import vitaldb

from physiome.data.formats.complaints import refuse_complaints
from physiome.data.formats.vital_packets import (
    FETCH,
    WAVEFORM,
    Census,
    Cut,
    check_size,
    is_sparse,
    take_census,
)
from physiome.data.recording import Channel
from physiome.errors import DataError, nearest

FLOATS = 2  # sample formats up to this one are floating point and carry no gain and offset
# What each integer sample format writes where there is no sample.
MISSING = {3: -128, 4: 255, 5: -32768, 6: 65535, 7: -(2**31), 8: 2**32 - 1}


class VitalReader:
    """A whole `.vital` file. See `physiome.data.recording.Reader`."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.files = (self.path,)
        self.notes: list[str] = []
        self._last: tuple[str, Any] | None = None  # a track is read in stretches, decoded whole
        census = _verify(self.path)
        self._waves = {n: t for n, t in census.tracks.items() if t.kind == WAVEFORM and t.rate_hz}
        if census.stop_s <= census.start_s:
            raise DataError("file holds no records", where=self.path, do=FETCH)
        self.start: float | None = census.start_s
        self.duration_s = census.stop_s - census.start_s
        self._tracks = {n: t for n, t in self._waves.items() if not is_sparse(t, self.duration_s)}
        self.notes += [
            f"track {name!r} is as good as absent: it has {track.samples} samples"
            for name, track in self._waves.items()
            if name not in self._tracks
        ]

    def channels(self) -> dict[str, Channel]:
        """Waveform tracks by `device/track` name."""
        return {
            name: Channel(name, track.rate_hz, track.unit, self.duration_s)
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
        if self._last is None or self._last[0] != channel:
            self._last = channel, self._decoded(channel)
        track = self._last[1]
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

    def _decoded(self, name: str) -> Any:
        """The decoder's track, after comparing it with what the packets hold."""
        counted = self._tracks[name]
        check_size(self.path, name, counted, self.duration_s)
        # The decoder takes "ART" for every track whose name ends so.
        others = [other for other in self._waves if other != name and other.endswith(name)]
        with refuse_complaints(self.path, "vitaldb"):
            track = vitaldb.VitalFile(str(self.path), [name], exclude=others).trks.get(name)
        if track is None:
            raise DataError(f"track {name!r} cannot be decoded", where=self.path, do=FETCH)
        found = len(track.recs), sum(len(record["val"]) for record in track.recs)
        if found != (counted.records, counted.samples) or track.srate != counted.rate_hz:
            raise DataError(
                f"track {name!r} is not decoded as it is stored",
                where=self.path,
                do=FETCH,
                why=f"{counted.records} records of {counted.samples} samples, decoded {found}",
            )
        # Values beyond 4e9 count as missing: such a gain would lose them all without a word.
        if track.fmt > FLOATS and not (abs(track.gain) < 1e5 and abs(track.offset) < 4e9):
            raise DataError(
                f"track {name!r} has no sound calibration",
                where=self.path,
                do=FETCH,
                why=f"gain {track.gain}, offset {track.offset}",
            )
        return track


def _physical(values: np.ndarray, track: Any) -> np.ndarray:
    """Record values in the track's unit, NaN for the format's mark of a missing sample."""
    physical = values.astype(np.float64)
    if track.fmt > FLOATS:
        missing = values == MISSING[track.fmt]
        physical = physical * track.gain + track.offset
        physical[missing] = np.nan
    physical[~(np.abs(physical) < 4e9)] = np.nan  # the recorder's mark in float tracks
    return physical


def _verify(path: Path) -> Census:
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
            return take_census(path, body)
    except EOFError:
        raise DataError(
            "file is cut", where=path, why="its gzip stream ends early", do=FETCH
        ) from None
    except Cut:
        raise DataError(
            "file is damaged", where=path, why="its last packet is cut", do=FETCH
        ) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError("file is damaged", where=path, why=str(error), do=FETCH) from None
