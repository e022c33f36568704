import gzip
import os
import random

import pytest

from physiome.data.download.file_checks import is_whole_vital, looks_like_page
from physiome.errors import DataError


@pytest.mark.parametrize("keep", [0, 3, 0.3, 0.7, 0.999])
def test_a_cut_vital_file_is_refused(tmp_path, keep):
    packed = gzip.compress(b"VITA" + os.urandom(5000))
    path = tmp_path / "x.part"
    path.write_bytes(packed)
    is_whole_vital(path)
    path.write_bytes(packed[: keep if isinstance(keep, int) else int(keep * len(packed))])
    with pytest.raises(DataError):
        is_whole_vital(path)


def test_every_flipped_bit_of_a_vital_file_is_found(tmp_path):
    samples = bytes(random.Random(0).choices(range(16), k=10_000))
    packed = gzip.compress(b"VITA" + samples, mtime=0)
    path = tmp_path / "x.vital"
    for place in range(10, len(packed), 97):  # behind the gzip header, which carries no data
        path.write_bytes(packed[:place] + bytes([packed[place] ^ 16]) + packed[place + 1 :])
        with pytest.raises(DataError):
            is_whole_vital(path)


def test_another_gzip_file_is_no_vital_file(tmp_path):
    (tmp_path / "x").write_bytes(gzip.compress(b"caseid,tname"))
    with pytest.raises(DataError, match=r"not a \.vital file"):
        is_whole_vital(tmp_path / "x")


def test_pages_and_data_are_told_apart():
    assert looks_like_page(b"\n <HTML><head>")
    assert looks_like_page(b"\xef\xbb\xbf<!doctype HTML>")
    assert not looks_like_page(b"0       X X X")
    assert not looks_like_page(b"")
