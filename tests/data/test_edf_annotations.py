import datetime

import edfio
import numpy as np
import pytest

from physiome.config.data import ShardSettings
from physiome.data.cutting.cut import cut_record
from physiome.data.formats.edf import EdfReader, read_annotations
from physiome.data.formats.edf_annotations import list_annotations
from physiome.data.formats.edf_header import EdfHeader, EdfSignal, read_edf_header
from physiome.data.recording import Annotation, RawRecord
from physiome.data.synthetic.write_edf import write_hypnogram
from physiome.errors import DataError


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "SC4001EC-Hypnogram.edf"
    stages = [Annotation(0, 30, "Sleep stage W"), Annotation(30, 60, "Sleep stage 2")]
    write_hypnogram(path, stages, datetime.datetime(1989, 4, 24, 16, 13))
    return path


def test_sound_lists_are_read(path):
    annotations, _ = read_annotations(path)
    assert [(a.onset_s, a.duration_s, a.text) for a in annotations] == [
        (0, 30, "Sleep stage W"),
        (30, 60, "Sleep stage 2"),
    ]


VALID = {
    "a text over two lines": (b"stage 2", b"stage\n2", "Sleep stage\n2"),
    "LATIN-1": (b"stage 2", b"stage\xfc2", "Sleep stage\xfc2"),
    "UTF-8": (b"stage 2", b"stag\xc3\xbc2", "Sleep stag\xfc2"),
    "a fraction": (b"+30\x15", b"+3.\x15", "Sleep stage 2"),
    "before the beginning": (b"+30\x15", b"-30\x15", "Sleep stage 2"),
    "behind the end": (b"+30\x15", b"+99\x15", "Sleep stage 2"),
    "without duration": (b"+30\x1560\x14", b"+3\x14Mov\x14", "Mov"),
    "two texts of one time": (b"stage 2", b"stage\x142", "2"),
}


@pytest.mark.parametrize(("plain", "rare", "text"), VALID.values(), ids=VALID)
def test_what_the_standard_allows_or_old_programs_write_is_read(path, plain, rare, text):
    """Also beside signals, where MNE meets them: its own reading of annotations is not used."""
    rng = np.random.default_rng(0)
    both = path.with_name("both.edf")
    marks = [
        edfio.EdfAnnotation(0, 30, "Sleep stage W"),
        edfio.EdfAnnotation(30, 60, "Sleep stage 2"),
    ]
    wave = edfio.EdfSignal(
        rng.uniform(-90, 90, 12_000), 100, physical_range=(-100, 100), label="EEG"
    )
    edfio.Edf([wave], annotations=marks, data_record_duration=120).write(both)
    expected = EdfReader(both).read("EEG")
    for changed in (path, both):
        data = changed.read_bytes()
        assert data.count(plain) == 1
        changed.write_bytes(data.replace(plain, rare))
        assert text in [a.text for a in read_annotations(changed)[0]]
    reader = EdfReader(both)
    np.testing.assert_array_equal(reader.read("EEG"), expected)
    outside = ["1 annotations in the file reach outside its signals"]
    assert reader.notes == (outside if rare[:3] in (b"-30", b"+99") else [])


def test_times_count_from_the_first_sample(path):
    """The first list may say by what fraction of a second the samples begin later."""
    data = path.read_bytes()
    assert data.count(b"+0\x14\x14\x00") == 1
    _, whole = read_annotations(path)
    path.write_bytes(data.replace(b"+0\x14\x14\x00", b"+7\x14\x14\x00"))
    found, start = read_annotations(path)
    assert [a.onset_s for a in found] == [-7, 23]
    assert start == whole + 7


def paused(path, late_s=0, silent=False):
    """Three data records of a second in an EDF+D file; the last may be late, or not say when."""
    wave = edfio.EdfSignal(np.arange(300.0), 100, physical_range=(0, 300), label="EEG")
    mark = edfio.EdfAnnotation(1.0, 1.0, "a")
    edfio.Edf([wave], annotations=[mark], data_record_duration=1).write(path)
    data = bytearray(path.read_bytes())
    data[192:197] = b"EDF+D"
    assert data.count(b"+2\x14\x14\x00") == 1
    said = b"\x00" * 5 if silent else b"+%d\x14\x14\x00" % (2 + late_s)
    path.write_bytes(data.replace(b"+2\x14\x14\x00", said))
    return path


def test_a_file_that_may_pause_and_never_does_is_read(tmp_path):
    reader = EdfReader(paused(tmp_path / "a.edf"))
    np.testing.assert_allclose(reader.read("EEG"), np.arange(300.0), atol=0.01)
    assert [a.onset_s for a in read_annotations(tmp_path / "a.edf")[0]] == [1]


def test_a_file_that_pauses_or_does_not_say_whether_is_refused(tmp_path):
    with pytest.raises(DataError, match="is interrupted - data record 3 begins at 4 s, not at 2"):
        EdfReader(paused(tmp_path / "a.edf", late_s=2))
    says = "may be interrupted - it is EDF.D, and 1 of 3 data records do not say when they begin"
    with pytest.raises(DataError, match=says):
        EdfReader(paused(tmp_path / "b.edf", silent=True))
    silent = EdfHeader(
        None, 3, 1.0, (EdfSignal("EEG", "uV", ("", ""), (0, 1), (0, 1), 1),), 3, True
    )
    with pytest.raises(DataError, match=r"it is BDF.D, and 3 of 3 .* continuous BDF.C file"):
        list_annotations(tmp_path / "c.bdf", silent)


def test_a_recording_begins_a_fraction_of_a_second_behind_its_header(tmp_path):
    wave = edfio.EdfSignal(np.arange(200.0), 100, physical_range=(0, 200), label="EEG")
    half_past = datetime.time(22, 0, 0, 500_000)
    day = edfio.Recording(startdate=datetime.date(2001, 2, 3))
    mark = edfio.EdfAnnotation(1.0, 1.0, "a")
    edfio.Edf([wave], annotations=[mark], recording=day, starttime=half_past).write(
        tmp_path / "a.edf"
    )
    begins = datetime.datetime(2001, 2, 3, 22, 0, 0, 500_000, datetime.UTC).timestamp()
    assert EdfReader(tmp_path / "a.edf").start == begins
    assert read_annotations(tmp_path / "a.edf") == ([Annotation(1.0, 1.0, "a")], begins)


@pytest.mark.parametrize("late_s", [-0.004, 0.0, 0.004])
def test_a_rounded_time_costs_neither_the_first_nor_the_last_window(tmp_path, late_s):
    ramp = np.arange(5000.0)
    wave = edfio.EdfSignal(ramp, 100, physical_range=(0, 5000), label="EEG")
    marks = [edfio.EdfAnnotation(10 * i + late_s, 10, "wn"[i % 2]) for i in range(1, 5)]
    edfio.Edf([wave], annotations=marks).write(tmp_path / "a.edf")
    plain = {
        "kind": "recordings", "classes": ["w", "n"], "modalities": {"eeg": {"channel": "EEG"}},
        "labels": {"rule": "annotations", "texts": {"w": "w", "n": "n"}}, "quality": {},
        "window": {"length_s": 10.0, "rate_hz": 100.0, "lowpass_hz": None},
        "incomplete_windows": "keep", "strict_channels": True, "strict_rates": True,
    }  # fmt: skip
    record = RawRecord("a", "a", str(tmp_path / "a.edf"))
    rows, windows, _ = cut_record(record, ShardSettings.parse(plain))
    assert windows["label"].tolist() == [-1, 1, 0, 1, 0]
    np.testing.assert_allclose(rows["eeg"], ramp.reshape(5, -1), atol=0.1)


DAMAGE = {
    "an onset without a sign": (b"+30\x15", b"x30\x15"),
    "a duration that is no number": (b"\x1560\x14", b"\x156x\x14"),
    "a list without its end": (b"Sleep stage W\x14\x00", b"Sleep stage W\x14\x14"),
    "an onset beyond any calendar": (b"+30\x1560\x14Sleep stage 2", b"+" + b"9" * 19 + b"\x141234"),
}


@pytest.mark.parametrize(("sound", "damaged"), DAMAGE.values(), ids=DAMAGE)
def test_damaged_lists_are_refused_with_their_data_record(path, sound, damaged):
    header = 256 * (len(read_edf_header(path).signals) + 1)
    data = path.read_bytes()
    assert data[header:].count(sound) == 1
    changed = data[header:].replace(sound, damaged[: len(sound)].ljust(len(sound), b"\x00"))
    path.write_bytes(data[:header] + changed)
    with pytest.raises(DataError, match=r"annotations are damaged.*data record 1|cannot be read"):
        read_annotations(path)
