"""One lead of a recording, or the one channel of a modality: its windows, judged."""

from dataclasses import dataclass, field

import numpy as np

from physiome.config.data import HypotensionLabels, ShardSettings
from physiome.config.modality import Modality
from physiome.data.cutting import signals
from physiome.data.cutting.channels import Prepared, prepare_channel
from physiome.data.cutting.grid import Plan
from physiome.data.cutting.labels import hypotension_labels, mean_pressure
from physiome.data.cutting.picking import Pick
from physiome.data.cutting.quality import Judgement, judge
from physiome.data.recording import Channel, Reader


@dataclass
class Findings:
    """What was met while a recording was cut, for its report.

    Attributes:
        lost: lead or modality -> reason -> number of windows.
        implausible: lead or modality -> what is odd about its unit.
        labels: column -> (W,), where a pressure decides them.
    """

    notes: list[str]
    lost: dict[str, dict[str, int]] = field(default_factory=dict)
    implausible: dict[str, str] = field(default_factory=dict)
    labels: dict[str, np.ndarray] = field(default_factory=dict)


def cut_lead(
    reader: Reader,
    pick: Pick | None,
    key: str,
    modality: Modality,
    plan: Plan,
    settings: ShardSettings,
    met: Findings,
) -> tuple[np.ndarray, Judgement]:
    """Windows (W, T) float32 with NaN where the lead is not there, and the verdict.

    Args:
        pick: what carries it; None: the recording does not have it.
        key: see `carriers`.
        met: takes what was met.
    """
    if pick is None:
        rows, verdict = _absent(plan, settings)
        met.lost[key] = {"absent": len(verdict.good)}
        return rows, verdict
    prepared = prepare_channel(reader, pick, modality, plan, settings)
    met.notes += prepared.notes
    rows, verdict = _windows_of(prepared, plan, modality, settings)
    met.lost[key] = verdict.counts
    if verdict.unit_factor is not None:
        met.implausible[key] = _odd_unit(pick.channel, verdict.unit_factor, modality.unit)
    rule = settings.labels
    if isinstance(rule, HypotensionLabels) and key == rule.pressure:
        met.labels |= _pressure_labels(prepared, verdict, modality, settings, rule)
    return rows, verdict


def _windows_of(
    prepared: Prepared, plan: Plan, modality: Modality, settings: ShardSettings
) -> tuple[np.ndarray, Judgement]:
    """Windows (W, T) float32 with NaN where the modality is not carried, and the verdict."""
    samples = settings.window.samples
    cut = np.lib.stride_tricks.sliding_window_view
    rows = cut(prepared.samples.astype(np.float32), samples)[prepared.starts]
    missing = cut(prepared.missing, samples)[prepared.starts]
    verdict = judge(
        rows,
        missing,
        prepared.marks,
        plan.onsets_s,
        settings.window.length_s,
        modality,
        settings.quality,
    )
    rows[~verdict.good] = np.nan
    return rows, verdict


def _pressure_labels(
    prepared: Prepared,
    verdict: Judgement,
    modality: Modality,
    settings: ShardSettings,
    rule: HypotensionLabels,
) -> dict[str, np.ndarray]:
    """Columns label, event and, of dense labels, target: (W,) each.

    A pressure line that does not move counts as not recorded.
    """
    x, rate_hz = prepared.samples, settings.window.rate_hz
    stuck = np.rint(prepared.marks.flat * rate_hz).astype(int).clip(0, len(x))
    invalid = prepared.missing | signals.stretches(stuck[:, 0], stuck[:, 1], len(x))
    outside = np.zeros(len(x), dtype=bool)
    if modality.low is not None:
        outside |= x < modality.low
    if modality.high is not None:
        outside |= x > modality.high
    starts, length = prepared.starts, settings.window.samples
    label, event = hypotension_labels(
        x, invalid, outside, starts, length, rate_hz, rule, settings.quality.max_outside
    )
    columns = {"label": label, "event": event & verdict.good}
    if rule.dense:
        columns["target"] = mean_pressure(x, starts, length, rate_hz, rule, label)
    return columns


def _absent(plan: Plan, settings: ShardSettings) -> tuple[np.ndarray, Judgement]:
    """As `_windows_of`, for a modality the recording does not have."""
    count = len(plan.onsets_s)
    rows = np.full((count, settings.window.samples), np.nan, dtype=np.float32)
    nothing, reason = np.full(count, np.nan), np.full(count, "absent")
    return rows, Judgement(np.zeros(count, dtype=bool), {}, nothing, nothing, None, reason)


def _odd_unit(channel: Channel, factor: float, unit: str) -> str:
    """How values that are plausible only after multiplying by `factor` are told of."""
    behind = signals.unit_behind(unit, factor)
    return (
        f"values of {channel.name!r} are plausible after multiplying by {factor:g}: "
        f"the unit {channel.unit!r} may be wrong" + (f", they look like {behind}" if behind else "")
    )
