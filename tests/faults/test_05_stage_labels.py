"""Fault 5: Unknown stage, movement, `?`.

Unscored and counted if listed in `labels.unscored`, else left out with label and time.
"""

import datetime

import pytest
from nights import hypnogram, left_out, sleep, to_folds, to_shard, with_labels, write_nights

from physiome.data.formats.edf import read_annotations
from physiome.data.recording import Annotation
from physiome.data.synthetic.write_edf import write_hypnogram

STRANGE, MOVED = "SC4001", "SC4011"
EPOCHS = 20
GOOD = 7


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Nights of 20 epochs: one has a stage 5 at 90 s, one two epochs of movement and three `?`."""
    folder = write_nights(tmp_path_factory.mktemp("raw"), GOOD)
    relabel(folder, STRANGE, {3: "Sleep stage 5"})
    unscored = dict.fromkeys((6, 7), "Movement time") | dict.fromkeys((8, 18, 19), "Sleep stage ?")
    relabel(folder, MOVED, unscored)
    return folder


def relabel(folder, record, changes):
    """Write a night's hypnogram epoch by epoch, with other texts for some epochs."""
    found, start = read_annotations(hypnogram(folder, record))
    assert start is not None
    texts = [
        changes.get(epoch, next(a.text for a in reversed(found) if a.onset_s <= 30 * epoch))
        for epoch in range(EPOCHS)
    ]
    rows = [Annotation(30.0 * epoch, 30.0, text) for epoch, text in enumerate(texts)]
    write_hypnogram(
        hypnogram(folder, record), rows, datetime.datetime.fromtimestamp(start, datetime.UTC)
    )


def test_fault_05_an_unknown_stage_is_named_with_its_time_and_movement_is_unscored(
    folder, tmp_path
):
    entries = to_shard(sleep(folder), folder, tmp_path)
    reasons = left_out(entries)
    assert list(reasons) == [STRANGE]
    assert "unknown annotation 'Sleep stage 5' - at 90 s - list it in labels" in reasons[STRANGE]
    assert entries[MOVED]["labels"]["none"] == 5
    assert entries[MOVED]["windows"] == EPOCHS
    table = to_folds(sleep(folder, max_left_out=0.2), tmp_path)
    assert table.loc[MOVED, "unlabelled_windows"] == 5
    assert table["status"].value_counts().to_dict() == {"used": GOOD - 1, "left_out": 1}


def test_fault_05_a_stage_listed_as_unscored_is_no_label(folder, tmp_path):
    unscored = ("Sleep stage ?", "Movement time", "Sleep stage 5")
    entries = to_shard(with_labels(sleep(folder), unscored=unscored), folder, tmp_path)
    assert left_out(entries) == {}
    assert entries[STRANGE]["labels"]["none"] == 3  # the last two epochs are never scored
