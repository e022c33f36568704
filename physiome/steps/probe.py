"""Fit the heads on one method's embeddings of one fold and predict its test windows."""

import logging
from collections import Counter
from pathlib import Path
from typing import Any

from physiome.config.evaluation import ProbeSpec
from physiome.devices.memory import workers_told
from physiome.evaluation.embeddings import ROLES, Embeddings, open_embeddings
from physiome.evaluation.heads import LinearHead
from physiome.evaluation.heads_file import KINDS, LOGISTIC, save_heads
from physiome.evaluation.probe import (
    SubsetHeads,
    empty_cells,
    fit_heads,
    notes,
    predict,
    with_one_head,
)
from physiome.evaluation.ridge import with_dense
from physiome.files import atomic_path, digest, file_digest, sums, write_json
from physiome.subsets import subset_name

# What the heads' file says of the model, so that it and the weights can score another recording;
# beside it the spread of its train windows.
MODEL = (
    "dataset", "fold", "method", "classes", "settings", "shard_settings", "refused", "weights",
    "weights_sha256",
)  # fmt: skip
LOG = logging.getLogger(__name__)


def run(settings: str, embeddings: Path, output: Path, workers: int = 1) -> None:
    """Write per-window probabilities, and beside them what was chosen and the fitted heads.

    Where the labelled windows of a subset teach no head, nothing is predicted, and the JSON's
    `empty` says so for the scores.

    Args:
        settings: a ProbeSpec as JSON.
        embeddings: the `.npy`; its `.json` and `.parquet` lie beside it.
        output: the `.parquet` of test windows; `<output>.json` (choices, sizes, class counts,
            notes, empty cells) and `<output>.heads.npz` (logistic heads by subset) share its stem.
        workers: subsets fitted at the same time.
    """
    spec = ProbeSpec.parse_text(settings, "probe")
    output = Path(output)
    opened = open_embeddings(embeddings)
    with workers_told("threads.probe"):
        fitted = fit_heads(opened, spec, workers)
    shown = with_one_head(fitted, opened) if spec.one_head else fitted
    predicted = predict(opened, shown, spec)
    predicted, undense = with_dense(opened, predicted)
    found = notes(opened, fitted, spec) + undense
    for note in found:
        LOG.warning("step=probe method=%s note=%s", opened.title, note)
    with atomic_path(output) as temporary:
        predicted.to_parquet(temporary, index=False)
    model = {key: vars(opened.facts)[key] for key in MODEL}
    model |= {"spreads": opened.spreads(), "centred": spec.centred, "context_s": spec.reach_s}
    heads = {kind: _linear(fitted, kind) for kind in KINDS}
    save_heads(output.with_suffix(".heads.npz"), heads.pop(LOGISTIC), model, heads)
    written = {"sha256": sums(output, output.with_suffix(".heads.npz"))}
    write_json(output.with_suffix(".json"), _facts(opened, spec, fitted, found) | written)


def _linear(fitted: list[SubsetHeads], kind: str) -> dict[str, LinearHead]:
    """Subset's name -> its head of one kind."""
    heads = {subset_name(f.subset): f.heads.get(kind) for f in fitted}
    return {name: head for name, head in heads.items() if isinstance(head, LinearHead)}


def _facts(
    opened: Embeddings, spec: ProbeSpec, fitted: list[SubsetHeads], found: list[str]
) -> dict[str, Any]:
    kept = ("dataset", "fold", "method", "modalities", "classes", "comparable")
    facts = opened.facts
    inputs = [opened.path, opened.path.with_suffix(".json"), opened.path.with_suffix(".parquet")]
    counts = {}
    for role in ROLES:
        seen = Counter(opened.labels([role])["label"])
        counts[role] = {name: int(seen[index]) for index, name in enumerate(opened.classes)}
    return {
        **{key: vars(facts)[key] for key in kept},
        "refused": facts.refused,
        "departure": facts.departure,
        "warnings": facts.warnings,
        "empty": empty_cells(opened, fitted, spec),
        "settings": spec.plain(),
        "settings_digest": digest(spec.plain()),
        "embed_settings": facts.settings,
        "train_settings": facts.train_settings,
        "inputs": {path.name: file_digest(path) for path in inputs},
        "class_counts": counts,
        "subsets": {
            subset_name(f.subset): {
                **f.sizes,
                "test": len(opened.carrying(f.subset, "test")),
                "choices": f.choices,
            }
            for f in fitted
        },
        "notes": found,
    }
