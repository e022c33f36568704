import datetime

import pytest

from physiome.data.formats.edf import read_annotations
from physiome.data.formats.edf_header import read_edf_header
from physiome.data.recording import Annotation
from physiome.data.write_edf import write_hypnogram
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
        (0, 30, "Sleep stage W"), (30, 60, "Sleep stage 2"),
    ]  # fmt: skip


DAMAGE = {
    "an onset without a sign": (b"+30\x15", b"x30\x15"),
    "a duration that is no number": (b"\x1560\x14", b"\x156x\x14"),
    "a text that is no unicode": (b"stage 2", b"stage\xff2"),
    "a text over two lines": (b"stage 2", b"stage\n2"),
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
