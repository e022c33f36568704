"""Which channel could carry which modality, guessed from names alone; the reader decides."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from physiome.data.cutting.channel_kinds import MIN_RATE_HZ, candidates, kind_of, words
from physiome.data.recording import Channel

# What values of a kind may look like: the bounds of config.yaml (ours); no bounds where units vary.
BOUNDS: dict[str, dict[str, Any]] = {
    "eeg": {"unit": "uV", "low": -1000.0, "high": 1000.0, "min_sd": 0.1},
    "eog": {"unit": "uV", "low": -2000.0, "high": 2000.0, "min_sd": 0.1},
    "emg": {"unit": "uV", "low": -5000.0, "high": 5000.0, "min_sd": 0.1},
    "ecg": {"unit": "mV", "low": -10.0, "high": 10.0, "min_sd": 0.01, "max_jump": 5.0},
    "abp": {"unit": "mmHg", "low": 10.0, "high": 250.0, "min_sd": 1.0},
    "ppg": {"min_sd": 0.001},
    "resp": {"min_sd": 0.001},
}

APART = 2  # EEG channels that are proposed as modalities of their own: the paper's nights have two


def propose(channels: Mapping[str, Channel]) -> dict[str, dict[str, Any]]:
    """A `modalities` section for these channels: every EEG, and the best channel of other kinds."""
    best = {
        "abp": "ABP ART",
        "ppg": "PLETH PPG",
        "ecg": "ECG II",
        "eog": "EOG",
        "emg": "EMG",
        "resp": "RESP",
    }
    section: dict[str, dict[str, Any]] = {}
    for name, channel in channels.items():
        if kind_of(name) == "eeg" and channel.rate_hz >= MIN_RATE_HZ:
            section.setdefault(_key(name), {"channel": name} | BOUNDS["eeg"])
    for kind, ideal in best.items():
        found = candidates(ideal, channels.values())
        if found:
            section[kind] = {"channel": found[0]} | BOUNDS[kind]
    return section


def merge(proposals: Iterable[Mapping[str, Mapping[str, Any]]]) -> dict[str, dict[str, Any]]:
    """One `modalities` section for many files: the channel most of them have, others as aliases.

    More than two EEG channels are the leads of one modality.
    """
    proposals = list(proposals)
    merged: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(name for proposal in proposals for name in proposal):
        counts = Counter(proposal[name]["channel"] for proposal in proposals if name in proposal)
        channel, *others = [channel for channel, _ in counts.most_common()]
        bounds = next(p[name] for p in proposals if name in p)
        merged[name] = {**bounds, "channel": channel} | ({"aliases": others} if others else {})
    return _grouped(merged)


def _grouped(section: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """EEG channels as one modality of several leads, if there are many: 8 would be 255 subsets."""
    leads = [m for name, m in section.items() if name.startswith("eeg")]
    if len(leads) <= APART:
        return dict(section)
    channels = [
        {k: m[k] for k in ("channel", "aliases")} if "aliases" in m else m["channel"] for m in leads
    ]
    others = {name: m for name, m in section.items() if not name.startswith("eeg")}
    return {"eeg": {"channels": channels} | BOUNDS["eeg"]} | others


def _key(name: str) -> str:
    """A modality's name for an EEG channel: `EEG Fpz-Cz` -> `eeg_fpz_cz`."""
    return "_".join(["eeg", *(word.lower() for word in words(name) if word != "EEG")])[:60]
