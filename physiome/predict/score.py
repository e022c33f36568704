"""Score a recording of one's own with trained weights and fitted heads."""

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from physiome import __version__
from physiome.config.modality import carriers
from physiome.data.report import Report
from physiome.errors import DataError, PhysioError
from physiome.files import atomic_path, file_digest, write_json
from physiome.predict.trained import Trained, check_weights, load_method, open_trained
from physiome.subsets import Subset, parse_subset
from physiome.training.runtime import compute_device, visible_devices


def run(
    recording: Path,
    heads: Path,
    output: Path,
    weights: Path | None = None,
    channels: Sequence[str] = (),
    modalities: str | None = None,
    device: str = "auto",
) -> None:
    """Write class probabilities per window as CSV, and beside it a `.json` on how they were made.

    Args:
        channels: `modality=CHANNEL`, or `modality/lead=CHANNEL`, where the recording's names differ
            from the model's.
        modalities: those to use, separated by commas; None: all that the recording carries.
        weights: None for methods that have none.

    Raises:
        PhysioError: files that do not belong together, an unusable recording, or no window of it
            with anything to predict from. Nothing is written then.
    """
    if output.suffix != ".csv":
        raise PhysioError("output must end in .csv", where=output)
    from physiome.data.cutting.unlabelled import cut_unlabelled, parse_map

    trained = open_trained(heads)
    names = trained.settings.modalities
    mapped = parse_map(channels, [*carriers(trained.shards.modalities)])
    wanted = _wanted(modalities, mapped, names)
    gpus = int(device == "auto" and bool(visible_devices()))
    with compute_device(gpus, device) as chosen:
        from physiome.evaluation.predict import predict_windows, restored_modalities

        check_weights(trained, heads, weights)
        rows, windows, report = cut_unlabelled(recording, trained.shards, mapped, wanted)
        method = load_method(trained.settings, weights, chosen)
        table = predict_windows(
            method,
            rows,
            windows,
            trained.heads,
            trained.settings.classes,
            trained.facts["refused"] or {},
            trained.settings.batch,
        )
        _refuse_nothing(recording, table, report)
        used = {
            name: parse_subset(name, names) for name in set(table["subset"][table["class"] != ""])
        }
        restored = {n: restored_modalities(method, rows, windows, s) for n, s in used.items()}
    with atomic_path(output) as temporary:
        table.to_csv(temporary, index=False)
    facts = _facts(trained, heads, weights, report, table, restored)
    asked = {"recording": str(recording), "map": mapped, "modalities": list(wanted)}
    write_json(output.with_suffix(".json"), facts | asked | {"output": file_digest(output)})
    print("\n".join(summary(trained, recording, table, report, restored)))
    print(output)


def _wanted(modalities: str | None, mapped: Collection[str], names: Sequence[str]) -> Subset:
    if modalities is None:
        return tuple(names)
    wanted = parse_subset(modalities.replace(",", "+"), names)
    idle = sorted({key.partition("/")[0] for key in mapped} - set(wanted))
    if idle:
        raise PhysioError(
            f"{', '.join(idle)} has a --map, but is not used",
            where=f"--modalities {modalities}",
            do="name it there too, or leave its --map out",
        )
    return wanted


def _refuse_nothing(recording: Path, table: pd.DataFrame, report: Report) -> None:
    """A prediction from nothing is none: no file is written."""
    if (table["class"] == "").all():
        reasons = Counter(table["reason"])
        why = [f"{n} windows: {reason}" for reason, n in reasons.items()]
        raise DataError(
            "no window can be scored",
            where=recording,
            why="; ".join([*why, *lost(report), *report.absent.values()]),
            do="look at the channels, or use others with --map and --modalities",
        )


def lost(report: Report) -> list[str]:
    """What each modality is missing in how many windows, and odd units; one text each."""
    counts = {m: {r: n for r, n in found.items() if n} for m, found in report.lost.items()}
    texts = [
        f"{m} " + ", ".join(f"{reason} {n}" for reason, n in found.items())
        for m, found in counts.items()
        if found
    ]
    return texts + list(report.implausible.values())


def summary(
    trained: Trained,
    recording: Path,
    table: pd.DataFrame,
    report: Report,
    restored: dict[str, list[str]],
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
    lines += [f"missing: {text}" for text in lost(report)]
    parts = Counter(part for text in table["missing"] for part in text.split("; "))
    lines += [f"not used: {n} windows of {part}" for part, n in parts.items() if NO_HEAD in part]
    unused = [m for m in trained.settings.modalities if m not in report.lost]
    lines += [f"not asked for: {', '.join(unused)}"] if unused else []
    lines += [f"note: {note}" for note in [*report.absent.values(), *report.notes]]
    counts = Counter(scored["class"])
    classes = ", ".join(f"{name} {counts[name]}" for name in trained.settings.classes)
    return [*lines, f"classes: {classes}"]


def _facts(
    trained: Trained,
    heads: Path,
    weights: Path | None,
    report: Report,
    table: pd.DataFrame,
    restored: dict[str, list[str]],
) -> dict[str, Any]:
    """The manifest of a prediction."""
    model = {key: trained.facts[key] for key in ("dataset", "fold", "method", "classes")}
    scored = table[table["class"] != ""]
    found = report.plain()
    kept = ("files", "channels", "absent", "lost", "implausible", "notes", "duration_s")
    return {
        "version": __version__,
        **model,
        "weights": {"path": str(weights), "sha256": file_digest(weights)} if weights else None,
        "heads": {"path": str(heads), "sha256": file_digest(heads)},
        "windows": len(table),
        "scored": len(scored),
        "restored": restored,
        "subsets": dict(Counter(scored["subset"])),
        **{key: found[key] for key in kept},
    }
