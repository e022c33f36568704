"""What a `.vital` file claims is refused before memory is laid out for it."""

import gzip
import struct
import tracemalloc

import pytest

from physiome.data.formats import open_reader, vital_packets
from physiome.errors import DataError

START = 1_600_000_000.0


def packet(kind, content, length=None):
    return struct.pack("<BL", kind, len(content) if length is None else length) + content


def track(rate_hz=100.0):
    name, unit = (struct.pack("<L", len(t)) + t for t in (b"ART", b"mmHg"))
    shown = struct.pack("<ffLfdd", 0, 200, 0, rate_hz, 1.0, 0.0)
    return packet(0, struct.pack("<HBB", 1, 1, 5) + name + unit + shown)


def record(time_s=START, count=100, stored=100):
    return packet(1, struct.pack("<HdHL", 10, time_s, 1, count) + bytes(2 * stored))


CLAIMS = {
    "a packet of 4 GB": [track(), packet(1, b"", 2**32 - 1)],
    "more samples than stored": [track(), record(count=2**31)],
    "a rate of 1e9 Hz": [track(1e9), record(), record(START + 9)],
    "a rate that is no number": [track(float("nan")), record()],
    "a time in the year 1e9": [track(), record(), record(3e16)],
    "a time that is no number": [track(), record(), record(float("nan"))],
    "a month of nothing": [track(500.0), record(), record(START + 30 * 86400)],
    "a track packet without content": [packet(0, b"")],
}


def write(tmp_path, packets):
    header = b"VITA" + struct.pack("<LH", 3, 10) + bytes(10)
    path = tmp_path / "case.vital"
    path.write_bytes(gzip.compress(header + b"".join(packets), mtime=0))
    return path


def read(path):
    """Read every track; the most memory that took, in bytes."""
    tracemalloc.start()
    try:
        reader = open_reader(path)
        return [reader.read(name) for name in reader.channels()]
    finally:
        read.peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()


def test_the_sound_file_is_read(tmp_path):
    (samples,) = read(write(tmp_path, [track(), record(), record(START + 1)]))
    assert len(samples) == 200


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_claim_is_refused(tmp_path, claim):
    with pytest.raises(DataError, match=r"damaged|impossible"):
        read(write(tmp_path, CLAIMS[claim]))
    assert read.peak < 50e6


def test_a_file_that_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(vital_packets, "LARGEST_BODY", 20_000_000)
    path = write(tmp_path, [track(), *[packet(7, bytes(900_000))] * 40])
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError, match="it unpacks to"):
        read(path)
    assert read.peak < 20e6


def test_a_track_of_a_moment_in_a_day_is_as_good_as_absent(tmp_path):
    """A sensor that was tried on once: no fault of the file, whose other tracks are used."""
    path = write(tmp_path, [track(500.0), record(), record(START + 86_000)])
    reader = open_reader(path)
    assert reader.channels() == {}
    assert reader.notes == ["track 'ART' is as good as absent: it has 200 samples"]
    assert read(path) == []
    assert read.peak < 50e6
