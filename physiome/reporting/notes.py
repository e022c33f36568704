"""Notes beside a scores file: why a cell has no score, and the footnotes of a whole method.

The file maps `dataset/method/subset` to a reason and `dataset/method` to a list of footnotes, and
holds the scores' sums as `sha256`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from physiome.files import read_noted

NOTES = ".notes.json"  # shares its stem with the scores file

Reasons = dict[tuple[str, str], str]  # (method, subset) -> why there is no score
Footnotes = dict[str, list[str]]  # method -> texts


class Notes:
    """What probes say, gathered over folds."""

    def __init__(self) -> None:
        self._folds: dict[str, set[int]] = {}  # dataset/method -> folds that were seen
        self._reasons: dict[str, dict[str, list[int]]] = {}  # cell -> reason -> folds
        self._warnings: dict[str, dict[str, list[int]]] = {}  # row -> warning -> folds
        self._departures: dict[str, list[str]] = {}  # row -> texts

    def add_fold(self, facts: Mapping[str, Any]) -> None:
        """Take what a probe's facts say of its method: dataset, method, fold; if there, departure
        (a sentence on the method, the same in every fold) and warnings (of this fold's training).
        """
        row = f"{facts['dataset']}/{facts['method']}"
        self._folds.setdefault(row, set()).add(facts["fold"])
        known = self._departures.setdefault(row, [])
        if (departure := facts.get("departure")) and departure not in known:
            known.append(departure)
        for text in facts.get("warnings") or []:
            self._warnings.setdefault(row, {}).setdefault(text, []).append(facts["fold"])

    def add_reason(self, facts: Mapping[str, Any], subset: str, reason: str) -> None:
        """Note why a score of a subset is undefined in the fold of these facts; once per head."""
        cell = f"{facts['dataset']}/{facts['method']}/{subset}"
        folds = self._reasons.setdefault(cell, {}).setdefault(reason, [])
        if facts["fold"] not in folds:
            folds.append(facts["fold"])

    def plain(self) -> dict[str, str | list[str]]:
        """The content of the file. A reason that holds in every fold names none."""
        found: dict[str, str | list[str]] = {}
        for cell, reasons in self._reasons.items():
            every = len(self._folds[cell.rpartition("/")[0]])
            texts = [
                reason if len(folds) == every else with_folds(reason, folds)
                for reason, folds in reasons.items()
            ]
            found[cell] = "; ".join(texts)
        for row, departures in self._departures.items():
            warned = self._warnings.get(row, {})
            texts = [*departures, *(with_folds(text, folds) for text, folds in warned.items())]
            if texts:
                found[row] = texts
        return found


def with_folds(text: str, folds: Sequence[int]) -> str:
    """`fold 2: text`, `folds 1, 3: text`."""
    numbers = sorted(folds)
    return f"fold{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}: {text}"


def read_notes(scores: Path, dataset: str) -> tuple[Reasons, Footnotes]:
    """The notes of one data set beside a scores file; none if there is no such file."""
    path = scores.with_suffix(NOTES)
    notes = read_noted(path) if path.exists() else {}
    reasons, footnotes = {}, {}
    for key, said in notes.items():
        if not key.startswith(f"{dataset}/"):
            continue
        name = key.removeprefix(f"{dataset}/")
        if isinstance(said, list):
            footnotes[name] = said
        else:
            method, _, subset = name.rpartition("/")
            reasons[method, subset] = said
    return reasons, footnotes
