"""A first configuration for a folder of recordings, as text with comments."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import Any

import yaml

from physiome.inspect.stages import stages_of

MOST_CLASSES = 8  # a column with more values says rather who than what
LIKELY = ("label", "task", "class", "condition", "stage", "state", "group", "diagnosis")
UNSCORED = ("?", "sleep stage ?", "movement time")  # of a scorer, and no classes
# Words before whose recording it is, in names of files
WHO = ("sub", "subj", "subject", "pat", "patient", "participant", "proband", "person", "case", "vp")
TAKEN = ("record", "subject", "path", "annotations", "signals")
RATE_HZ = 100.0


@dataclass(frozen=True)
class Labels:
    """Where classes come from.

    Attributes:
        rule: the `labels` section.
        classes: in order.
        others: columns that could be labels, too.
    """

    rule: dict[str, Any]
    classes: list[str]
    others: tuple[str, ...] = ()

    @property
    def window_s(self) -> float:
        """Scored stretches are usually of half a minute; a label of a whole recording is not."""
        return 30.0 if self.rule["rule"] == "annotations" else 10.0


def column_labels(rows: Sequence[Mapping[str, str]], wanted: str | None = None) -> Labels | None:
    """Classes from a column of the records table: the wanted one, else the likeliest; or None."""
    names = [name for name in (rows[0] if rows else {}) if name not in TAKEN]
    values = {name: list(dict.fromkeys(row[name] for row in rows if row[name])) for name in names}
    fit = [name for name in names if 2 <= len(values[name]) <= MOST_CLASSES or name == wanted]
    fit.sort(key=lambda n: (n != wanted, n.lower() not in LIKELY))
    if not fit or (wanted is not None and fit[0] != wanted):
        return None
    chosen = values[fit[0]]
    rule = {"rule": "column", "column": fit[0], "texts": {value: value for value in chosen}}
    return Labels(rule, chosen, tuple(fit[1:]))


def lasting_texts(blocks: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """Annotation texts of all recordings that may be classes, and the others.

    Stages of sleep, and then those that last longest in all; of two that overlap the later is an
    event within the other, or goes on through several.

    Args:
        blocks: of `look`.
    """
    total: dict[str, float] = {}
    overlap: set[frozenset[str]] = set()
    for block in blocks:
        overlap |= {frozenset(pair) for pair in block["annotations_overlap"]}
        for text, length_s in block["annotations_s"].items():
            total[text] = total.get(text, 0.0) + length_s
    lasting = [text for text in total if total[text] > 0 and text.lower() not in UNSCORED]
    kept, staged = list[str](), stages_of(lasting)
    for text in sorted(lasting, key=lambda text: (text not in staged, -total[text], text)):
        if not any(frozenset((text, other)) in overlap for other in kept):
            kept.append(text)
    there = sorted(total, key=str.lower)
    return [t for t in there if t in kept], [t for t in there if t not in kept]


def annotation_labels(blocks: Sequence[Mapping[str, Any]]) -> Labels | None:
    """Classes from annotation texts of all recordings; None where fewer than two, or many, last.

    Stages of sleep are called as the AASM does, whatever the texts; other classes as their texts.
    """
    texts, others = lasting_texts(blocks)
    named = stages_of(texts) or {text: text for text in texts}
    classes = list(dict.fromkeys(named.values()))
    if not 2 <= len(classes) <= MOST_CLASSES:
        return None
    rule = {"rule": "annotations", "texts": named}
    unscored = sorted([*others, *(t for t in texts if t not in named)], key=str.lower)
    # each text wants a place
    return Labels(rule | ({"unscored": unscored} if unscored else {}), classes)


def guess_subject(path: str) -> str:
    """Whose recording it is, by its path: BIDS' `sub-`, else the first part of its name.

    Where that is a word like "patient", the part behind it.

    Sleep-EDF's names end in the night and the recorder after the subject's two digits.

    Example:
        >>> [guess_subject(p) for p in ("sub-07/eeg/sub-07_rest.edf", "S3_night2.edf", "a.edf")]
        ['07', 'S3', 'a']
        >>> [guess_subject(p) for p in ("SC4012E0-PSG.edf", "Mia night 2.edf", "Patient 3 b.edf")]
        ['SC401', 'Mia', '3']
    """
    bids = re.search(r"(?:^|/)sub-([A-Za-z0-9]+)", path)
    sleep_edf = re.search(r"(?:^|/)(SC4\d\d|ST7\d\d)\d[A-Z]\d-", path)
    if named := bids or sleep_edf:
        return named[1]
    stem = path.rpartition("/")[2].rpartition(".")[0]
    first, *others = re.split(r"[_\s-]+", stem)
    return others[0] if others and first.lower() in WHO else first or stem


def key_of(name: str) -> str:
    """A data set's name, made of a folder's.

    Example:
        >>> key_of("Challenge 2015"), key_of("7")
        ('challenge_2015', 'set_7')
    """
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return plain if plain[:1].isalpha() else f"set_{plain}".rstrip("_")


def draft(
    folder: str,
    modalities: Mapping[str, Mapping[str, Any]],
    labels: Labels,
    rate_hz: float,
    counts: tuple[int, int, int],
    output: str,
) -> str:
    """The configuration.

    Args:
        folder: of the recordings, as it shall be written.
        modalities: a section as `propose.merge` makes it.
        rate_hz: of the slowest channel that is used.
        counts: recordings, subjects, and windows there will be at most.
        output: where it will lie, for the commands in it.
    """
    recordings, subjects, windows = counts
    name, length_s = key_of(folder.rstrip("/").rpartition("/")[2]), labels.window_s
    rate_hz = min(RATE_HZ, rate_hz)
    others = f"  # could be, too: {', '.join(labels.others)}" if labels.others else ""
    lines = [f"    {m}: {_flow(spec)}" for m, spec in modalities.items()]
    return f"""\
# Written by `physiome init`: {recordings} recordings of {subjects} subjects, {windows} windows.
# A first run of a few minutes on a laptop; what to change for a real one stands beside.
#
# In the folder of the clone:
#
#   {(chr(10) + "#   ").join(next_commands(output))}
#
# The table will be results/tables/{name}.csv. config.yaml explains every key.

threads: {{shard: 1, train: 1, probe: 1}}  # small models gain nothing by more: jobs run abreast
use_datasets: [{name}]
# Others: contrawr, synthsleepnet, multimae, robustssf, crossl, maskmentor, cbramod, physioomni;
# small sizes of theirs: workflow/overlays/small-models.yaml, given before this file, whose rows win
methods: [physiome, physiome_plus, random, handmade, majority]

datasets:
  {name}:
    title: {_flow(name)}
    source: {{kind: recordings, folder: {_flow(folder)}}}  # with its records.csv: who is whose
    batches: {max(1, min(8, recordings // 10))}
    modalities:  # what one may lose alone; several leads of one signal are one modality
  {(chr(10) + "  ").join(lines)}
    classes: {_flow(labels.classes)}
    window: {{length_s: {length_s}, rate_hz: {rate_hz}, lowpass_hz: {round(0.4 * rate_hz, 1)}}}
    labels: {_flow(labels.rule)}{others}

# By subject; use: null runs all folds
folds: {{count: {max(2, min(5, subjects // 2))}, train_share: 0.5, use: 1}}

{_small(length_s, modalities)}"""


def next_commands(output: str) -> list[str]:
    """What to type once the file is written; works where Snakefile and config.yaml lie."""
    file = quote(output)
    return [
        f"physiome check config.yaml {file}",
        f"physiome run --cores 4 --configfile {file}  # or snakemake instead of physiome run",
    ]


def _small(length_s: float, modalities: Mapping[str, Mapping[str, Any]]) -> str:
    """Sizes and steps for a first look; four frames a window."""
    frame_s = round(0.3 * length_s, 1)
    step_s, thin = round((length_s - frame_s) / 3.05, 2), _thin(modalities)
    return f"""\
# A small model: the paper's has 100 million parameters and wants a GPU and many nights
encoder: {{frame_s: {frame_s}, step_s: {step_s}, channels: [8, 8, 16, 16], width: 64, depth: 2,
  heads: 4, decoder_width: 32, decoder_depth: 1, decoder_heads: 4, projection: [128, 64]}}
pretrain: {{epochs: 1, least_steps: 150, batch: 32, learning_rate: 2.0e-3, clip_norm: 2.0{thin}}}
train: {{epochs: 1, least_steps: 100, batch: 32, learning_rate: 5.0e-4{thin}}}
systems:
  physiome: {{width: 64, depth: 2, heads: 4, decoder_width: 32, decoder_depth: 1,
    decoder_heads: 4, restore_width: 64, restore_depth: 2, restore_heads: 4, projection: [128, 64]}}
"""


def _thin(modalities: Mapping[str, Mapping[str, Any]]) -> str:
    """Three leads of a window a step, where a modality has more."""
    many = any(len(spec.get("channels", ())) > 3 for spec in modalities.values())
    return ", max_leads: 3" if many else ""


def _flow(value: Any) -> str:
    """YAML on one line."""
    if isinstance(value, str):
        return yaml.safe_dump(value, width=10_000, allow_unicode=True).split("\n")[0]
    return yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True
    ).strip()
