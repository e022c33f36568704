import errno
import warnings

import edfio
import numpy as np
import pytest
import scipy.io
from format_files import NAMES, RATE_HZ, SECONDS, brainvision, microvolts

from physiome.data.cutting.signals import unit_factor
from physiome.data.formats import open_reader
from physiome.data.formats.complaints import refuse_complaints
from physiome.errors import DataError


@pytest.mark.parametrize(
    ("complain", "says"),
    [
        (lambda: warnings.warn("half is lost", RuntimeWarning, stacklevel=1), "half is lost"),
        (lambda: print("Error in\tfile: 7"), "Error in file: 7"),
        (lambda: [][0], "IndexError"),
        (lambda: int("x"), "ValueError: invalid literal"),
    ],
)
def test_a_complaint_is_an_error_about_the_file(complain, says):
    with pytest.raises(DataError, match=f"^a.vital: .*{says}"), refuse_complaints("a.vital", "lib"):
        complain()


def test_our_own_errors_and_a_lack_of_memory_pass():
    for error in (DataError("cut"), MemoryError()):
        with pytest.raises(type(error)) as caught, refuse_complaints("a.edf", "lib"):
            raise error
        assert caught.value is error


def test_a_disk_that_fails_says_nothing_about_the_file():
    with pytest.raises(OSError, match="Input/output"), refuse_complaints("a.edf", "lib"):
        raise OSError(errno.EIO, "Input/output error")


def test_a_warning_about_the_library_s_code_is_passed_on():
    with pytest.warns(DeprecationWarning, match="old"), refuse_complaints("a.edf", "lib"):
        warnings.warn("old", DeprecationWarning, stacklevel=1)


def limited(*lines: str):
    """What is raised for a library that says these lines, where the first kind is known."""
    with refuse_complaints("a.edf", "lib", known=r"Limited \d+"):
        for line in lines:
            warnings.warn(line, RuntimeWarning, stacklevel=1)
            print(line)


def test_only_what_the_caller_knows_of_is_let_pass():
    limited("Limited 3 annotations")
    with pytest.raises(DataError, match="this file - Not so Limited 3 - fetch"):
        limited("Limited 3 annotations", "Not so Limited 3")


def test_silence_is_fine_and_what_is_printed_later_is_printed(capsys):
    with refuse_complaints("a.edf", "lib"):
        samples = [1, 2]
    print(samples)
    assert capsys.readouterr().out == "[1, 2]\n"


AMPLIFIER = """
[Comment]

A m p l i f i e r  S e t u p
============================
Channels
--------
#     Name      Phys. Chn.    Resolution / Unit   Low Cutoff [s]   High Cutoff [Hz]   Notch [Hz]
1     EEG F3      1                1 uV             10               30                 Off
2     ECG         2                1 uV             DC               15                 Off

S o f t w a r e  F i l t e r s
==============================
"""
SOFTWARE = """#     Low Cutoff [s]   High Cutoff [Hz]   Notch [Hz]
1      0.9              5                  50
2      0.9              5                  50
"""
ASIDES = {
    "filters of channels": AMPLIFIER + "Disabled\n",
    "software filters": AMPLIFIER + SOFTWARE,
    "places of electrodes": "\n[Coordinates]\nCh1=1,-90,45\nCh2=0,0,0\n",
}


@pytest.mark.parametrize("told", ASIDES.values(), ids=ASIDES)
def test_what_brainvision_says_aside_keeps_no_recording_out(tmp_path, told):
    path = tmp_path / "r.vhdr"
    brainvision(path)
    path.write_text(path.read_text("utf-8") + told, "utf-8")
    reader = open_reader(path)
    for name, expected in zip(NAMES, microvolts(), strict=True):
        factor = unit_factor(reader.channels()[name].unit, "uV")
        np.testing.assert_allclose(factor * reader.read(name), expected, atol=1e-3)
    assert not reader.notes


def test_brainvision_keeps_units_of_pressure(tmp_path):
    path = tmp_path / "r.vhdr"
    brainvision(path)
    path.write_text(path.read_text("utf-8").replace("ECG,,1,µV", "ECG,,1,kPa"), "utf-8")
    assert {c.name: c.unit for c in open_reader(path).channels().values()} == {
        "EEG F3": "V", "ECG": "kPa"
    }  # fmt: skip


@pytest.mark.parametrize("mark_at", [0.5, 500.5])
def test_what_eeglab_says_aside_keeps_no_recording_out(tmp_path, mark_at):
    """Electrodes in odd places, a file renamed, marks of the beginning and beyond the end."""
    beyond = {"type": "rest", "latency": 1500.0, "duration": 3000.0}
    place = {"X": 0.09, "Y": 0.02, "Z": 0.08, "theta": 1.0, "radius": 0.3, "type": "PERIPH"}
    eeg = {
        "setname": "made up", "srate": float(RATE_HZ), "nbchan": 2, "trials": 1,
        "pnts": RATE_HZ * SECONDS, "xmin": 0.0, "xmax": SECONDS - 1 / RATE_HZ,
        "data": "before.fdt", "chanlocs": [{"labels": name, **place} for name in NAMES],
        "event": [{"type": "boundary", "latency": mark_at, "duration": 0.0}, beyond],
        "epoch": [], "icawinv": [], "icasphere": [], "icaweights": [],
    }  # fmt: skip
    scipy.io.savemat(tmp_path / "r.set", {"EEG": eeg}, appendmat=False)
    (tmp_path / "r.fdt").write_bytes(microvolts().T.astype("<f4").tobytes())
    if mark_at == 500.5:
        with pytest.raises(DataError, match="interrupted"):
            open_reader(tmp_path / "r.set")
        return
    reader = open_reader(tmp_path / "r.set")
    np.testing.assert_allclose(1e6 * reader.read("ECG"), microvolts()[1], atol=1e-3)
    assert [note.partition(" ")[0] for note in reader.notes] == ["Limited", "Omitted"]


@pytest.mark.parametrize(
    ("place", "told"), [(256 + 2 * 136, b"HP:70Hz LP:0.5Hz"), (8, b"X M 02-MAY-1951 name age=45")]
)
def test_what_edf_says_aside_keeps_no_recording_out(tmp_path, place, told):
    path = tmp_path / "a.edf"
    signals = [
        edfio.EdfSignal(x, RATE_HZ, label=name, physical_range=(-200, 200))
        for name, x in zip(NAMES, microvolts(), strict=True)
    ]
    edfio.Edf(signals).write(path)
    content = bytearray(path.read_bytes())
    content[place : place + 80] = told.ljust(80)
    path.write_bytes(content)
    np.testing.assert_allclose(open_reader(path).read("EEG F3"), signals[0].data, atol=1e-9)
