import gzip

import numpy as np
import pytest
import vitaldb

from physiome.data.formats import open_reader
from physiome.errors import DataError


@pytest.fixture
def demo(shared_data):
    return shared_data / "vital-format/test_intelliue_demo2.vital"


@pytest.fixture
def written(tmp_path):
    """10 s of a ramp at 100 Hz in one-second records, the fourth second absent; 62.5 Hz beside."""
    ramp = np.arange(1000, dtype=np.float32)
    file = vitaldb.VitalFile()
    records = [
        {"dt": 1000.0 + s, "val": ramp[s * 100 : s * 100 + 100]} for s in range(10) if s != 3
    ]
    file.add_track("SNUADC/ART", records, srate=100, unit="mmHg")
    slow = [{"dt": 1000.0, "val": np.ones(625, dtype=np.float32)}]
    file.add_track("SNUADC/CO2", slow, srate=62.5, unit="mmHg")
    file.dtstart, file.dtend = 1000.0, 1010.0
    path = tmp_path / "case.vital"
    file.to_vital(str(path), packed=False)
    return path


def test_samples_lie_at_their_times_and_absent_ones_are_nan(written):
    reader = open_reader(written)
    assert reader.start == 1000.0
    x = reader.read("SNUADC/ART")
    expected = np.arange(1000.0)
    expected[300:400] = np.nan
    np.testing.assert_array_equal(x, expected)
    np.testing.assert_array_equal(reader.read("SNUADC/ART", 2.5, 4.5), expected[250:450])


def test_each_track_keeps_its_own_rate(written):
    reader = open_reader(written)
    assert {n: c.rate_hz for n, c in reader.channels().items()} == {
        "SNUADC/ART": 100,
        "SNUADC/CO2": 62.5,
    }
    assert len(reader.read("SNUADC/CO2")) == 625


def test_real_file_equals_the_decoder_where_both_have_samples(demo):
    reader = open_reader(demo)
    for name, channel in reader.channels().items():
        mine = reader.read(name)
        theirs = vitaldb.VitalFile(str(demo)).get_track_samples(name, 1 / channel.rate_hz)
        # Their records start on the next sample, ours on the nearest one: at most one apart.
        assert len(theirs) - len(mine) in (0, 1)
        n = len(mine) - 1
        same = [np.isclose(mine[:n], theirs[s : n + s], atol=1e-4) for s in (0, 1)]
        real = ~np.isnan(mine[:n])
        assert (same[0] | same[1])[real].mean() > 0.998, name


def test_real_pressure_has_gain_and_offset_applied(demo):
    pressure = open_reader(demo).read("Intellivue/ABP")
    assert np.nanmin(pressure) == 70.0
    assert np.nanmax(pressure) == 120.25


def test_numeric_tracks_are_not_channels(demo):
    channels = open_reader(demo).channels()
    assert set(channels) == {f"Intellivue/{n}" for n in ("ECG_II", "PLETH", "RESP", "ABP")}


@pytest.mark.parametrize("share", [0.01, 0.3, 0.7, 0.95, 0.999])
def test_a_cut_file_is_refused(demo, tmp_path, share):
    whole = demo.read_bytes()
    path = tmp_path / "cut.vital"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(DataError, match=r"cut\.vital: file is (cut|damaged)"):
        open_reader(path)


def test_one_flipped_bit_is_refused(demo, tmp_path, subtests):
    path = tmp_path / "bit.vital"
    for seed in range(25):
        rng = np.random.default_rng(seed)
        content = bytearray(demo.read_bytes())
        content[int(rng.integers(100, len(content) - 4))] ^= 1 << int(rng.integers(8))
        path.write_bytes(content)
        with subtests.test(seed=seed), pytest.raises(DataError):
            open_reader(path)


def test_a_whole_stream_with_a_cut_packet_is_refused(demo, tmp_path):
    body = gzip.decompress(demo.read_bytes())
    path = tmp_path / "packet.vital"
    path.write_bytes(gzip.compress(body[:-3]))
    with pytest.raises(DataError, match="last packet is cut"):
        open_reader(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>", "not gzip"),
        (gzip.compress(b"NOPE" + bytes(100), mtime=0), "signature"),
        (gzip.compress(b"VITA" + bytes(4), mtime=0), "cut"),
        (gzip.compress(b"VITA" + bytes(4) + b"\x0a\0" + bytes(10), mtime=0), "no records"),
    ],
)
def test_other_kinds_of_file_are_recognised(tmp_path, content, says):
    path = tmp_path / "a.vital"
    path.write_bytes(content)
    with pytest.raises(DataError, match=says):
        open_reader(path)


def test_an_unknown_track_names_the_nearest(written):
    with pytest.raises(DataError, match="did you mean 'SNUADC/ART'"):
        open_reader(written).read("SNUADC/ARTS")


def test_the_mark_of_a_missing_integer_sample_is_nan(tmp_path):
    file = vitaldb.VitalFile()
    values = np.array([0, 100, -32768, 300], dtype=np.int16)
    file.trks["SNUADC/ART"] = vitaldb.utils.Track(
        "ART",
        1,
        fmt=5,
        dname="SNUADC",
        srate=2,
        gain=0.5,
        offset=10.0,
        recs=[{"dt": 1000.0, "val": values}],
    )
    file.devs["SNUADC"] = vitaldb.utils.Device("SNUADC")
    file.dtstart, file.dtend = 1000.0, 1002.0
    path = tmp_path / "case.vital"
    file.to_vital(str(path), packed=False)
    np.testing.assert_array_equal(open_reader(path).read("SNUADC/ART"), [10, 60, np.nan, 160])
