import shutil

import numpy as np
import pytest
import wfdb

from physiome.data.formats import open_reader
from physiome.data.recording import UNCALIBRATED
from physiome.errors import DataError

NAME = "a123l"


@pytest.fixture
def record(shared_data, tmp_path):
    """A writable copy of a real record: II, V, PLETH, ABP at 250 Hz."""
    for suffix in (".hea", ".mat"):
        shutil.copyfile(
            shared_data / f"challenge-2015/training/{NAME}{suffix}", tmp_path / f"{NAME}{suffix}"
        )
    return tmp_path / f"{NAME}.hea"


def test_real_matlab_record_has_its_units_and_values(record):
    for suffix in (".hea", ".mat"):
        reader = open_reader(record.with_suffix(suffix))
        assert {n: c.unit for n, c in reader.channels().items()} == {
            "II": "mV",
            "V": "mV",
            "PLETH": "NU",
            "ABP": "mmHg",
        }
        expected = wfdb.rdrecord(str(record.with_suffix(""))).p_signal[:, 3]
        np.testing.assert_allclose(reader.read("ABP"), expected)
        np.testing.assert_allclose(reader.read("ABP", 10, 12), expected[2500:3000])


def test_real_mixed_rates_keep_their_own(shared_data):
    reader = open_reader(shared_data / "wfdb-samples/mixedsignals.hea")
    rates = {n: c.rate_hz for n, c in reader.channels().items()}
    assert rates["II"] == pytest.approx(249.89)
    assert rates["ABP"] == pytest.approx(124.945)
    assert len(reader.read("II")) == 2 * len(reader.read("ABP")) == 57600
    assert np.isnan(reader.read("ABP")).sum() == 192
    assert 70 <= np.nanmin(reader.read("ABP")) <= np.nanmax(reader.read("ABP")) <= 172


def test_a_cut_signal_file_is_refused_with_bytes_expected_and_found(record):
    data = record.with_suffix(".mat")
    data.write_bytes(data.read_bytes()[:-1000])
    with pytest.raises(DataError, match="660024 bytes expected, 659024 found"):
        open_reader(record)


def test_an_altered_sample_breaks_the_checksum(record):
    data = record.with_suffix(".mat")
    content = bytearray(data.read_bytes())
    content[24 + 8 * 1000 + 6] ^= 1  # a sample of the fourth signal
    data.write_bytes(content)
    reader = open_reader(record)
    assert len(reader.read("II")) == 82500
    with pytest.raises(DataError, match=r"damaged.*ABP: checksum 3794 stated"):
        reader.read("ABP")


def test_a_missing_signal_file_is_named(record):
    record.with_suffix(".mat").unlink()
    with pytest.raises(DataError, match=r"a123l\.mat: signal file is missing"):
        open_reader(record)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("<html><body>login", "web page"),
        ("hello world", "damaged"),
        ("a123l 4 0 82500\n", "damaged|too few"),
        ("a123l 1 250 10\n../x.mat 16 1/mV 16 0 0 0 0 II\n", "damaged"),
    ],
)
def test_a_damaged_header_is_refused(record, text, says):
    record.write_text(text)
    with pytest.raises(DataError, match=says):
        open_reader(record)


@pytest.mark.parametrize(
    "first_line",
    [
        "a123l 4 250 1000000000000",  # samples
        "a123l 4 1000000000 82500",  # Hz
        "a123l 4 0.000001 82500",  # years
    ],
)
def test_a_header_that_claims_the_impossible_is_refused_before_memory_is_laid_out(
    record, first_line
):
    lines = record.read_text().splitlines()
    record.write_text("\n".join([first_line, *lines[1:]]) + "\n")
    with pytest.raises(DataError, match="impossible length"):
        open_reader(record)


def test_a_header_of_megabytes_is_refused_unread(record):
    record.write_text(record.read_text() + "# " + "x" * (2 << 20))
    with pytest.raises(DataError, match="too large"):
        open_reader(record)


def test_a_name_longer_than_a_file_system_takes_is_refused(record):
    record.write_text(record.read_text().replace(f"{NAME}.mat", "x" * 300 + ".dat"))
    with pytest.raises(DataError, match="signal file is not beside its header"):
        open_reader(record)


def test_a_cut_compressed_signal_is_refused(shared_data, tmp_path):
    for file in (shared_data / "wfdb-samples").iterdir():
        shutil.copyfile(file, tmp_path / file.name)
    data = tmp_path / "mixedsignals_p.dat"
    data.write_bytes(data.read_bytes()[:20000])
    with pytest.raises(DataError, match=r"cut|decoded"):
        open_reader(tmp_path / "mixedsignals.hea").read("ABP")


def test_an_unknown_signal_names_the_nearest(record):
    with pytest.raises(DataError, match="did you mean 'PLETH'"):
        open_reader(record).read("PLET")


def test_two_signals_of_one_name_keep_nobody_from_the_others(record):
    expected = open_reader(record).read("ABP")
    lines = record.read_text().splitlines()
    assert lines[2].endswith(" V")
    record.write_text("\n".join([*lines[:2], lines[2][:-1] + "II", *lines[3:]]) + "\n")
    reader = open_reader(record)
    assert reader.notes == ["several signals are called 'II': none can be read"]
    np.testing.assert_array_equal(reader.read("ABP"), expected)
    with pytest.raises(DataError, match="several signals are called 'II' - rename"):
        reader.read("II")


def test_it_is_noted_if_the_header_gives_no_checksum(record):
    assert open_reader(record).notes == []
    lines = record.read_text().splitlines()  # fields from the sixth on: checksum, block, name
    short = [" ".join(line.split()[:5]) for line in lines[1:5]]
    record.write_text("\n".join([lines[0], *short]) + "\n")
    reader = open_reader(record)
    assert reader.notes == [
        "the header gives no checksum of signal 0, signal 1, signal 2, signal 3"
    ]
    assert len(reader.read("signal 3")) == 82500


def uncalibrated(record, gain):
    """The record with the gain of its pressure rewritten."""
    text = record.read_text()
    old = next(line.split()[2] for line in text.splitlines() if line.endswith(" ABP"))
    record.write_text(text.replace(old, gain))
    return open_reader(record)


@pytest.mark.parametrize("gain", ["0", "0/mmHg", "0.0(12)/mmHg", "-0e3/mmHg"])
def test_a_gain_of_zero_is_no_calibration(record, gain):
    channels = uncalibrated(record, gain).channels()
    assert channels["ABP"].unit == UNCALIBRATED
    assert channels["II"].unit == "mV"


def test_an_absent_gain_is_no_calibration(tmp_path):
    (tmp_path / "r.hea").write_text("# a comment\n\nr 1 100 50\nr.dat 16\n")
    np.zeros(50, "<i2").tofile(tmp_path / "r.dat")
    assert [c.unit for c in open_reader(tmp_path / "r.hea").channels().values()] == [UNCALIBRATED]


@pytest.mark.parametrize("gain", ["45.76(-10)/mmHg", "1e2/mmHg", ".5/mmHg", "-3/mmHg"])
def test_any_other_gain_is_one(record, gain):
    assert uncalibrated(record, gain).channels()["ABP"].unit == "mmHg"


def test_a_skewed_record_is_refused(record):
    record.write_text(record.read_text().replace("16+24 ", "16:2500+24 ", 1))
    with pytest.raises(DataError, match=r"shifted against each other.*skew of II"):
        open_reader(record)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_letters_beyond_ascii_stay_in_the_names(record, encoding):
    text = record.read_text().replace(" PLETH", " Pléth Größe")
    record.write_bytes(text.encode(encoding))
    reader = open_reader(record)
    assert list(reader.channels()) == ["II", "V", "Pléth Größe", "ABP"]
    assert len(reader.read("Pléth Größe")) == 82500


def write_record(folder, fmt):
    """Two signals of 5000 samples; format 8 holds differences, which wfdb does not write."""
    x = np.cumsum(np.random.default_rng(0).integers(-3, 4, (5000, 2)), axis=0).clip(-100, 100)
    if fmt == "8":
        np.diff(x, axis=0, prepend=x[:1]).astype("i1").tofile(folder / "r.dat")
        sums = x.sum(axis=0) % 65536
        lines = [f"r.dat 8 1/mV 8 0 {x[0, c]} {sums[c]} 0 s{c}\n" for c in (0, 1)]
        (folder / "r.hea").write_text(f"r 2 100 5000\n{''.join(lines)}")
    else:
        wfdb.wrsamp(
            "r",
            fs=100,
            units=["mV"] * 2,
            sig_name=["s0", "s1"],
            d_signal=x,
            fmt=[fmt] * 2,
            adc_gain=[1.0] * 2,
            baseline=[0] * 2,
            write_dir=str(folder),
        )
    return folder / "r.hea", x[:, 1]


@pytest.mark.parametrize("fmt", ["8", "16", "24", "32", "80", "212", "508", "516", "524"])
def test_a_signal_is_the_same_from_its_middle_and_in_blocks(tmp_path, monkeypatch, fmt):
    path, x = write_record(tmp_path, fmt)
    monkeypatch.setattr("physiome.data.formats.wfdb.BLOCK", 777)
    reader = open_reader(path)
    np.testing.assert_array_equal(reader.read("s1", 33.33, 33.5), x[3333:3350])
    np.testing.assert_array_equal(reader.read("s1", 0.37, 49.9), x[37:4990])
    np.testing.assert_array_equal(reader.read("s1"), x)
