"""Fault 2: EDF header damaged, a web page saved as EDF, an empty file.

Left out; the reason names the field, or says "web page" or "empty", and to fetch the file again.
"""

import pytest
from nights import copy_night, hypnogram, left_out, psg, sleep, to_shard, write_nights

SIGNALS = 7  # of a night; the fields of all signals lie one kind after the other
LOW, DIGITAL = 256 + SIGNALS * 104, 256 + SIGNALS * 120
SAMPLES = 256 + SIGNALS * 216
# record: offset, bytes put there, what the reason must say
DAMAGE = {
    "SC4101": (0, b"1", "not an EDF file"),
    "SC4111": (168, b"31.02.89", "start date and time"),
    "SC4121": (176, b"25.00.00", "start date and time"),
    "SC4131": (184, b"7x8     ", "header size"),
    "SC4141": (236, b"-1      ", "never closed"),
    "SC4151": (236, b"0       ", "no data records"),
    "SC4161": (236, b"99999999", "bytes expected"),
    "SC4171": (244, b"one     ", "record duration"),
    "SC4181": (244, b"-30     ", "record duration"),
    "SC4191": (252, b"zero", "number of signals"),
    "SC4201": (252, b"9   ", "header size"),
    "SC4211": (LOW, b"low     ", "physical minimum of EEG Fpz-Cz"),
    "SC4221": (DIGITAL, b"2047    ", "no digital range"),
    "SC4231": (SAMPLES, b"1e9     ", "samples per record of EEG Fpz-Cz"),
    "SC4241": (192, b"EDF+D", "interrupted"),
    "SC4251": (256, b"\xff\x00\n\x1b[31m       ", "no channel 'EEG Fpz-Cz'"),
}
PAGE = b"<!DOCTYPE html>\n<html><body>Please log in</body></html>"


@pytest.fixture(scope="module")
def reasons(tmp_path_factory):
    """Why each record of a folder was left out; two sound nights are among them."""
    folder = write_nights(tmp_path_factory.mktemp("raw"), 2)
    for record, (offset, text, _) in DAMAGE.items():
        copy_night(folder, "SC4001", record)
        content = bytearray(psg(folder, record).read_bytes())
        content[offset : offset + len(text)] = text
        psg(folder, record).write_bytes(content)
    for record, content in (("SC4301", PAGE), ("SC4311", b"")):
        copy_night(folder, "SC4001", record)
        psg(folder, record).write_bytes(content)
    for record, content in (("SC4321", PAGE), ("SC4331", b"")):
        copy_night(folder, "SC4001", record)
        hypnogram(folder, record).write_bytes(content)
    dataset = sleep(folder, strict_channels=True)
    return left_out(to_shard(dataset, folder, tmp_path_factory.mktemp("out")))


@pytest.mark.parametrize("record", DAMAGE)
def test_fault_02_a_damaged_header_names_the_field(reasons, record):
    assert DAMAGE[record][2] in reasons[record]
    assert f"{record}E0-PSG.edf" in reasons[record]
    assert reasons[record].isprintable()


@pytest.mark.parametrize(
    ("record", "says", "file"),
    [
        ("SC4301", "this is a web page, not an EDF file", "SC4301E0-PSG.edf"),
        ("SC4311", "file is empty", "SC4311E0-PSG.edf"),
        ("SC4321", "this is a web page, not an EDF file", "SC4321EC-Hypnogram.edf"),
        ("SC4331", "file is empty", "SC4331EC-Hypnogram.edf"),
    ],
)
def test_fault_02_a_web_page_and_an_empty_file_are_named_as_such(reasons, record, says, file):
    assert f"{file}: {says} - fetch the file again" in reasons[record]


def test_fault_02_sound_nights_beside_them_are_used(reasons):
    assert set(reasons) == {*DAMAGE, "SC4301", "SC4311", "SC4321", "SC4331"}
