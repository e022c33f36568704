"""What a prediction says at the terminal: from what, what was missing, what is odd."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from physiome.data.report import Report
from physiome.predict.trained import Trained

ODD = 0.5  # share of windows whose spread training never met: then the recording is said to be odd
SEEN = (
    "warning: mean of several folds' models: of recordings of {} itself, some of them have seen "
    "the subject in training, so a score on these is no test"
)


def summary(
    trained: Trained,
    recording: Path,
    table: pd.DataFrame,
    report: Report,
    restored: Mapping[str, Sequence[str]],
    odd: Sequence[str],
) -> list[str]:
    """What was scored from what, what was missing, what was rebuilt; lines."""
    from physiome.evaluation.predict import NO_HEAD

    scored = table[table["class"] != ""]
    length_s = trained.settings.window.length_s
    lines = [
        f"{recording.name}: {len(scored)} of {len(table)} windows of {length_s:g} s scored by "
        + trained.title
    ]
    for name, part in scored.groupby("subset", sort=False):
        rebuilt = restored.get(str(name))
        lines.append(
            f"  {name}: {len(part)} windows"
            + (f", restored {', '.join(rebuilt)}" if rebuilt else "")
        )
    empty = table.loc[table["class"] == "", "reason"]
    lines += [f"  not scored: {n} windows, {reason}" for reason, n in Counter(empty).items()]
    whole = without_leads(trained, report)
    lines += [f"missing: {text}" for text in [*whole.values(), *lost(report, whole)]]
    parts = Counter(part for text in table["missing"] for part in text.split("; "))
    lines += [f"not used: {n} windows of {part}" for part, n in parts.items() if NO_HEAD in part]
    unused = [m for m in trained.settings.modalities if m not in report.lost]
    lines += [f"not asked for: {', '.join(unused)}"] if unused else []
    absent = [text for key, text in report.absent.items() if _of(key) not in whole]
    lines += [f"note: {note}" for note in [*absent, *report.notes]]
    lines += [f"warning: {text}" for text in odd]
    if len(trained.folds) > 1:
        lines.append(SEEN.format(trained.facts["dataset"]))
    counts = Counter(scored["class"])
    if len(counts) == 1 and len(scored) > 1:
        lines.append(f"note: every window was predicted as {next(iter(counts))!r}")
    classes = ", ".join(f"{name} {counts[name]}" for name in trained.settings.classes)
    return [*lines, f"classes: {classes}"]


def without_leads(trained: Trained, report: Report) -> dict[str, str]:
    """A text for each modality of several leads of which the recording has none."""
    found = {}
    for m in report.lost:
        keys = [key for key in report.lost if _of(key) == m and key != m]
        if keys and all(key in report.absent for key in keys):
            looked = ", ".join(trained.shards.modalities[m].lead_names)
            found[m] = f"{m}, none of its {len(keys)} leads is there: {looked}"
            found[m] += f" - name one with --map {keys[0]!r}=CHANNEL"
    return found


def _of(key: str) -> str:
    """The modality of `modality`, or of `modality/lead`."""
    return key.partition("/")[0]


def lost(report: Report, whole: Collection[str] = ()) -> list[str]:
    """What each modality is missing in how many windows, and odd units; one text each.

    Args:
        whole: modalities of which enough is said.
    """
    counts = {
        m: {r: n for r, n in found.items() if n}
        for m, found in report.lost.items()
        if _of(m) not in whole
    }
    texts = [
        f"{m} " + ", ".join(f"{reason} {n}" for reason, n in found.items())
        for m, found in counts.items()
        if found
    ]
    return texts + list(report.implausible.values())


def odd_spreads(trained: Trained, windows: pd.DataFrame) -> list[str]:
    """A text for each modality whose windows mostly vary more or less than any in training.

    A gain set otherwise, a unit that the file misstates, or a body that the model never met: its
    classes are then guesses, whatever their probabilities.

    Args:
        windows: of `cut_windows`; var_<m> is NaN where a modality is lost.
    """
    found = []
    for m, (low, middle, high) in trained.spreads.items():
        if f"var_{m}" not in windows or windows[f"var_{m}"].isna().all():
            continue
        sd = np.sqrt(windows[f"var_{m}"].dropna().to_numpy(float))
        outside = float(np.mean((sd < low) | (sd > high)))
        if outside > ODD:
            unit = trained.shards.modalities[m].unit
            found.append(
                f"{m} is unlike training: sd {np.median(sd):.3g} {unit} in the middle window, "
                f"there {middle:.3g} ({low:.3g} to {high:.3g} for 98 %); "
                f"{100 * outside:.0f} % of its windows lie outside"
            )
    return found
