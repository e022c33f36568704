"""Formats besides EDF, WFDB and .vital: the same recording in each, and the same checks."""

import codecs
import datetime

import edfio
import mne
import numpy as np
import pandas as pd
import pytest
from format_files import MARKS, NAMES, RATE_HZ, SECONDS, WRITERS, fif, microvolts

from physiome.config.data import AnnotationLabels, ShardSettings
from physiome.data.cutting.cut import cut_record
from physiome.data.cutting.labels import annotation_labels, read_scoring
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


@pytest.fixture(params=[name for name in WRITERS if name not in ("r.csv", "r.parquet")])
def annotated(request, tmp_path):
    """A whole file of each format that can hold annotations."""
    path = tmp_path / request.param
    WRITERS[request.param](path)
    return path


@pytest.fixture(params=["r.csv", "r.parquet"])
def table(request, tmp_path):
    """A whole table of each format."""
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


def test_annotations_are_relative_to_the_first_sample(annotated):
    found, start = read_annotations(annotated)
    told = [(a.onset_s, a.duration_s, a.text.rpartition("/")[2]) for a in found]
    told = [mark for mark in told if mark[2] in ("rest", "sums")]
    assert told == list(MARKS)
    assert start == open_reader(annotated).start


def test_a_mark_of_one_sample_is_of_a_moment(tmp_path, monkeypatch):
    """So BrainVision writes one, and EEGLAB of BrainVision: `labels.lasts` is for them, too."""
    one = 1 / RATE_HZ
    monkeypatch.setattr("format_files.MARKS", ((0.0, one, "rest"), (5.0, 2 * one, "sums")))
    for name in ("r.vhdr", "r.set", "r_raw.fif"):
        WRITERS[name](tmp_path / name)
        found = [a.duration_s for a in read_annotations(tmp_path / name)[0] if "New" not in a.text]
        assert found == pytest.approx([0, 2 * one])


def test_annotations_of_the_file_itself_label_its_windows(annotated):
    labels = {"rule": "annotations", "texts": {"rest": "rest", "sums": "sums"}}
    if annotated.suffix == ".vhdr":
        labels["texts"] = {f"Comment/{text}": text for text in labels["texts"]}
        labels["unscored"] = ["New Segment/"]
    plain = {
        "kind": "recordings", "classes": ["rest", "sums"], "labels": labels, "quality": {},
        "modalities": {"eeg": {"channel": "EEG F3", "unit": "uV"}, "ecg": {"channel": "ECG"}},
        "window": {"length_s": 5.0, "rate_hz": float(RATE_HZ), "lowpass_hz": None},
        "incomplete_windows": "keep", "strict_channels": False, "strict_rates": True,
    }  # fmt: skip
    rows, windows, _ = cut_record(RawRecord("r", "s", str(annotated)), ShardSettings.parse(plain))
    assert windows["label"].tolist() == [0, 0, 1, 1]
    expected = microvolts()[0].reshape(4, -1)
    np.testing.assert_allclose(rows["eeg"], expected, atol=1e-2)


def test_an_unknown_channel_is_refused_with_the_nearest(recording):
    with pytest.raises(DataError, match="no channel 'EEG F4' - did you mean 'EEG F3'"):
        open_reader(recording).read("EEG F4")


def test_a_file_that_is_cut_is_refused(recording):
    data = recording.with_suffix(".eeg") if recording.suffix == ".vhdr" else recording
    whole = data.read_bytes()
    if recording.suffix == ".csv":  # a row less is another table: the noted sum tells
        pytest.skip("a table of text has no length to compare with")
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


def test_a_fif_may_be_called_as_its_record_is(tmp_path):
    path = tmp_path / "night 1.fif"
    fif(tmp_path / "r_raw.fif")
    (tmp_path / "r_raw.fif").rename(path)
    np.testing.assert_allclose(1e6 * open_reader(path).read("ECG"), microvolts()[1], atol=1e-3)


def test_fif_channels_may_be_called_like_types_of_channels(tmp_path):
    names, types = ["eeg", "ecg", "eog", "misc", "data"], ["ecg", "eeg", "eeg", "eog", "misc"]
    values = np.arange(5.0)[:, None].repeat(50, axis=1)
    raw = mne.io.RawArray(values, mne.create_info(names, 10, types), verbose="ERROR")
    raw.save(tmp_path / "r_raw.fif", verbose="ERROR")
    reader = open_reader(tmp_path / "r_raw.fif")
    assert [reader.read(name).tolist() for name in names] == values.tolist()
    assert type(reader.duration_s) is float  # MNE counts samples with numpy, whose bools differ


@pytest.mark.parametrize("dated", [True, False])
def test_annotations_of_a_cropped_fif_begin_with_what_was_kept(tmp_path, dated):
    path = tmp_path / "r_raw.fif"
    info = mne.create_info(["EEG"], 100, "eeg")
    raw = mne.io.RawArray(np.ones((1, 15_000)), info, verbose="ERROR")
    raw.set_meas_date(datetime.datetime(2001, 2, 3, tzinfo=datetime.UTC) if dated else None)
    texts = ["rest", "sums", "BAD_ACQ_SKIP"]
    raw.set_annotations(mne.Annotations([90.0, 120.0, 130.0], [30.0, 10.0, 5.0], texts))
    raw.crop(60.0).save(path, verbose="ERROR")
    found = {(a.onset_s, a.text) for a in read_annotations(path)[0]}  # MNE tells of skips twice
    assert found == set(zip([30.0, 60.0, 70.0], texts, strict=True))
    skipped = np.isnan(open_reader(path).read("EEG"))
    assert np.flatnonzero(skipped).tolist() == list(range(7000, 7500))


@pytest.mark.parametrize("first_s", [0.0, 0.37])
def test_times_that_fif_keeps_in_24_bits_label_every_window_of_a_night(tmp_path, first_s):
    path, count = tmp_path / "r_raw.fif", 1000
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(1, 10 * (30 * count + 30)))
    raw = mne.io.RawArray(samples, mne.create_info(["EEG"], 10, "eeg"), verbose="ERROR")
    onsets = first_s + 30.0 * np.arange(count)
    raw.set_annotations(mne.Annotations(onsets, 30.0, rng.choice(["rest", "sums"], count)))
    raw.save(path, verbose="ERROR")
    rule = AnnotationLabels(rule="annotations", texts={"rest": "rest", "sums": "sums"})
    found = read_scoring(read_annotations(path)[0], rule, ("rest", "sums"), 30.0 * count, path)
    assert (annotation_labels(found, onsets, 30.0) >= 0).all()


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


def test_a_table_needs_a_rate(table):
    beside = table.with_suffix(".json")
    for content, why in (("{}", "None"), ('{"SamplingFrequency": "64"}', "'64'"), ("[1]", "None"),
                         ('{"SamplingFrequency": 0}', "0"), ("{", "not JSON")):  # fmt: skip
        beside.write_text(content)
        with pytest.raises(DataError, match=why):
            open_reader(table)
    beside.unlink()
    with pytest.raises(DataError, match=r"r.json is not there - write .* rate in Hz: {\"Sampling"):
        open_reader(table)


def test_empty_cells_are_missing_samples(table):
    values = np.arange(2000.0)
    values[[3, 1500]] = np.nan
    frame = pd.DataFrame({"EEG F3": values, "ECG": values})
    if table.suffix == ".csv":
        frame.to_csv(table, index=False)
    else:
        frame.to_parquet(table)
    for part in (slice(0, 2000), slice(1400, 1600)):
        found = open_reader(table).read("ECG", part.start / RATE_HZ, part.stop / RATE_HZ)
        np.testing.assert_array_equal(found, values[part])


@pytest.mark.parametrize("cell", ["rest", "1e300", "inf"])
def test_a_cell_that_is_no_number_of_a_signal_is_refused(tmp_path, cell):
    path = tmp_path / "r.csv"
    WRITERS["r.csv"](path)
    lines = path.read_text().splitlines()
    lines[1500] = f"1.0,{cell},none"
    path.write_text("\n".join(lines) + "\n")
    reader = open_reader(path)
    assert len(reader.read("ECG", 0.0, 10.0)) == 1000
    with pytest.raises(DataError, match="column 'ECG'"):
        reader.read("ECG")


def lines(folder, *those):
    """A table of these lines, at 1 Hz."""
    (folder / "r.json").write_text('{"SamplingFrequency": 1}')
    (folder / "r.csv").write_text("".join(line + "\n" for line in those))
    return folder / "r.csv"


@pytest.mark.parametrize(
    "rows", [("1,2,", "3,4,"), ("1,2", "3,4,,"), ("1,2, ", "3,4"), ('"1",2,', '3,"4",')]
)
def test_commas_at_the_end_of_lines_move_no_column(tmp_path, rows):
    reader = open_reader(lines(tmp_path, "ecg,eeg", *rows))
    assert reader.read("ecg").tolist() == [1, 3]
    assert reader.read("eeg").tolist() == [2, 4]
    assert reader.read("eeg", 1.0).tolist() == [4]


@pytest.mark.parametrize("row", ["1,2,3", "1,2,x", "1,2,,3"])
@pytest.mark.parametrize("before", [0, 1, 1500])
def test_a_line_with_more_fields_than_the_header_is_refused(tmp_path, monkeypatch, row, before):
    monkeypatch.setattr("physiome.data.formats.columns.CHUNK", 7)  # lines across borders
    path = lines(tmp_path, "ecg,eeg", *["1,2"] * before, row, "1,2")
    told = f"line {before + 2} has {row.count(',') + 1}, the header 2 - name every column"
    with pytest.raises(DataError, match=f"more fields than the header - {told}"):
        open_reader(path)


def test_a_comma_in_quotes_is_part_of_its_field(tmp_path):
    path = lines(tmp_path, "ecg,note,eeg", '1,"rest, eyes closed",2', "3,none,4")
    assert open_reader(path).read("eeg").tolist() == [2, 4]


@pytest.mark.parametrize("header", ["ecg,eeg", '"ecg","eeg"'])
def test_a_mark_of_the_byte_order_is_no_part_of_a_name(tmp_path, header):
    path = lines(tmp_path, header, "1,2", "3,4")
    for file in (path, path.with_suffix(".json")):
        file.write_bytes(codecs.BOM_UTF8 + file.read_bytes())
    reader = open_reader(path)
    assert list(reader.channels()) == ["ecg", "eeg"]
    assert reader.read("ecg").tolist() == [1, 3]
    assert reader.read("ecg", 1.0).tolist() == [3]
    path.write_bytes(path.read_bytes() + b"5,6,7\n")
    with pytest.raises(DataError, match="line 4 has 3, the header 2"):
        open_reader(path)
