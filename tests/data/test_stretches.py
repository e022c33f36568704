"""A channel that is read in stretches gives what it gives read whole, and at its own times."""

from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physiome.config.data import ShardSettings
from physiome.data.cutting import channels
from physiome.data.cutting.cut_lead import Findings, cut_lead
from physiome.data.cutting.grid import Plan
from physiome.data.cutting.picking import Pick
from physiome.data.cutting.stretches import divide
from physiome.data.recording import Channel

LENGTH_S = 600.0


@dataclass
class Whole:
    """A recording in memory that counts what is asked of it."""

    x: np.ndarray
    rate_hz: float
    path: Path = Path("x")
    longest: int = 0
    reads: int = field(default=0)

    def read(self, channel, start_s=0.0, stop_s=None):
        last = None if stop_s is None else round(stop_s * self.rate_hz)
        part = self.x[round(start_s * self.rate_hz) : last]
        self.longest, self.reads = max(self.longest, len(part)), self.reads + 1
        return part.copy()


def shard_settings(target_hz):
    return ShardSettings.parse(
        {
            "kind": "recordings",
            "classes": ["no", "yes"],
            "modalities": {"m": {"channel": "c", "low": -9.0, "high": 9.0}},
            "window": {"length_s": 10.0, "rate_hz": target_hz, "lowpass_hz": 30.0},
            "labels": {"rule": "column", "column": "k", "texts": {"no": "no", "yes": "yes"}},
            "quality": {},
            "incomplete_windows": "keep",
            "strict_channels": False,
            "strict_rates": False,
        },
        "test",
    )


def prepared(x, rate_hz, target_hz, onset_s, samples, monkeypatch):
    monkeypatch.setattr(channels, "divide", partial(divide, samples=samples))
    spec, reader = shard_settings(target_hz), Whole(x, rate_hz)
    onsets_s = onset_s + 10.0 * np.arange(int((len(x) / rate_hz - onset_s) // 10))
    plan = Plan(onsets_s, np.arange(len(onsets_s)), len(x) / rate_hz)
    channel = Channel("c", rate_hz, "", len(x) / rate_hz)
    found = channels.prepare_channel(reader, Pick(channel), spec.modalities["m"], plan, spec)
    return found, reader


def eventful(rng, n, rate_hz):
    """Noise of few levels with gaps, flat and clipped stretches anywhere, some of them long."""
    x = np.round(rng.normal(0, 2, n), 1)
    for _ in range(12):
        first, length = int(rng.integers(n)), int(rng.exponential(6 * rate_hz)) + 1
        part = x[first : first + min(length, int(50 * rate_hz))]
        kind = rng.integers(3)
        part[:] = np.nan if kind == 0 else part[0] if kind == 1 else part.clip(-1, 1)
    return x


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from([(128.0, 100.0), (100.0, 100.0), (64.0, 100.0), (99.9, 50.0)]),
    st.sampled_from([0.0, 3.5, 47.25]),
    st.integers(3000, 30_000),
)
def test_stretches_give_what_the_whole_gives(seed, rates, onset_s, samples):
    rate_hz, target_hz = rates
    x = eventful(np.random.default_rng(seed), int(LENGTH_S * rate_hz), rate_hz)
    with pytest.MonkeyPatch.context() as patch:
        whole, _ = prepared(x, rate_hz, target_hz, onset_s, 1 << 30, patch)
        parts, reader = prepared(x, rate_hz, target_hz, onset_s, samples, patch)
    assert reader.reads > 1
    assert reader.longest < len(x)
    assert len(parts.samples) == len(whole.samples)
    np.testing.assert_array_equal(parts.missing, whole.missing)
    # No gap here outlasts what is read around a stretch, so nothing is bridged differently. The
    # resampling takes a line off what it is given, and its gain is 1 to about five digits.
    tolerance = 1e-9 if rate_hz == target_hz else 1e-3
    np.testing.assert_allclose(parts.samples, whole.samples, atol=tolerance)
    np.testing.assert_array_equal(parts.starts, whole.starts)
    np.testing.assert_allclose(parts.marks.flat, whole.marks.flat, atol=1e-9)
    np.testing.assert_array_equal(parts.marks.clipped, whole.marks.clipped)
    assert parts.marks.levels == whole.marks.levels


def test_a_gap_that_outlasts_what_is_read_around_a_stretch_changes_nothing_far_from_it(monkeypatch):
    x = eventful(np.random.default_rng(1), 60_000, 100.0)
    x[15_000:40_000] = np.nan
    whole, _ = prepared(x, 100.0, 100.0, 0.0, 1 << 30, monkeypatch)
    parts, _ = prepared(x, 100.0, 100.0, 0.0, 5000, monkeypatch)
    np.testing.assert_array_equal(parts.missing, whole.missing)
    known = ~whole.missing
    known[14_900:40_100] = False  # within the filter's reach of the gap
    np.testing.assert_allclose(parts.samples[known], whole.samples[known], atol=1e-9)


def delay_s(found, onsets_s, target_hz, tone_hz):
    """By how much a tone in the windows of a channel lags behind the recording's clock."""
    places = np.arange(10 * int(target_hz))
    at_s = np.concatenate([onset + places / target_hz for onset in onsets_s])
    tone = np.concatenate([found.samples[start + places] for start in found.starts])
    angle = 2 * np.pi * tone_hz * at_s
    parts, *_ = np.linalg.lstsq(np.stack([np.sin(angle), np.cos(angle)], 1), tone, rcond=None)
    return -np.arctan2(parts[1], parts[0]) / (2 * np.pi * tone_hz)


@pytest.mark.parametrize("onset_s", [0.0, 60.0, 60.02, 100.48, 33.5])
@pytest.mark.parametrize("rate_hz", [0.4, 1.0, 4.0, 12.5, 64.0, 99.9, 100.0, 256.0])
def test_windows_hold_what_was_recorded_at_their_time(rate_hz, onset_s, monkeypatch):
    tone_hz = 0.05
    x = np.sin(2 * np.pi * tone_hz * np.arange(int(LENGTH_S * rate_hz)) / rate_hz)
    found, _ = prepared(x, rate_hz, 100.0, onset_s, 1 << 30, monkeypatch)
    found = replace(found, starts=found.starts[:-5])  # behind the last sample nothing is known
    onsets_s = onset_s + 10.0 * np.arange(len(found.starts))
    assert abs(delay_s(found, onsets_s, 100.0, tone_hz)) < 2e-3


def judged(x, rate_hz, first, last, **changes):
    """Windows `first` to `last` of a channel with what is lost, as if no others were wanted."""
    spec = shard_settings(100.0)
    window = spec.window.model_copy(update={"length_s": changes.pop("length_s", 10.0)})
    quality = spec.quality.model_copy(update=changes)
    spec = spec.model_copy(update={"window": window, "quality": quality})
    onsets_s = window.length_s * np.arange(first, last)
    plan = Plan(onsets_s, np.arange(first, last), float(onsets_s[-1]) + window.length_s)
    pick = Pick(Channel("c", rate_hz, "", len(x) / rate_hz))
    met = Findings(notes=[])
    rows, verdict = cut_lead(Whole(x, rate_hz), pick, "m", spec.modalities["m"], plan, spec, met)
    return rows, verdict.reason.tolist()


@pytest.mark.parametrize("rate_hz", [12.5, 62.5, 99.9, 128.0, 199.997, 249.89])
def test_a_window_is_the_same_whichever_others_are_wanted(rate_hz):
    """A night is trained on from half an hour before sleep on, and scored from its beginning."""
    x = np.random.default_rng(0).normal(0, 2, int(LENGTH_S * rate_hz))
    whole, _ = judged(x, rate_hz, 0, 50)
    for first in (1, 17, 31):
        part, _ = judged(x, rate_hz, first, 40)
        np.testing.assert_allclose(part, whole[first:40], atol=1e-3)


def test_what_is_lost_is_the_same_whichever_other_windows_are_wanted():
    x = np.random.default_rng(0).normal(0, 2, 60_000)
    for middle in (20_000, 30_000):
        x[middle - 150 : middle + 150] = np.nan
    whole, lost = judged(x, 100.0, 0, 60, max_gap_s=5.0)
    part, in_part = judged(x, 100.0, 20, 30, max_gap_s=5.0)
    assert in_part == lost[20:30] == [""] * 10
    np.testing.assert_allclose(part, whole[20:30], atol=1e-3)
    x[20_000:20_600] = 1.0
    _, lost = judged(x, 100.0, 0, 300, length_s=2.0)
    assert lost[100:103] == ["flat"] * 3
    assert judged(x, 100.0, 102, 110, length_s=2.0)[1] == lost[102:110]


@pytest.mark.parametrize("rate_hz", [0.4, 1.0, 4.0, 12.5, 100.0])
def test_flat_stretches_are_told_at_their_time(rate_hz, monkeypatch):
    x = np.random.default_rng(0).normal(0, 2, int(LENGTH_S * rate_hz))
    x[int(300 * rate_hz) : int(400 * rate_hz)] = 1.0
    found, _ = prepared(x, rate_hz, 100.0, 100.48, 1 << 30, monkeypatch)
    np.testing.assert_allclose(found.marks.flat, [[300.0, 400.0]], atol=1e-9)


@given(st.integers(0, 5000), st.integers(0, 300), st.integers(1, 700), st.integers(1, 900))
def test_every_sample_belongs_to_one_stretch_and_borders_fall_on_resampled_samples(
    n, around, multiple, samples
):
    parts = divide(n, around, multiple, samples)
    own = [(p.first, n if p.last is None else p.last) for p in parts]
    assert (own[0][0], own[-1][1]) == (0, n)
    assert all(a[1] == b[0] for a, b in pairwise(own))
    for p in parts:
        assert p.begin % multiple == 0
        assert p.first - p.begin >= min(around, p.first)
        assert (p.last is None) == (p.stop is None) == (p is parts[-1])
        assert p.last is None or p.stop is None or p.stop - p.last >= around
