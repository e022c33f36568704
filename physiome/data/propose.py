"""Which channel could carry which modality, guessed from names alone; the reader decides."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from physiome.data.recording import Channel

MIN_RATE_HZ = 20.0  # slower channels are trends or envelopes, not waves
LEADS = ("I", "II", "III", "AVR", "AVL", "AVF", "V", "V1", "V2", "V3", "V4", "V5", "V6")
# Words of a channel's name -> kind of signal; the first kind with a word in the name wins.
WORDS = {
    "abp": {"ABP", "ART", "IBP", "ARTERIAL"},
    "ppg": {"PLETH", "PPG", "PLETHYSMOGRAM", "PLETHYSMOGRAPH"},
    "eog": {"EOG", "LOC", "ROC", "E1", "E2"},
    "emg": {"EMG", "CHIN", "SUBMENTAL"},
    "resp": {"RESP", "AIRFLOW", "FLOW", "THORAX", "ABDOMEN"},
    "ecg": {"ECG", "EKG", "MLII", "MCL", *LEADS},
    "eeg": {"EEG"},
}
ELECTRODE = re.compile(r"(FP|AF|FC|FT|CP|TP|PO|F|C|P|T|O)(Z|\d{1,2})")  # of the 10-20 system
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


def words(name: str) -> list[str]:
    """The words of a channel's name in capitals, without the device before a slash."""
    return [word for word in re.split(r"[^A-Z0-9]+", name.rsplit("/", 1)[-1].upper()) if word]


def kind_of(name: str) -> str | None:
    """The kind of signal that a channel's name suggests (a key of `BOUNDS`), if any."""
    found = words(name)
    for kind, known in WORDS.items():
        if known & set(found):
            return kind
    return "eeg" if any(ELECTRODE.fullmatch(word) for word in found) else None


def candidates(name: str, channels: Iterable[Channel]) -> list[str]:
    """Channels of the same kind as `name`, the most alike first: more common words, then rate."""
    kind, wanted = kind_of(name), set(words(name))
    alike = [c for c in channels if kind and kind_of(c.name) == kind and c.rate_hz >= MIN_RATE_HZ]
    if kind == "eeg":  # another electrode is another signal
        alike = [c for c in alike if set(words(c.name)) - {"EEG"} == wanted - {"EEG"}]
    alike.sort(key=lambda c: (-len(wanted & set(words(c.name))), -c.rate_hz, c.name))
    return [c.name for c in alike]


def propose(channels: Mapping[str, Channel]) -> dict[str, dict[str, Any]]:
    """A `modalities` section for these channels: every EEG, and the best channel of other kinds."""
    best = {"abp": "ABP ART", "ppg": "PLETH PPG", "ecg": "ECG II", "eog": "EOG", "emg": "EMG",
            "resp": "RESP"}  # fmt: skip
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
    """One `modalities` section for many files: the channel most of them have, others as aliases."""
    proposals = list(proposals)
    merged: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(name for proposal in proposals for name in proposal):
        counts = Counter(proposal[name]["channel"] for proposal in proposals if name in proposal)
        channel, *others = [channel for channel, _ in counts.most_common()]
        bounds = next(p[name] for p in proposals if name in p)
        merged[name] = {**bounds, "channel": channel} | ({"aliases": others} if others else {})
    return merged


def _key(name: str) -> str:
    """A modality's name for an EEG channel: `EEG Fpz-Cz` -> `eeg_fpz_cz`."""
    return "_".join(["eeg", *(word.lower() for word in words(name) if word != "EEG")])[:60]
