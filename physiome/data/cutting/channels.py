"""What carries a modality or one of its leads: read, cleaned, and at the windows' rate."""

import math
from dataclasses import dataclass, replace

import numpy as np

from physiome.config.data import ShardSettings
from physiome.config.modality import Modality
from physiome.data.cutting import signals
from physiome.data.cutting.grid import Plan
from physiome.data.cutting.marks import Marker, Marks, either
from physiome.data.cutting.picking import Pick
from physiome.data.cutting.stretches import AROUND_S, divide
from physiome.data.recording import UNCALIBRATED, Channel, Reader
from physiome.errors import DataError


@dataclass(frozen=True)
class Prepared:
    """One channel, clean and at the windows' rate, over the span that was read.

    Attributes:
        samples: (n,) float64. missing: (n,) bool, no sample was recorded.
        marks: what the samples showed before they were filtered.
        starts: (W,) first sample of each window.
        notes: what is odd but harmless about rate and unit.
    """

    samples: np.ndarray
    missing: np.ndarray
    marks: Marks
    starts: np.ndarray
    notes: tuple[str, ...] = ()


def prepare_channel(
    reader: Reader,
    pick: Pick,
    modality: Modality,
    plan: Plan,
    settings: ShardSettings,
) -> Prepared:
    """Read a lead around the planned windows; fill gaps, convert, filter, resample.

    Raises:
        DataError: the channel has another rate than the windows and `strict_rates` is set, or
            its unit is of another kind than the modality's; or it is measured against one of
            another rate.
    """
    notes = _odd_rate(reader, pick.channel, settings)
    factor, more = _to_unit(reader, pick.channel, modality)
    prepared = _read(reader, pick.channel, plan, settings, factor)
    if pick.minus is not None:
        if pick.minus.rate_hz != pick.channel.rate_hz:
            raise DataError(
                f"{pick.name}: the two have different sampling rates",
                where=reader.path,
                why=f"{pick.channel.rate_hz:g} and {pick.minus.rate_hz:g} Hz",
            )
        factor, odd = _to_unit(reader, pick.minus, modality)
        other = _read(reader, pick.minus, plan, settings, factor)
        prepared, more = _difference(prepared, other), more + odd
    return replace(prepared, notes=notes + more)


def _difference(one: Prepared, other: Prepared) -> Prepared:
    """Filters are linear: what is left after them may be subtracted. Faults of either count."""
    n = min(len(one.samples), len(other.samples))
    return Prepared(
        one.samples[:n] - other.samples[:n],
        one.missing[:n] | other.missing[:n],
        either(one.marks, other.marks),
        one.starts,
    )


def _to_unit(reader: Reader, channel: Channel, modality: Modality) -> tuple[float, tuple[str, ...]]:
    """What samples are multiplied by to be in the modality's unit, and what is odd about it."""
    if signals.units_conflict(channel.unit, modality.unit):
        raise DataError(
            f"channel {channel.name!r} is in {channel.unit}",
            where=reader.path,
            why=f"{modality.unit} is wanted",
            do="name another channel, or set the modality's unit to '' to take values as they are",
        )
    if channel.unit == UNCALIBRATED and modality.unit:
        raise DataError(
            f"channel {channel.name!r} is not calibrated",
            where=reader.path,
            why=f"its header gives no gain; {modality.unit} is wanted",
            do="write the gain into the header, or set the modality's unit to '' to take values "
            "as they are",
        )
    factor = signals.unit_factor(channel.unit, modality.unit)
    if factor is None:
        return 1.0, (f"{channel.name}: unit {channel.unit!r} is taken for {modality.unit!r}",)
    return factor, ()


def _read(
    reader: Reader, channel: Channel, plan: Plan, settings: ShardSettings, factor: float
) -> Prepared:
    """Stretch by stretch; a channel that fits in one is read and filtered as a whole."""
    window, quality, rate_hz = settings.window, settings.quality, channel.rate_hz
    # Gaps that are bridged and flat stretches that count must be seen whole, too.
    filtered_s = signals.reach_s(rate_hz, window.rate_hz, window.lowpass_hz)
    flat_s = quality.max_flat_s - window.length_s + 1 / rate_hz
    reach_s = math.ceil(max(filtered_s, quality.max_gap_s, flat_s))
    stop_s = plan.stop_s + reach_s
    step = signals.ratio(rate_hz, window.rate_hz)
    # Where a sample falls on one at the windows' rate, counted from the recording's beginning:
    # then windows hold the same samples wherever the first of them lies.
    first = max(0, math.floor(plan.onsets_s[0] - reach_s)) * rate_hz
    origin = math.floor(first / step.denominator + 1e-6) * step.denominator
    begin_s = origin / rate_hz
    n = round(min(stop_s, channel.duration_s) * rate_hz) - origin
    around_s = reach_s + max(AROUND_S, window.length_s, quality.max_gap_s, quality.max_flat_s)
    marker = Marker(n, rate_hz, begin_s, plan.onsets_s, window.length_s, quality)
    samples, missing = [], []
    for stretch in divide(n, math.ceil(around_s * rate_hz), step.denominator):
        until_s = stop_s if stretch.stop is None else (origin + stretch.stop) / rate_hz
        x = reader.read(channel.name, (origin + stretch.begin) / rate_hz, until_s)
        if factor != 1.0:
            x = x * factor
        marker.look(x, stretch)
        x, empty = _clean(x, rate_hz, settings)
        samples.append(x[stretch.own(step)])
        missing.append(empty[stretch.own(step)])
    starts = np.rint((plan.onsets_s - begin_s) * window.rate_hz).astype(int)
    return _joined(samples, missing, marker.marks(), starts, window.samples)


def _clean(x: np.ndarray, rate_hz: float, settings: ShardSettings) -> tuple[np.ndarray, np.ndarray]:
    """Samples (n,) at the windows' rate without gaps, and where there was one for too long."""
    window = settings.window
    x, missing = signals.fill_gaps(x, rate_hz, settings.quality.max_gap_s)
    x = signals.lowpass(x, rate_hz, window.lowpass_hz)
    x = signals.resample(x, rate_hz, window.rate_hz)
    return x, signals.resample_mask(missing, rate_hz, window.rate_hz, len(x))


def _joined(
    samples: list[np.ndarray],
    missing: list[np.ndarray],
    marks: Marks,
    starts: np.ndarray,
    length: int,
) -> Prepared:
    x, empty = (
        parts[0] if len(parts) == 1 else np.concatenate(parts) for parts in (samples, missing)
    )
    short = max(0, int(starts[-1]) + length - len(x))
    if short:  # the channel ends before the file does
        x = np.pad(x, (0, short), mode="edge" if len(x) else "constant")
        empty = np.pad(empty, (0, short), constant_values=True)
    return Prepared(x, empty, marks, starts)


def _odd_rate(reader: Reader, channel: Channel, settings: ShardSettings) -> tuple[str, ...]:
    """Refuse another rate if it must not change; note one too low to fill the windows' band."""
    wanted_hz = settings.window.rate_hz
    if settings.strict_rates and abs(channel.rate_hz - wanted_hz) > 1e-6 * wanted_hz:
        raise DataError(
            f"channel {channel.name!r} has another sampling rate",
            where=reader.path,
            why=f"{channel.rate_hz:g} Hz, wanted are {wanted_hz:g} Hz",
            do="set strict_rates: false to have it resampled",
        )
    if channel.rate_hz >= wanted_hz:
        return ()
    return (
        f"{channel.name}: recorded at {channel.rate_hz:g} Hz, brought up to {wanted_hz:g} Hz; "
        f"holds nothing above {channel.rate_hz / 2:g} Hz",
    )
