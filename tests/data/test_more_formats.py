"""BDF, BrainVision, FIF and EEGLAB: the same recording, the same checks as of EDF."""

import datetime

import edfio
import mne
import numpy as np
import pytest
from format_files import MARKS, NAMES, RATE_HZ, SECONDS, WRITERS, microvolts

from physiome.config.data import ShardSettings
from physiome.data.cutting.cut import cut_record
from physiome.data.cutting.signals import unit_factor
from physiome.data.formats import open_reader, read_annotations
from physiome.data.formats.companions import companions
from physiome.data.recording import RawRecord
from physiome.data.sources.integrity import AlteredFileError, check_unaltered, with_digests
from physiome.errors import DataError


@pytest.fixture(params=WRITERS)
def recording(request, tmp_path):
    """A whole file of each format."""
    path = tmp_path / request.param
    WRITERS[request.param](path)
    return path


def test_channels_samples_and_length_are_what_was_written(recording):
    reader = open_reader(recording)
    assert reader.duration_s == pytest.approx(SECONDS)
    assert list(reader.channels()) == list(NAMES)
    for name, expected in zip(NAMES, microvolts(), strict=True):
        channel = reader.channels()[name]
        assert channel.rate_hz == RATE_HZ
        factor = unit_factor(channel.unit, "uV")
        np.testing.assert_allclose(factor * reader.read(name), expected, atol=1e-3)
        part = factor * reader.read(name, 3.0, 4.5)
        np.testing.assert_allclose(part, expected[300:450], atol=1e-3)
        assert len(reader.read(name, SECONDS, SECONDS + 1)) == 0


def test_annotations_are_relative_to_the_first_sample(recording):
    found, start = read_annotations(recording)
    told = [(a.onset_s, a.duration_s, a.text.rpartition("/")[2]) for a in found]
    told = [mark for mark in told if mark[2] in ("rest", "sums")]
    assert told == list(MARKS)
    assert start == open_reader(recording).start


def test_annotations_of_the_file_itself_label_its_windows(recording):
    labels = {"rule": "annotations", "texts": {"rest": "rest", "sums": "sums"}}
    if recording.suffix == ".vhdr":
        labels["texts"] = {f"Comment/{text}": text for text in labels["texts"]}
        labels["unscored"] = ["New Segment/"]
    plain = {
        "kind": "recordings", "classes": ["rest", "sums"], "labels": labels, "quality": {},
        "modalities": {"eeg": {"channel": "EEG F3", "unit": "uV"}, "ecg": {"channel": "ECG"}},
        "window": {"length_s": 5.0, "rate_hz": float(RATE_HZ), "lowpass_hz": None},
        "incomplete_windows": "keep", "strict_channels": False, "strict_rates": True,
    }  # fmt: skip
    rows, windows, _ = cut_record(RawRecord("r", "s", str(recording)), ShardSettings.parse(plain))
    assert windows["label"].tolist() == [0, 0, 1, 1]
    expected = microvolts()[0].reshape(4, -1)
    np.testing.assert_allclose(rows["eeg"], expected, atol=1e-2)


def test_an_unknown_channel_is_refused_with_the_nearest(recording):
    with pytest.raises(DataError, match="no channel 'EEG F4' - did you mean 'EEG F3'"):
        open_reader(recording).read("EEG F4")


def test_a_file_that_is_cut_is_refused(recording):
    data = recording.with_suffix(".eeg") if recording.suffix == ".vhdr" else recording
    whole = data.read_bytes()
    for kept in (0.97, 0.5, 0.1, 0.0):
        data.write_bytes(whole[: int(kept * len(whole)) // 8 * 8 + (3 if kept else 0)])
        with pytest.raises(DataError) as caught:
            open_reader(recording).read(NAMES[1])
        assert "\n" not in str(caught.value)


def test_something_else_under_this_suffix_is_refused(recording):
    for content in (b"", b"<!DOCTYPE html><html>", bytes(range(256)) * 40):
        recording.write_bytes(content)
        with pytest.raises(DataError):
            open_reader(recording)


def test_a_change_of_any_of_its_files_is_noticed(recording):
    noted = with_digests(RawRecord("r", "s", str(recording)))
    check_unaltered(noted)
    for path in [recording, *(p for p in companions(recording) if p.is_file())]:
        before = path.read_bytes()
        path.write_bytes(before + b" ")
        with pytest.raises(AlteredFileError):
            check_unaltered(noted)
        path.write_bytes(before)


def test_samples_of_24_bits_keep_what_16_bits_would_lose(tmp_path):
    wave = np.linspace(-1e5, 1e5, 1000)
    signal = edfio.BdfSignal(wave, 100, label="EEG", physical_dimension="uV",
                             physical_range=(-262144, 262143))  # fmt: skip
    edfio.Bdf([signal]).write(tmp_path / "wide.bdf")
    found = open_reader(tmp_path / "wide.bdf").read("EEG")
    assert np.abs(found - wave).max() < 0.02  # a 16-bit step would be 8 uV
    (tmp_path / "wide.edf").write_bytes((tmp_path / "wide.bdf").read_bytes())
    with pytest.raises(DataError, match="not an EDF file"):
        open_reader(tmp_path / "wide.edf")


@pytest.mark.parametrize(
    ("stored", "meant"),
    [("Impédance".encode(), "Impédance"), ("Impédance".encode("latin-1"), "Impédance")],
    ids=["utf-8", "latin-1"],
)
@pytest.mark.parametrize("micro", ["µV".encode(), "µV".encode("latin-1"), b"uV"])
def test_labels_and_units_are_read_as_they_are_meant(tmp_path, stored, meant, micro):
    path = tmp_path / "nox.edf"
    wave = np.linspace(-100, 100, 1000)
    signal = edfio.EdfSignal(wave, 100, label="label", physical_dimension="unit",
                             physical_range=(-200, 200))  # fmt: skip
    edfio.Edf([signal]).write(path)
    whole = bytearray(path.read_bytes())
    whole[256:272] = stored.ljust(16)
    whole[256 + 96 : 256 + 104] = micro.ljust(8)
    path.write_bytes(bytes(whole))
    reader = open_reader(path)
    assert list(reader.channels()) == [meant]
    factor = unit_factor(reader.channels()[meant].unit, "uV")
    np.testing.assert_allclose(factor * reader.read(meant), wave, atol=0.01)


def test_an_interrupted_recording_is_refused(tmp_path):
    path = tmp_path / "r.vhdr"
    WRITERS["r.vhdr"](path)
    marks = path.with_suffix(".vmrk")
    marks.write_text(marks.read_text() + "Mk9=New Segment,,701,1,0,20010203221000000000\n")
    with pytest.raises(DataError, match="interrupted - 'New Segment/' at 7 s"):
        open_reader(path)


def test_stretches_that_fif_skipped_are_missing(tmp_path):
    path = tmp_path / "r_raw.fif"
    info = mne.create_info(["EEG"], 100, "eeg")
    raw = mne.io.RawArray(np.ones((1, 1000)), info, verbose="ERROR")
    raw.set_annotations(mne.Annotations([2.0], [1.5], ["BAD_ACQ_SKIP"]))
    raw.save(path, verbose="ERROR")
    found = np.isnan(open_reader(path).read("EEG", 1.0, 5.0))
    assert np.flatnonzero(found).tolist() == list(range(100, 250))


def test_a_fif_of_several_files_is_refused(tmp_path):
    info = mne.create_info(["EEG"], 1000, "eeg")
    raw = mne.io.RawArray(np.zeros((1, 700_000)), info, verbose="ERROR")
    raw.save(tmp_path / "r_raw.fif", split_size="2MB", fmt="double", verbose="ERROR")
    with pytest.raises(DataError, match=r"in [0-9]+ files - save it as one"):
        open_reader(tmp_path / "r_raw.fif")


def test_brainvision_data_in_another_folder_are_refused(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    WRITERS["r.vhdr"](folder / "r.vhdr")
    (folder / "r.eeg").rename(tmp_path / "r.eeg")
    header = folder / "r.vhdr"
    header.write_text(header.read_text().replace("=r.eeg", "=../r.eeg"))
    with pytest.raises(DataError, match="in another folder"):
        open_reader(header)
    assert [path.name for path in companions(header)] == ["r.vmrk"]


@pytest.mark.parametrize("name", ["r.vhdr", "r_raw.fif", "r.bdf"])
def test_the_start_is_the_time_of_the_first_sample_taken_as_utc(tmp_path, name):
    WRITERS[name](tmp_path / name)
    expected = datetime.datetime(2001, 2, 3, 22, 0, 0, tzinfo=datetime.UTC).timestamp()
    assert open_reader(tmp_path / name).start == (None if name == "r.bdf" else expected)
