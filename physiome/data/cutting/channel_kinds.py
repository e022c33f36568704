"""Which kind of signal a channel carries, guessed from its name alone."""

import re
from collections.abc import Iterable

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
SIDE = re.compile(r"(?<=[A-Z]{3})(L|R|\d{1,2})$")  # what a number or a side ends: EMG1, EOGL


def words(name: str) -> list[str]:
    """The words of a channel's name in capitals, without the device before a slash."""
    return [word for word in re.split(r"[^A-Z0-9]+", name.rsplit("/", 1)[-1].upper()) if word]


def kind_of(name: str) -> str | None:
    """The kind of signal that a channel's name suggests (a key of `WORDS`), if any."""
    found = words(name)
    bare = {SIDE.sub("", word) for word in found}
    for kind, known in WORDS.items():
        if known & bare.union(found):
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
