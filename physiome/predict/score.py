"""Score recordings of one's own with trained weights and fitted heads."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from physiome import __version__
from physiome.data.report import Report
from physiome.devices.listing import visible_devices
from physiome.devices.memory import CPU, memory_told
from physiome.errors import DataError, PhysioError
from physiome.evaluation.heads_file import CONTEXT, LOGISTIC
from physiome.files import atomic_path, file_digest, write_json
from physiome.predict.bundle.opened import Bundle
from physiome.predict.learned import ONE, Learned, is_learned
from physiome.predict.members import (
    Member,
    Pair,
    joint,
    load_members,
    open_pairs,
    predict_members,
)
from physiome.predict.output.paths import require_apart
from physiome.predict.output.sleep import is_staging, sleep_statistics
from physiome.predict.output.words import lost, odd_spreads, summary
from physiome.predict.rescale import parse_rescale, rescaled
from physiome.predict.trained import Trained
from physiome.subsets import Subset, parse_subset
from physiome.training.runtime import compute_device

OF_SUBJECT = (
    "warning: heads were fitted against the mean of all of a subject's recordings, and here it is "
    "of this one: if that is of one class throughout, nothing is left to tell it by"
)
DEVICES = ("auto", "cpu", "cuda")


class Models(NamedTuple):
    """Models that score together, the bundle of their files, if any, and what they learned from.

    And the kind of their heads that is used.
    """

    pairs: tuple[Pair, ...]
    bundle: Bundle | None = None
    learned: Learned = ()
    head: str = LOGISTIC


@dataclass(frozen=True)
class Model:
    """Trained methods on their device, and how their recordings are to be cut.

    Attributes:
        members: one, or those of several folds, whose probabilities are averaged.
        trained: what they say of themselves together, see `joint`.
        mapped: one of `map_keys` -> channel that carries it in the recordings.
        wanted: modalities to use.
        scaled: those of them to scale, see `rescaled`.
        learned: what they learned from, see `learned_from`.
    """

    members: tuple[Member, ...]
    trained: Trained
    bundle: Bundle | None
    mapped: dict[str, str]
    wanted: Subset
    scaled: Subset = ()
    learned: Learned = ()


@dataclass(frozen=True)
class Scored:
    """A recording's predictions.

    Attributes:
        table: of `predict_windows`.
        restored: subset -> modalities that were rebuilt for it.
        odd: what is unlike the recordings of training; texts.
        facts: the manifest of the prediction.
    """

    table: pd.DataFrame
    report: Report
    restored: dict[str, list[str]]
    odd: list[str]
    facts: dict[str, Any]


def run(
    recording: Path,
    heads: Path,
    output: Path,
    weights: Path | None = None,
    channels: Sequence[str] = (),
    modalities: str | None = None,
    device: str = "auto",
) -> None:
    """As `run_models`, of one model by its two files.

    Args:
        weights: None for methods that have none.
    """
    models = Models((Pair(heads, weights),))
    run_models(recording, models, output, channels, modalities, device)


def run_models(
    recording: Path,
    models: Models,
    output: Path,
    channels: Sequence[str] = (),
    modalities: str | None = None,
    device: str = "auto",
    rescale: str | None = None,
) -> None:
    """Write class probabilities per window as CSV, and beside it a `.json` on how they were made.

    Args:
        channels: `modality=CHANNEL`, or `modality/lead=CHANNEL`, where the recording's names differ
            from the model's.
        modalities: those to use, separated by commas; None: all that the recording carries.
        rescale: those to scale as in training, or "all".

    Raises:
        PhysioError: files that do not belong together, an unusable recording, or no window of it
            with anything to predict from, an output over a recording. Nothing is written then.
    """
    if output.suffix != ".csv":
        raise PhysioError("output must end in .csv", where=output)
    require_apart([recording], [output, output.with_suffix(".json")])
    with opened(models, channels, modalities, device, rescale) as model:
        scored = score(recording, model)
    write(scored, output)
    print("\n".join(words(scored, recording, model.trained)))
    print(output)


@contextmanager
def opened(
    models: Models,
    channels: Sequence[str],
    modalities: str | None,
    device: str,
    rescale: str | None = None,
) -> Iterator[Model]:
    """The model of `run_models`, while its device is held."""
    from physiome.data.cutting.unlabelled import map_keys, parse_map

    if device not in DEVICES:
        raise PhysioError(f"no device {device!r}", do="give auto, cpu or cuda")
    each = open_pairs(models.pairs, models.head)
    trained = joint(each)
    mapped = parse_map(channels, map_keys(trained.shards.modalities))
    wanted = _wanted(modalities, mapped, trained.settings.modalities)
    scaled = parse_rescale(rescale, wanted)
    gpus = int(device == "auto" and bool(visible_devices()))
    holds = f"{trained.settings.batch} windows at a time"
    with memory_told("scoring", holds, CPU), compute_device(gpus, device) as chosen:
        members = load_members(models.pairs, each, chosen)
        yield Model(members, trained, models.bundle, mapped, wanted, scaled, models.learned)


def score(recording: Path, model: Model) -> Scored:
    """Cut a recording into windows and predict each from what it carries; see `run`."""
    from physiome.data.cutting.unlabelled import cut_unlabelled
    from physiome.evaluation.predict import restored_modalities

    trained, settings = model.trained, model.trained.settings
    rows, windows, report = cut_unlabelled(recording, trained.shards, model.mapped, model.wanted)
    rows, windows, factors = rescaled(trained, rows, windows, model.scaled)
    table = predict_members(model.members, trained, rows, windows)
    _refuse_nothing(recording, table, report)
    used = set(table["subset"][table["class"] != ""])
    restored = {
        name: restored_modalities(
            model.members[0].method, rows, windows, parse_subset(name, settings.modalities)
        )
        for name in used
    }
    odd = odd_spreads(trained, windows)
    facts = _facts(model, report, table, restored) | {"unlike_training": odd}
    asked = {
        "recording": str(recording),
        "map": model.mapped,
        "modalities": list(model.wanted),
        "rescaled": factors,
        "not_rescaled": [m for m in model.scaled if m not in factors],
        "learned_from": is_learned(report.files.values(), model.learned),
    }
    return Scored(table, report, restored, odd, facts | asked)


def write(scored: Scored, output: Path) -> None:
    """Write `output` (CSV) and the `.json` beside it."""
    with atomic_path(output) as temporary:
        scored.table.to_csv(temporary, index=False)
    write_json(output.with_suffix(".json"), scored.facts | {"output": file_digest(output)})


def words(scored: Scored, recording: Path, trained: Trained) -> list[str]:
    """Lines for the terminal."""
    lines = summary(trained, recording, scored.table, scored.report, scored.restored, scored.odd)
    if scored.facts["learned_from"]:
        lines.append(ONE.format(trained.title))
    if trained.head != LOGISTIC:
        lines.append("each window seen against the mean of this recording's that carry as much")
    if trained.head == CONTEXT:
        lines[-1] += f", beside those within {trained.facts['context_s']:g} s"
    if trained.head != LOGISTIC and trained.facts.get("centred") == "subject":
        lines.append(OF_SUBJECT)
    for m, by in scored.facts["rescaled"].items():
        lines.append(f"scaled as in training: {m} by {by:.3g}")
    for m in scored.facts["not_rescaled"]:
        lines.append(f"not scaled: {m}, of which nothing that varies is seen, here or in training")
    return lines


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


def _facts(
    model: Model, report: Report, table: pd.DataFrame, restored: dict[str, list[str]]
) -> dict[str, Any]:
    """The manifest of a prediction."""
    trained = model.trained
    named = {key: trained.facts[key] for key in ("dataset", "method", "classes")}
    scored = table[table["class"] != ""]
    found = report.plain()
    kept = ("files", "channels", "absent", "lost", "implausible", "notes", "duration_s")
    facts = {
        "version": __version__,
        **named,
        **_whose(model),
        "head": trained.head,
        "windows": len(table),
        "scored": len(scored),
        "restored": restored,
        "subsets": dict(Counter(scored["subset"])),
        **{key: found[key] for key in kept},
    }
    if is_staging(trained.settings.classes):
        length_s = trained.settings.window.length_s
        facts["sleep"] = sleep_statistics(table["class"].tolist(), length_s)
    return facts


def _whose(model: Model) -> dict[str, Any]:
    """fold, weights and heads; of several models `models`, a list of these; and the bundle."""

    def told(path: Path | None) -> dict[str, str] | None:
        if path is None:
            return None
        named = path.relative_to(model.bundle.root) if model.bundle else path
        return {"path": str(named), "sha256": file_digest(path)}

    each = [
        {
            "fold": member.trained.facts["fold"],
            "weights": told(member.pair.weights),
            "heads": told(member.pair.heads),
        }
        for member in model.members
    ]
    found: dict[str, Any] = {"folds": model.trained.folds}
    found |= each[0] if len(each) == 1 else {"models": each, "averaged": "probabilities"}
    if model.bundle:
        found["bundle"] = {"path": model.bundle.source, "sha256": model.bundle.sha256}
    return found
