"""Fault 4: Hypnogram longer or shorter than the PSG.

The part without counterpart gets no label and is counted; more than `max_overhang_s` or
`max_shortfall_s` leaves the night out.
"""

import datetime

import pytest
from nights import hypnogram, left_out, sleep, to_shard, with_labels, write_nights

from physiome.data.formats.edf import read_annotations
from physiome.data.recording import Annotation
from physiome.data.report import Report
from physiome.data.synthetic.write_edf import write_hypnogram
from physiome.steps.folds import _row

HALF_HOUR_S = 1800.0
LONG, SHORT = "SC4001", "SC4011"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two nights of an hour: the stages of one go on for half an hour, the other's end halfway."""
    folder = write_nights(tmp_path_factory.mktemp("raw"), 2, hours=1.0)
    found, start = read_annotations(hypnogram(folder, LONG))
    end_s = found[-1].onset_s
    longer = [*found[:-1], Annotation(end_s, 3600.0 + HALF_HOUR_S - end_s, "Sleep stage 2")]
    _rewrite(folder, LONG, longer, start)
    found, start = read_annotations(hypnogram(folder, SHORT))
    shorter = [
        Annotation(a.onset_s, min(a.duration_s, HALF_HOUR_S - a.onset_s), a.text)
        for a in found
        if a.onset_s < HALF_HOUR_S
    ]
    _rewrite(folder, SHORT, shorter, start)
    return folder


def _rewrite(folder, record, annotations, start):
    assert start is not None
    moment = datetime.datetime.fromtimestamp(start, datetime.UTC)
    write_hypnogram(hypnogram(folder, record), annotations, moment)


def test_fault_04_the_part_without_counterpart_is_counted_and_never_labelled(folder, tmp_path):
    entries = to_shard(sleep(folder), folder, tmp_path)
    assert left_out(entries) == {}
    assert entries[LONG]["overhang_s"] == HALF_HOUR_S
    assert sum(entries[LONG]["labels"].values()) == entries[LONG]["windows"] == 120
    assert entries[SHORT]["labels"]["none"] == 60
    assert entries[SHORT]["overhang_s"] == 0.0
    summary = {record: _row(Report.parse(entry)) for record, entry in entries.items()}
    assert summary[SHORT]["unlabelled_windows"] == 60
    assert summary[LONG]["overhang_s"] == HALF_HOUR_S


@pytest.mark.parametrize(
    ("limit", "record", "says"),
    [
        ("max_overhang_s", LONG, "annotations outlast the signals - by 1800 s, allowed are 1500 s"),
        (
            "max_shortfall_s",
            SHORT,
            "signals outlast the annotations - by 1800 s, allowed are 1500 s",
        ),
    ],
)
def test_fault_04_more_than_a_limit_leaves_the_night_out(folder, tmp_path, limit, record, says):
    reasons = left_out(
        to_shard(with_labels(sleep(folder), **{limit: 1500.0}), folder, tmp_path / "a")
    )
    assert list(reasons) == [record]
    assert says in reasons[record]
    assert f"{record}EC-Hypnogram.edf" in reasons[record]
    allowed = with_labels(sleep(folder), **{limit: 1800.0})
    assert left_out(to_shard(allowed, folder, tmp_path / "b")) == {}
