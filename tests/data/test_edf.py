import edfio
import numpy as np
import pytest

from physiome.data.formats import open_reader
from physiome.data.formats.edf import EdfReader, read_annotations
from physiome.errors import DataError

RNG = np.random.default_rng(0)


def write(path, rates=(100, 100), seconds=20, labels=None, unit="uV", annotations=()):
    signals = [
        edfio.EdfSignal(
            RNG.uniform(-190, 190, seconds * rate),
            rate,
            label=labels[i] if labels else f"S{i}",
            physical_dimension=unit,
            physical_range=(-200, 200),
        )
        for i, rate in enumerate(rates)
    ]
    edfio.Edf(signals, annotations=annotations or None, data_record_duration=1).write(path)
    return signals


def test_values_come_in_the_files_own_unit(tmp_path):
    for unit in ("uV", "mV", "V", "mmHg", "uv"):
        signals = write(tmp_path / "a.edf", unit=unit)
        read = EdfReader(tmp_path / "a.edf").read("S1")
        np.testing.assert_allclose(read, signals[1].data, atol=1e-9)


def test_mixed_rates_are_never_upsampled(tmp_path):
    signals = write(tmp_path / "a.edf", rates=(100, 256, 1))
    reader = EdfReader(tmp_path / "a.edf")
    for i, rate in enumerate((100, 256, 1)):
        assert reader.channels()[f"S{i}"].rate_hz == rate
        np.testing.assert_allclose(reader.read(f"S{i}"), signals[i].data, atol=1e-9)


def test_channels_of_one_name_are_noted_before_one_is_wanted(tmp_path):
    write(tmp_path / "a.edf", rates=(100, 100, 50), labels=["C3", "C3", "O1"])
    assert EdfReader(tmp_path / "a.edf").notes == [
        "several channels are called 'C3': none can be read"
    ]


def test_a_stretch_equals_the_same_stretch_of_the_whole(tmp_path):
    write(tmp_path / "a.edf")
    reader = EdfReader(tmp_path / "a.edf")
    np.testing.assert_array_equal(reader.read("S0", 3, 7.5), reader.read("S0")[300:750])
    assert len(reader.read("S0", 15, 99)) == 500
    assert len(reader.read("S0", 50, 99)) == 0


def test_real_values_equal_the_headers_calibration(shared_data):
    path = shared_data / "sleep-edfx/excerpts/SC4001E0-PSG-first300s.edf"
    reader = EdfReader(path)
    other = edfio.read_edf(path)
    assert reader.duration_s == 300
    for name, channel in reader.channels().items():
        mine, theirs = reader.read(name), other.get_signal(name)
        assert channel.rate_hz == theirs.sampling_frequency
        np.testing.assert_allclose(mine, theirs.data, atol=1e-6)


@pytest.mark.parametrize("seed", range(10))
def test_a_cut_file_is_refused_with_bytes_expected_and_found(tmp_path, seed):
    path = tmp_path / "a.edf"
    write(path)
    whole = path.read_bytes()
    keep = int(np.random.default_rng(seed).integers(1, len(whole) - 1))
    path.write_bytes(whole[:keep])
    with pytest.raises(DataError, match=r"cut|not an EDF") as caught:
        open_reader(path)
    if keep > 768:
        assert f"{len(whole)} bytes expected, {keep} found" in str(caught.value)


@pytest.mark.parametrize(
    ("offset", "text", "says"),
    [
        (0, b"<!DOCTYPE html><html>", "this is a web page"),
        (0, b"PK\3\4", "not an EDF file"),
        (168, b"24/04/89", "start date and time"),
        (184, b"7x8     ", "header size"),
        (236, b"-1      ", "never closed"),
        (236, b"0       ", "no data records"),
        (236, b"99999999", "bytes expected"),
        (244, b"one     ", "record duration"),
        (244, b"nan     ", "record duration"),
        (252, b"-2  ", "number of signals"),
        (252, b"9999", "header size"),
        (192, b"EDF+D", "interrupted"),
        (256 + 2 * (16 + 80 + 8), b"low", "physical minimum of S0"),
        (256 + 2 * (16 + 80 + 8), b"-1e300  ", "impossible physical range"),
        (256 + 2 * (16 + 80 + 8 + 8 + 8 + 8 + 8 + 80), b"1e9     ", "samples per record of S0"),
    ],
)
def test_a_damaged_header_names_the_field(tmp_path, offset, text, says):
    path = tmp_path / "a.edf"
    write(path)
    content = bytearray(path.read_bytes())
    content[offset : offset + len(text)] = text
    path.write_bytes(content)
    with pytest.raises(DataError, match=says) as caught:
        open_reader(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("kind", "offset"), [("physical", 0), ("digital", 2 * (8 + 8))])
def test_a_channel_without_calibration_keeps_nobody_from_the_others(tmp_path, kind, offset):
    path = tmp_path / "a.edf"
    signals = write(path)
    content, offset = bytearray(path.read_bytes()), 256 + 2 * (16 + 80 + 8) + offset
    for end in (0, 2 * 8):  # as programs write it of a channel that nothing was plugged into
        content[offset + end : offset + end + 8] = b"0       "
    path.write_bytes(content)
    reader = open_reader(path)
    np.testing.assert_allclose(reader.read("S1"), signals[1].data, atol=1e-9)
    with pytest.raises(DataError, match=f"'S0' no {kind} range - minimum and maximum are both 0"):
        reader.read("S0")


def test_an_empty_a_missing_and_an_unknown_file_are_told_apart(tmp_path):
    (tmp_path / "a.edf").write_bytes(b"")
    (tmp_path / "a.txt").write_bytes(b"x")
    for name, says in (("a.edf", "empty"), ("b.edf", "missing"), ("a.txt", "unknown kind")):
        with pytest.raises(DataError, match=says):
            open_reader(tmp_path / name)


def test_an_unknown_channel_names_the_nearest(tmp_path):
    write(tmp_path / "a.edf", labels=("EEG Fpz-Cz", "EOG"))
    with pytest.raises(DataError, match="did you mean 'EEG Fpz-Cz'"):
        EdfReader(tmp_path / "a.edf").read("EEG Fpz Cz")


def test_two_channels_of_one_name_are_not_guessed_between(tmp_path):
    write(tmp_path / "a.edf", labels=("EOG", "EOG"))
    with pytest.raises(DataError, match="several channels are called 'EOG'"):
        EdfReader(tmp_path / "a.edf").read("EOG")


def test_a_warning_of_the_library_is_an_error(tmp_path, monkeypatch):
    import warnings

    import mne

    write(tmp_path / "a.edf")
    original = mne.io.read_raw_edf

    def warning_reader(*args, **kwargs):
        warnings.warn("something is lost", RuntimeWarning, stacklevel=2)
        return original(*args, **kwargs)

    monkeypatch.setattr(mne.io, "read_raw_edf", warning_reader)
    with pytest.raises(DataError, match="something is lost"):
        EdfReader(tmp_path / "a.edf").read("S0")


def test_unicode_and_blanks_in_the_path_are_fine(tmp_path):
    folder = tmp_path / "Schlaf äöü 睡 'x'"
    folder.mkdir()
    write(folder / "a b.edf")
    assert len(open_reader(folder / "a b.edf").read("S0")) == 2000


def test_real_hypnogram_is_read_with_its_start(shared_data):
    path = shared_data / "sleep-edfx/sleep-cassette/SC4001EC-Hypnogram.edf"
    annotations, start = read_annotations(path)
    psg = EdfReader(shared_data / "sleep-edfx/excerpts/SC4001E0-PSG-first300s.edf")
    assert start == psg.start
    assert (annotations[0].onset_s, annotations[0].duration_s) == (0, 30630)
    assert annotations[-1].text == "Sleep stage ?"
    assert sum(a.duration_s for a in annotations) == 86400


def test_an_anonymous_start_is_no_start(shared_data):
    composed = shared_data / "sleep-edfx/composed/SC4001E0_real_epochs-PSG.edf"
    assert EdfReader(composed).start is None


def test_a_file_without_annotations_has_none_to_read(tmp_path):
    write(tmp_path / "a.edf")
    with pytest.raises(DataError, match="no annotations"):
        read_annotations(tmp_path / "a.edf")


def interrupted(path, flag, gap_s=300):
    """The same file with a gap behind ten seconds, that only its time-keeping tells of."""
    write(path, annotations=[edfio.EdfAnnotation(1.0, None, "lights off")])
    content = path.read_bytes()
    for second in range(10, 20):
        kept = b"+%d\x14\x14\x00" % second
        assert content.count(kept + b"\x00") == 1
        content = content.replace(kept + b"\x00", b"+%d\x14\x14\x00" % (second + gap_s))
    path.write_bytes(content[:192] + flag.ljust(5) + content[197:])


@pytest.mark.parametrize("flag", [b"EDF+C", b"edf+d", b""])
def test_a_gap_is_found_whatever_the_flag_says(tmp_path, flag):
    interrupted(tmp_path / "a.edf", flag)
    with pytest.raises(DataError, match=r"interrupted - data record 11 begins at 310 s, not at 10"):
        open_reader(tmp_path / "a.edf")


def test_records_that_begin_a_little_late_are_no_gap(tmp_path):
    path = tmp_path / "a.edf"
    write(path, annotations=[edfio.EdfAnnotation(1.0, None, "lights off")])
    content = path.read_bytes().replace(b"+11\x14\x14\x00\x00\x00\x00", b"+11.02\x14\x14\x00")
    path.write_bytes(content)
    assert b"+11.02" in content
    assert open_reader(path).duration_s == 20
