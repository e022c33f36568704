"""Fault 3: PSG without its hypnogram, or with another night's.

Files pair by record id and must state the same start; the reason names both files.
"""

import pytest
from nights import copy_night, hypnogram, left_out, psg, sleep, to_folds, to_shard, write_nights

GOOD = 7


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Nine nights; two with each other's hypnogram; one without hypnogram, one without signals."""
    folder = write_nights(tmp_path_factory.mktemp("raw"), GOOD + 2)
    for record in ("SC4501", "SC4511"):
        copy_night(folder, "SC4001", record)
    hypnogram(folder, "SC4501").unlink()
    psg(folder, "SC4511").unlink()
    one, other = hypnogram(folder, "SC4071"), hypnogram(folder, "SC4081")
    one_bytes = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(one_bytes)
    out = tmp_path_factory.mktemp("out")
    return folder, out, left_out(to_shard(sleep(folder), folder, out))


def test_fault_03_a_night_without_its_pair_says_which_file_lacks(place):
    reasons = place[2]
    assert "SC4501E0-PSG.edf has no hypnogram" in reasons["SC4501"]
    assert "put SC4501??-Hypnogram.edf beside it" in reasons["SC4501"]
    assert "SC4511EC-Hypnogram.edf has no signals" in reasons["SC4511"]


def test_fault_03_swapped_hypnograms_are_told_by_their_start_and_both_files_named(place):
    reasons = place[2]
    for record in ("SC4071", "SC4081"):
        assert "signals and annotations begin at different times" in reasons[record]
        assert f"{record}E0-PSG.edf and " in reasons[record]
        assert f"{record}EC-Hypnogram.edf are " in reasons[record]


def test_fault_03_the_other_nights_go_on(place):
    folder, out, reasons = place
    assert sorted(reasons) == ["SC4071", "SC4081", "SC4501", "SC4511"]
    table = to_folds(sleep(folder), out)
    assert table["status"].value_counts().to_dict() == {"used": GOOD, "left_out": 4}
