"""Fault 1: EDF file cut.

The record is left out with the bytes expected and found; others go on; more of them than
`max_left_out` stop the run.
"""

import numpy as np
import pytest
from nights import copy_night, left_out, psg, sleep, to_folds, to_shard, write_nights

from physiome.errors import DataError

GOOD = 7


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    """Seven good nights, and ten cut at random offsets: record -> bytes kept, and of how many.

    The first cut lies in the header, the last one takes a single byte.
    """
    folder = write_nights(tmp_path_factory.mktemp("raw"), GOOD)
    whole = psg(folder, "SC4001").read_bytes()
    offsets = np.random.default_rng(1).integers(2500, len(whole), 8).tolist()
    kept = {}
    for number, keep in enumerate([700, *offsets, len(whole) - 1]):
        record = f"SC45{number}1"
        copy_night(folder, "SC4001", record)
        psg(folder, record).write_bytes(whole[:keep])
        kept[record] = keep
    return folder, kept, len(whole)


@pytest.fixture(scope="module")
def entries(nights, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    return to_shard(sleep(nights[0]), nights[0], out), out


def test_fault_01_a_cut_night_is_left_out_with_bytes_expected_and_found(nights, entries):
    _, kept, whole = nights
    reasons = left_out(entries[0])
    assert sorted(reasons) == sorted(kept)
    for record, keep in kept.items():
        assert "cut" in reasons[record]
        if keep > 2500:
            assert f"{whole} bytes expected, {keep} found - fetch the file again" in reasons[record]


def test_fault_01_the_other_nights_go_on_and_the_summary_counts_both(nights, entries):
    folder, kept, _ = nights
    table = to_folds(sleep(folder, max_left_out=0.6), entries[1])
    assert table["status"].value_counts().to_dict() == {"left_out": len(kept), "used": GOOD}
    assert (table.loc[list(kept), "windows"] == 0).all()
    assert table.loc[list(kept), "reason"].str.contains("cut").all()


def test_fault_01_too_many_cut_nights_stop_the_run(nights, entries):
    (entries[1] / "folds.json").unlink(missing_ok=True)
    with pytest.raises(DataError, match=r"10 of 17 records cannot be used.*max_left_out = 0\.2"):
        to_folds(sleep(nights[0], max_left_out=0.2), entries[1])
    assert not (entries[1] / "folds.json").exists()
