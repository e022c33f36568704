"""The channel that carries a modality: found by name, then read and cleaned."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from physiome.config.data import Modality, ShardSettings
from physiome.data import signals
from physiome.data.plan import Plan
from physiome.data.recording import Channel, Reader
from physiome.errors import DataError, nearest


@dataclass(frozen=True)
class Prepared:
    """One channel, clean and at the windows' rate, over the span that was read.

    Attributes:
        samples: (n,) float64. missing: (n,) bool, no sample was recorded.
        flat: (k, 2) constant stretches in seconds on the recording's clock.
        starts: (W,) first sample of each window.
    """

    samples: np.ndarray
    missing: np.ndarray
    flat: np.ndarray
    starts: np.ndarray


def pick_channels(
    reader: Reader, settings: ShardSettings
) -> tuple[dict[str, Channel], dict[str, str]]:
    """The channel that carries each modality, and for the others what was looked for.

    Names are compared exactly first, then without regard to case and outer blanks.

    Raises:
        DataError: a channel is absent and `strict_channels` is set.
    """
    known = reader.channels()
    lowered = {name.strip().lower(): name for name in reversed(known)}
    found: dict[str, Channel] = {}
    absent: dict[str, str] = {}
    for name, modality in settings.modalities.items():
        wanted = (modality.channel, *modality.aliases)
        hits = [w for w in wanted if w in known]
        hits += [lowered[w.strip().lower()] for w in wanted if w.strip().lower() in lowered]
        if hits:
            found[name] = known[hits[0]]
            continue
        absent[name] = f"no channel {modality.channel!r}: {nearest(modality.channel, known)}"
        if settings.strict_channels:
            raise DataError(f"no channel {modality.channel!r} for {name}", where=reader.path,
                            do=nearest(modality.channel, known))  # fmt: skip
    if not found:
        raise DataError("none of the wanted channels is there", where=reader.path,
                        why="; ".join(absent.values()))  # fmt: skip
    return found, absent


def prepare_channel(
    reader: Reader, channel: Channel, modality: Modality, plan: Plan, settings: ShardSettings,
    entry: dict[str, Any],
) -> Prepared:  # fmt: skip
    """Read one channel around the planned windows; fill gaps, convert, filter, resample."""
    window, quality = settings.window, settings.quality
    first_s = float(plan.onsets_s[0])
    # Whole seconds of lead keep the windows on the grid of samples.
    reach_s = math.ceil(signals.reach_s(channel.rate_hz, window.rate_hz, window.lowpass_hz))
    begin_s = max(0.0, first_s - reach_s)
    x = reader.read(channel.name, begin_s, plan.stop_s + reach_s)
    factor = signals.unit_factor(channel.unit, modality.unit)
    if factor is None:
        note = f"{channel.name}: unit {channel.unit!r} is taken for {modality.unit!r}"
        entry["notes"].append(note)
    elif factor != 1.0:
        x = x * factor
    flat = signals.flat_runs(x, channel.rate_hz, quality.max_flat_s) + begin_s
    x, missing = signals.fill_gaps(x, channel.rate_hz, quality.max_gap_s)
    x = signals.lowpass(x, channel.rate_hz, window.lowpass_hz)
    x = signals.resample(x, channel.rate_hz, window.rate_hz)
    missing = signals.resample_mask(missing, channel.rate_hz, window.rate_hz, len(x))
    starts = np.rint((plan.onsets_s - begin_s) * window.rate_hz).astype(int)
    short = max(0, int(starts[-1]) + window.samples - len(x))
    if short:  # the channel ends before the file does
        x = np.pad(x, (0, short), mode="edge" if len(x) else "constant")
        missing = np.pad(missing, (0, short), constant_values=True)
    return Prepared(x, missing, flat, starts)
