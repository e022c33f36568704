"""The model card of a bundle: README.md with the front matter that a hub reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from physiome.config.metrics import METRICS
from physiome.predict.bundle import card_words as words
from physiome.predict.bundle.contents import Contents
from physiome.predict.bundle.origin import FoldOrigin, Titles
from physiome.predict.bundle.tested import RANKED, RESAMPLES, WHOLE
from physiome.predict.trained import Trained

FEW = 20  # test subjects; with fewer an interval says little of itself
PLACES = {"pretrain": "learned from without labels", "train": "learned from with labels",
          "test": "tested, never learned from"}  # fmt: skip


@dataclass(frozen=True)
class Told:
    """All that a card speaks of."""

    contents: Contents
    titles: Titles
    trained: Trained
    origins: Sequence[FoldOrigin]
    licence: str

    @property
    def folds(self) -> list[int]:
        """The folds whose models are in the bundle."""
        return [origin.fold for origin in self.origins]


def card(told: Told) -> str:
    """The card as Markdown."""
    parts = [
        _front_matter(told),
        _opening(told),
        _use(told),
        _inputs(told),
        _learned_from(told),
        _scores(told),
        _controls(told),
        _missing(told),
        _limits(told),
        _licences(told),
        _provenance(told),
    ]
    return "\n\n".join(parts) + "\n"


def grid(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table in Markdown; what stands in a cell breaks none."""
    lines = [head, ["---"] * len(head), *rows]
    cells = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def percent(value: float | None) -> str:
    """A fraction in percent, two decimals; a dash where there is none."""
    return "-" if value is None else f"{100 * value:.2f}"


def _front_matter(told: Told) -> str:
    names = [*told.contents.modalities]
    tags = ["physiome", "physiological-signals", "self-supervised-learning", "missing-modalities"]
    fields = {"license": told.licence, "library_name": "physiome", "tags": [*tags, *names]}
    return f"---\n{yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)}---"


def _opening(told: Told) -> str:
    contents = told.contents
    return words.OPENING.format(
        title=contents.title,
        dataset=contents.dataset_title,
        which=_which(told.folds),
        whose="its" if len(told.folds) == 1 else "their",
        modalities=", ".join(told.titles.modalities.values()),
        length=f"{contents.window['length_s']:g}",
        classes=", ".join(contents.classes),
        version=contents.software["physiome"],
    )


def _which(folds: Sequence[int]) -> str:
    if len(folds) == 1:
        return f"the model of fold {folds[0]}"
    return f"the models of folds {', '.join(map(str, folds))}"


def _use(told: Told) -> str:
    return words.USE + (words.USE_FOLDS if len(told.folds) > 1 else "")


def _inputs(told: Told) -> str:
    rows = []
    for m, wanted in told.contents.modalities.items():
        channels = ["; ".join((c.name, *c.aliases)) for c in wanted.channels]
        channels = [
            f"{text} minus {c.minus}" if c.minus else text
            for text, c in zip(channels, wanted.channels, strict=True)
        ]
        if wanted.reference:
            channels.append(f"(reference: {wanted.reference})")
        low, middle, high = told.trained.spreads.get(m, [None] * 3)
        amplitude = "-" if low is None else f"{middle:.3g} ({low:.3g} to {high:.3g})"
        needed = f"{wanted.leads_needed} of {len(wanted.channels)}"
        rows.append((m, ", ".join(channels), wanted.unit or "as recorded", needed, amplitude))
    head = ("modality", "channels (and other names)", "unit", "leads needed",
            "sd of training's windows")  # fmt: skip
    window = told.contents.window
    cut = window["lowpass_hz"]
    lowpass = "no low-pass" if cut is None else f"low-pass at {cut:g} Hz"
    return words.INPUTS.format(
        length=f"{window['length_s']:g}",
        rate=f"{window['rate_hz']:g}",
        lowpass=lowpass,
        table=grid(head, rows),
    )


def _learned_from(told: Told) -> str:
    rows = [
        (o.fold, f"{role}: {_place(role, o)}", n["subjects"], n["records"], n["windows"],
         n["labelled"])
        for o in told.origins
        for role, n in o.roles.items()
    ]  # fmt: skip
    head = ("fold", "role", "subjects", "records", "windows", "of them labelled")
    lines = [words.LEARNED.format(dataset=told.contents.dataset_title, table=grid(head, rows))]
    for o in told.origins:
        if o.training is not None:
            form = words.TAKEN if _takes(o) else words.TRAINING
            of = o.training["settings"].get("base")
            lines.append(form.format(fold=o.fold, of=of, **o.training["training"]))
        told_of = [*o.probe.get("warnings", []), *o.probe.get("notes", [])]
        lines += [f"- Fold {o.fold}, noted by the run: {text}" for text in told_of]
    departure = next((o.probe["departure"] for o in told.origins if o.probe.get("departure")), "")
    lines += [f"- Departs from the original: {departure}"] if departure else []
    return "\n".join(lines)


def _place(role: str, origin: FoldOrigin) -> str:
    """What a role's subjects were for; a control, or a network with its first weights, has none."""
    trained = origin.training is not None and origin.training["training"]["epochs"] > 0
    used = trained or _takes(origin) or role != "pretrain"
    return PLACES[role] if used else "not used"


def _takes(origin: FoldOrigin) -> bool:
    """Whether its weights are those of another row of the run, as that was trained."""
    return origin.training is not None and bool(origin.training["settings"].get("takes"))


def _scores(told: Told) -> str:
    rows = [
        (r["subset"], *(_between(r, metric) for metric in RANKED), percent(r["ece"]), r["windows"],
         r["subjects"])
        for r in told.contents.tested
    ]  # fmt: skip
    head = ("given", *(f"{METRICS[m].short} (95 %)" for m in RANKED), "ECE", "windows", "subjects")
    subjects = {o.fold: o.roles["test"]["subjects"] for o in told.origins}
    each = "; ".join(f"fold {fold}: {n} subject{'s' * (n > 1)}" for fold, n in subjects.items())
    text = words.SCORES.format(
        each=each,
        mean="" if len(subjects) == 1 else words.MEAN,
        resamples=RESAMPLES,
        table=grid(head, rows),
    )
    few = words.FEW.format(n=sum(subjects.values()))
    parts = [text, few if sum(subjects.values()) < FEW else "", _whole(told)]
    return "\n\n".join(part for part in parts if part)


def _whole(told: Told) -> str:
    """Scores of the heads that see the whole recording, where the run fitted such."""
    rows = [
        (row["subset"], kind, *(_between(row[kind], m) for m in RANKED), percent(row[kind]["ece"]))
        for row in told.contents.tested
        for kind in WHOLE
        if kind in row
    ]
    head = ("given", "head", *(f"{METRICS[m].short} (95 %)" for m in RANKED), "ECE")
    return words.WHOLE.format(table=grid(head, rows)) if rows else ""


def _between(row: Mapping[str, Any], metric: str) -> str:
    low, high = (row[f"{metric}_{end}"] for end in ("low", "high"))
    ends = "" if low is None else f" ({percent(low)} to {percent(high)})"
    return percent(row[metric]) + ends


def _controls(told: Told) -> str:
    contents = told.contents
    known = list(dict.fromkeys(row["title"] for row in contents.controls))
    if not known:
        return words.NO_CONTROLS
    by = {(row["title"], row["subset"]): row for row in contents.controls}
    by |= {(contents.title, row["subset"]): row for row in contents.tested}
    rows = [
        (subset, *(_three(by.get((title, subset))) for title in (contents.title, *known)))
        for subset in (row["subset"] for row in contents.tested)
    ]
    shorts = " / ".join(METRICS[m].short for m in RANKED)
    table = grid(("given", f"**{contents.title}**", *known), rows)
    lines = [words.CONTROLS.format(shorts=shorts, table=table)]
    for title in known:
        pairs = [(by.get((title, row["subset"])), row) for row in contents.tested]
        told_of = [(a["auc"], b["auc"]) for a, b in pairs if a and None not in (a["auc"], b["auc"])]
        n = sum(control >= own for control, own in told_of)
        lines.append(words.HIGHER.format(title=title, own=contents.title, n=n, rows=len(told_of)))
    return "\n".join(lines)


def _three(row: Mapping[str, Any] | None) -> str:
    return "-" if row is None else " / ".join(percent(row[metric]) for metric in RANKED)


def _missing(told: Told) -> str:
    heads = ", ".join(f"`{name}`" for name in told.trained.heads)
    lines = [words.MISSING.format(heads=heads)]
    refused = told.trained.facts.get("refused") or {}
    lines += [f"- Refused: `{name}`, as {reason}." for name, reason in refused.items()]
    return "\n".join(lines)


def _limits(told: Told) -> str:
    return words.LIMITS.format(dataset=told.contents.dataset_title)


def _licences(told: Told) -> str:
    weights = "not stated" if told.licence == "unknown" else told.licence
    return words.LICENCES.format(weights=weights, kind=told.trained.shards.kind)


def _provenance(told: Told) -> str:
    rows = [(f"version of {name}", value) for name, value in told.contents.software.items()]
    rows += [(f"code that trained fold {n}", digest) for n, digest in told.contents.code.items()]
    rows += [
        (f"identity of fold {o.fold}'s training", o.training["identity"])
        for o in told.origins
        if o.training
    ]
    return words.PROVENANCE.format(table=grid(("what", "value"), rows))
