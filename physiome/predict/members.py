"""The trained models that score together: one, or those of several folds, averaged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from physiome.errors import DataError
from physiome.evaluation.heads_file import LOGISTIC
from physiome.predict.trained import Trained, check_weights, load_method, open_trained


class Pair(NamedTuple):
    """A model's two files; a control has no weights."""

    heads: Path
    weights: Path | None = None


@dataclass(frozen=True)
class Member:
    """One fold's model, loaded, and the files it is from."""

    pair: Pair
    trained: Trained
    method: Any


def open_pairs(pairs: Sequence[Pair], head: str = LOGISTIC) -> list[Trained]:
    """The heads of every model, of the kind `head`; nothing is loaded yet.

    Raises:
        DataError: a file of another kind, or models that do not speak of the same thing.
    """
    found = [open_trained(pair.heads, head=head) for pair in pairs]
    first = found[0]
    for pair, other in zip(pairs[1:], found[1:], strict=True):
        same = ("classes", "modalities", "window", "name", "dataset")
        odd = [k for k in same if getattr(first.settings, k) != getattr(other.settings, k)]
        odd += [] if first.shards == other.shards else ["how recordings are cut"]
        if odd:
            raise DataError(
                "models of several folds do not belong together",
                where=pair.heads,
                why=f"other {', '.join(odd)} than {pairs[0].heads}",
                do="name one with --fold",
            )
    return found


def load_members(
    pairs: Sequence[Pair], trained: Sequence[Trained], device: str
) -> tuple[Member, ...]:
    """Every model on the device, once its weights are known to be those of its heads.

    Raises:
        DataError: weights that the heads were not fitted on.
    """
    for pair, one in zip(pairs, trained, strict=True):
        check_weights(one, *pair)
    return tuple(
        Member(pair, one, load_method(one.settings, pair.weights, device))
        for pair, one in zip(pairs, trained, strict=True)
    )


def joint(trained: Sequence[Trained]) -> Trained:
    """One that speaks for all: the heads that every one has, what any refuses, all their folds."""
    first = trained[0]
    if len(trained) == 1:
        return first
    refused: dict[str, str] = {}
    for one in trained:
        refused |= one.facts["refused"] or {}
    common = set.intersection(*(set(one.heads) for one in trained))
    facts = {"refused": refused, "folds": [one.facts["fold"] for one in trained]}
    return replace(
        first,
        facts=first.facts | facts | {"spreads": _widest([one.spreads for one in trained])},
        heads={name: head for name, head in first.heads.items() if name in common},
    )


def predict_members(
    members: Sequence[Member],
    speaker: Trained,
    rows: Mapping[str, np.ndarray],
    windows: pd.DataFrame,
) -> pd.DataFrame:
    """As `predict_windows`, by the mean of the models' probabilities: the class is its largest.

    Args:
        speaker: `joint` of the members; they score a window from the same subset.
    """
    from physiome.evaluation.context import of_recording
    from physiome.evaluation.predict import predict_windows

    classes = speaker.settings.classes
    tables = [
        predict_windows(
            member.method,
            rows,
            windows,
            {name: member.trained.heads[name] for name in speaker.heads},
            classes,
            speaker.facts["refused"] or {},
            speaker.settings.batch,
            of_recording(speaker.head, member.trained.facts.get("context_s")),
        )
        for member in members
    ]
    if len(tables) == 1:
        return tables[0]
    names = [f"p_{name}" for name in classes]
    p = np.mean([table[names].to_numpy(np.float32) for table in tables], axis=0)
    best = np.where(np.isnan(p[:, 0]), -1, np.nan_to_num(p).argmax(axis=1))
    table = tables[0].assign(**{"class": np.array([*classes, ""])[best]})
    return table.assign(**{name: p[:, i] for i, name in enumerate(names)})


def _widest(spreads: Sequence[Mapping[str, list[float]]]) -> dict[str, list[float]]:
    """Per modality the lowest low, the mean of the middles and the highest high."""
    found = {}
    for m in dict.fromkeys(m for one in spreads for m in one):
        each = np.array([one[m] for one in spreads if m in one])
        found[m] = [each[:, 0].min(), each[:, 1].mean(), each[:, 2].max()]
    return {m: [float(value) for value in values] for m, values in found.items()}
