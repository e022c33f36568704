import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physiome.config.data import AnnotationLabels, Dataset, HypotensionLabels, ShardSettings
from physiome.data.cutting.channels import Prepared
from physiome.data.cutting.cut_lead import _pressure_labels
from physiome.data.cutting.labels import (
    annotation_labels,
    hypotension_labels,
    mean_pressure,
    read_scoring,
)
from physiome.data.cutting.marks import Marks
from physiome.data.cutting.quality import Judgement
from physiome.data.recording import Annotation
from physiome.errors import DataError

CLASSES = ("W", "N1", "REM")
RULE = AnnotationLabels(
    rule="annotations",
    texts={"w": "W", "1": "N1", "r": "REM"},
    unscored=("?", "m"),
    margin_class="W",
    margin_s=60.0,
)


def score(rows, duration_s=10_000.0, rule=RULE):
    annotations = [Annotation(float(o), float(d), text) for o, d, text in rows]
    return read_scoring(annotations, rule, CLASSES, duration_s, "night")


def labels_at(scoring, onsets):
    return annotation_labels(scoring, np.asarray(onsets, dtype=float), 30.0).tolist()


def test_a_window_has_the_class_that_covers_it_wholly():
    s = score([(0, 60, "w"), (60, 30, "1"), (90, 30, "m"), (120, 45, "r")])
    assert labels_at(s, [0, 30, 60, 90, 120, 150]) == [0, 0, 1, -1, 2, -1]
    assert labels_at(s, [15, 45]) == [0, -1]


def test_touching_stretches_of_a_class_are_one():
    s = score([(0, 20, "1"), (20, 20, "1"), (40, 20, "1")])
    assert labels_at(s, [0, 15, 30]) == [1, 1, 1]


def lasting(rows, lasts):
    return score(rows, rule=RULE.model_copy(update={"lasts": lasts}))


def test_marks_of_epochs_last_as_long_as_the_rule_says():
    s = lasting([(0, 0, "w"), (30, 0, "1"), (60, 0, "?"), (90, 60, "r"), (150, 0, "1")], 30.0)
    assert labels_at(s, [0, 30, 60, 90, 120, 150, 180]) == [0, 1, -1, 2, 2, 1, -1]


def test_marks_of_changes_last_until_the_next_and_the_last_has_no_end():
    """A rest without a stage ends one; what lasts within it does not."""
    s = lasting([(0, 0, "w"), (60, 0, "1"), (75, 5, "m"), (120, 0, "?"), (150, 0, "r")], "next")
    assert labels_at(s, range(0, 210, 30)) == [0, 0, 1, 1, -1, -1, -1]
    s = lasting([(0, 0, "w"), (60, 0, "1"), (90, 30, "r")], "next")
    assert labels_at(s, range(0, 150, 30)) == [0, 0, 1, 2, -1]


def test_marks_closer_than_they_last_are_refused():
    with pytest.raises(
        DataError, match=r"two classes overlap .*; or make labels\.lasts shorter, or"
    ):
        lasting([(0, 0, "w"), (20, 0, "1")], 30.0)


def test_order_in_the_file_does_not_matter():
    rows = [(0, 60, "w"), (60, 30, "1"), (90, 60, "r")]
    onsets = [0, 30, 60, 90, 120]
    assert labels_at(score(rows), onsets) == labels_at(score(rows[::-1]), onsets)


def test_only_the_margin_around_other_classes_is_read():
    rows = [(0, 3000, "w"), (3000, 30, "1"), (3030, 300, "w"), (3330, 30, "r"), (3360, 3000, "w")]
    assert score(rows).span_s == (2940.0, 3420.0)


def test_other_classes_behind_the_signals_end_do_not_count():
    assert score([(0, 3000, "w"), (3000, 30, "1")], duration_s=300).span_s == (0.0, 300.0)


def test_a_night_of_the_margin_class_alone_is_read_whole():
    assert score([(0, 10_000, "w")]).span_s == (0.0, 10_000.0)


def test_an_unknown_text_names_text_and_time():
    with pytest.raises(DataError, match=r"unknown annotation 'Sleep stage 5' - at 90 s"):
        score([(0, 60, "w"), (90, 30, "Sleep stage 5")])


def test_overlapping_classes_are_refused():
    with pytest.raises(DataError, match=r"overlap - .* - list the text of an event in"):
        score([(0, 60, "w"), (45, 30, "1")])


def test_times_are_of_one_moment_up_to_their_rounding():
    s = score([(0, 30.005, "w"), (30, 29.995, "1"), (60, 30, "1"), (90.004, 30, "r")])
    assert labels_at(s, [0, 30, 60, 90]) == [0, 1, 1, 2]
    with pytest.raises(DataError, match="overlap"):
        score([(0, 30.02, "w"), (30, 30, "1")])


def test_nothing_scored_is_refused():
    with pytest.raises(DataError, match="no annotation carries a class"):
        score([(0, 60, "?")])
    says = r"of 2 with .* none has a duration - say in labels\.lasts .*, or next"
    with pytest.raises(DataError, match=says):
        score([(0, 0, "w"), (30, 0, "1"), (60, 30, "?")])
    says = r"of 1 .* or is followed by another - say in labels\.lasts how many seconds each lasts"
    with pytest.raises(DataError, match=says):
        lasting([(0, 0, "w")], "next")


def test_scored_overhang_is_counted_and_limited():
    rows = [(0, 900, "w"), (900, 900, "1"), (1800, 9000, "?")]
    assert score(rows, duration_s=1200).overhang_s == 600
    strict = RULE.model_copy(update={"max_overhang_s": 599.0})
    with pytest.raises(DataError, match="outlast the signals - by 600 s, allowed are 599 s"):
        score(rows, duration_s=1200, rule=strict)
    score(rows, duration_s=1201, rule=strict)


def test_signals_behind_the_last_annotation_are_limited():
    rows = [(0, 900, "w"), (900, 900, "1"), (1800, 600, "?")]
    strict = RULE.model_copy(update={"max_shortfall_s": 600.0})
    score(rows, duration_s=3000, rule=strict)
    with pytest.raises(DataError, match="signals outlast the annotations - by 601 s, allowed are"):
        score(rows, duration_s=3001, rule=strict)


# --- hypotension ---------------------------------------------------------------------------

RATE = 10.0


def hypotension(pressure, rule, invalid=None, outside=None, length_s=60):
    n, samples = len(pressure), int(length_s * RATE)
    none = np.zeros(n, dtype=bool)
    starts = np.arange(0, n - samples + 1, samples)
    label, event = hypotension_labels(
        pressure,
        none if invalid is None else invalid,
        none if outside is None else outside,
        starts,
        samples,
        RATE,
        rule,
        max_outside=0.05,
    )
    return label, event, starts


def rule(**kwargs):
    return HypotensionLabels(rule="hypotension", **kwargs)


def slow_twin(pressure, start, r):
    """The definition, read aloud: one loop per quantifier."""
    mean, sustained = round(r.mean_s * RATE), round(r.sustained_s * RATE)
    begin = start + 600 + round(r.gap_s * RATE)
    end = begin + round(r.span_s * RATE)
    if end > len(pressure):
        return -1
    means = [pressure[i : i + mean].mean() for i in range(begin, end - mean + 1)]
    low = [m < r.threshold_mmhg for m in means]
    for first in range(end - begin - sustained + 1):
        if all(low[first : first + sustained - mean + 1]):
            return 1
    return 0


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([(0, 300, 60), (120, 60, 60), (60, 100, 30)]))
def test_labels_equal_the_definition_read_aloud(seed, spans):
    rng = np.random.default_rng(seed)
    levels = rng.choice([58.0, 62.0, 64.0, 70.0], size=40)
    pressure = np.repeat(levels, 150) + rng.normal(0, 1.0, 6000)
    r = rule(gap_s=float(spans[0]), span_s=float(spans[1]), sustained_s=float(spans[2]))
    label, _, starts = hypotension(pressure, r)
    assert label.tolist() == [slow_twin(pressure, s, r) for s in starts]


def test_a_minute_span_is_the_maximum_of_its_two_second_means():
    rng = np.random.default_rng(1)
    pressure = np.repeat(rng.choice([60.0, 64.5, 66.0], 60), 100) + rng.normal(0, 0.8, 6000)
    r = rule(gap_s=120.0, span_s=60.0, sustained_s=60.0)
    label, _, starts = hypotension(pressure, r)
    moving = np.convolve(pressure, np.ones(20) / 20, mode="valid")
    for start, found in zip(starts, label, strict=True):
        begin = start + 600 + 1200
        expected = -1 if begin + 600 > 6000 else int(moving[begin : begin + 581].max() < 65)
        assert found == expected


def test_a_drop_at_a_known_time_is_seen_from_the_right_windows():
    pressure = np.full(12_000, 90.0)  # 20 min
    pressure[7200:7800] = 55.0  # low from 12:00 to 13:00
    label, event, _ = hypotension(pressure, rule(span_s=300.0))
    # Spans of 5 min that hold 12:00-13:00 whole begin at 8:00 to 12:00: windows 7 to 11.
    assert np.flatnonzero(label == 1).tolist() == [7, 8, 9, 10, 11]
    assert np.flatnonzero(event).tolist() == [12]
    assert (label[15:] == -1).all()


def test_pressure_at_the_threshold_is_not_low():
    label, event, _ = hypotension(np.full(6000, 65.0), rule(span_s=60.0))
    assert set(label[:-1]) == {0}
    assert not event.any()


def test_a_stretch_just_too_short_is_not_sustained():
    pressure = np.full(6000, 90.0)
    pressure[1200:1799] = 10.0
    assert not (hypotension(pressure, rule(mean_s=0.1, span_s=300.0))[0] == 1).any()
    pressure[1799] = 10.0
    assert (hypotension(pressure, rule(mean_s=0.1, span_s=300.0))[0] == 1).any()


def test_unrecorded_or_implausible_pressure_gives_no_label():
    pressure = np.full(6000, 50.0)
    holes = np.zeros(6000, dtype=bool)
    holes[700] = True
    label, event, _ = hypotension(pressure, rule(span_s=60.0), invalid=holes)
    assert label.tolist() == [-1] + [1] * 8 + [-1]
    assert event.tolist() == [True, False] + [True] * 8
    label, _, _ = hypotension(pressure, rule(span_s=60.0), outside=np.arange(6000) < 640)
    assert label.tolist() == [-1 if i == 0 else 1 for i in range(9)] + [-1]
    pressure[:] = np.nan
    label, event, _ = hypotension(pressure, rule(span_s=60.0))
    assert set(label) == {-1}
    assert not event.any()


def test_pressure_out_of_either_bound_or_stuck_anywhere_gives_no_label():
    """Ten minutes, a window each; 90 s of the sixth to eighth are stuck, high or low."""
    window = {"length_s": 60.0, "rate_hz": RATE}
    cut = ShardSettings.parse(
        Dataset.parse(
            {"title": "P", "batches": 1, "source": {"kind": "recordings", "folder": "x"},
             "modalities": {"abp": {"channel": "ABP", "low": 20.0, "high": 250.0}},
             "classes": ["no", "yes"], "window": window,
             "labels": {"rule": "hypotension", "gap_s": 0.0, "span_s": 60.0}}
        ).shard_settings()
    )  # fmt: skip
    labels = {}
    for case, value in {"sound": 80.0, "low": 10.0, "high": 300.0, "stuck": 80.0}.items():
        pressure = np.full(6000, 80.0)
        pressure[3600:4500] = value
        flat = np.array([[0.0, 5.0], [360.0, 450.0]]) if case == "stuck" else np.empty((0, 2))
        marks = Marks(flat, np.zeros(10), 900)
        prepared = Prepared(pressure, np.zeros(6000, bool), marks, np.arange(10) * 600)
        verdict = Judgement(np.ones(10, bool), {}, *[np.empty(0)] * 2, None, np.empty(0))
        modality = cut.modalities["abp"]
        assert isinstance(cut.labels, HypotensionLabels)
        found = _pressure_labels(prepared, verdict, modality, cut, cut.labels)
        labels[case] = found["label"].tolist()
    assert labels.pop("sound") == [0] * 9 + [-1]
    assert all(found == [0] * 5 + [-1, -1, 0, 0, -1] for found in labels.values()), labels


def test_a_record_shorter_than_the_average_has_no_label():
    label, event, _ = hypotension(np.full(15, 50.0), rule(span_s=60.0), length_s=1)
    assert label.tolist() == [-1]
    assert event.tolist() == [False]


def test_the_dense_target_is_the_mean_over_the_label_span():
    rate_hz, samples = 10.0, 50
    rising = np.linspace(60.0, 80.0, 100)
    pressure = np.concatenate([np.full(100, 90.0), rising, np.full(100, 50.0)])
    rule = HypotensionLabels(
        rule="hypotension", gap_s=5.0, span_s=10.0, sustained_s=5.0, mean_s=1.0, dense=True
    )
    starts, label = np.array([0, 50, 100, 250]), np.array([0, 1, 1, -1], dtype=np.int8)
    target = mean_pressure(pressure, starts, samples, rate_hz, rule, label)
    # Spans begin 5 s after the end of the window: at samples 100, 150, 200; the last has no label.
    assert target[:3] == pytest.approx([70.0, (pressure[150:200].sum() + 2500) / 100, 50.0])
    assert np.isnan(target[3])
