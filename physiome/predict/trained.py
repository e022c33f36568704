"""Opening fitted heads and the weights they were fitted on, and checking that they are a pair."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from physiome.config.data import ShardSettings
from physiome.config.jobs import EmbedSettings
from physiome.errors import ConfigError, DataError, PhysioError, nearest
from physiome.evaluation.heads import LinearHead
from physiome.evaluation.heads_file import (
    CENTRED,
    CONTEXT,
    KINDS,
    LOGISTIC,
    load_facts,
    load_heads,
)
from physiome.files import file_digest

AGAIN = "run the workflow again: it makes anew what is out of date"

# Heads that see the whole recording -> the settings by which they are fitted.
FITTED_BY = {CENTRED: "probe.centred", CONTEXT: "probe.centred and probe.context_s"}


@dataclass(frozen=True)
class Trained:
    """What the heads' file says: whose heads they are, and on what they were fitted."""

    facts: dict[str, Any]  # see physiome.steps.probe.MODEL
    settings: EmbedSettings
    shards: ShardSettings
    heads: dict[str, LinearHead]
    head: str = LOGISTIC  # which kind these are

    @property
    def spreads(self) -> dict[str, list[float]]:
        """Modality -> percentiles 1, 50, 99 of its train windows' sd; {} of an older file."""
        return self.facts.get("spreads", {})

    @property
    def folds(self) -> list[int]:
        """Folds of the models that it speaks for; see `physiome.predict.members.joint`."""
        return self.facts.get("folds") or [self.facts["fold"]]

    @property
    def title(self) -> str:
        """Names method, data set and fold or folds, for messages."""
        which = ", ".join(map(str, self.folds))
        which = f"fold {which}" if len(self.folds) == 1 else f"mean of folds {which}"
        return f"{self.facts['method']} ({self.facts['dataset']}, {which})"


def open_trained(heads: Path, none_too: bool = False, head: str = LOGISTIC) -> Trained:
    """Heads with what they say of their model.

    Args:
        none_too: also a file without a head, of labelled windows that taught none.
        head: logistic; centred: of embeddings less the mean of their recording; context: of these
            beside the mean of their neighbours.

    Raises:
        DataError: a file of another kind, or of a version that did not say enough, or without such
            heads.
        PhysioError: there is no such kind of head.
    """
    if head not in KINDS:
        raise PhysioError(f"no head {head!r} scores recordings", do=nearest(head, KINDS))
    facts = load_facts(heads)
    if not facts.get("settings") or not facts.get("shard_settings"):
        raise DataError(
            "heads do not say what model and recordings they were fitted on", where=heads, do=AGAIN
        )
    try:
        settings = EmbedSettings.parse(facts["settings"], "settings")
        shards = ShardSettings.parse(facts["shard_settings"], "shard_settings")
    except ConfigError as error:
        raise DataError(
            "heads are of another version", where=heads, why=str(error), do=AGAIN
        ) from None
    found = load_heads(heads, head)
    if head in FITTED_BY and not found and load_heads(heads):
        raise DataError(
            f"no head {head!r} was fitted",
            where=heads,
            do=f"set {FITTED_BY[head]} and run the workflow again, or score with the logistic head",
        )
    odd = {n for n, head in found.items() if len(head.bias) != len(settings.classes)}
    if odd or set(settings.modalities) - set(shards.modalities):
        raise DataError("heads do not fit what they say of themselves", where=heads, do=AGAIN)
    if not found and not none_too:
        raise DataError(
            "no head was fitted that could predict",
            where=heads,
            why="the labelled windows taught none; the notes of the probe beside it say why",
            do="use more labelled subjects (folds.train_share) or another fold",
        )
    return Trained(facts, settings, shards, found, head)


def check_weights(trained: Trained, heads: Path, weights: Path | None) -> None:
    """Refuse weights that the heads were not fitted on.

    Raises:
        DataError: naming what was expected and what was found.
    """
    from physiome.training.checkpoint import read_weights
    from physiome.training.manifest import Manifest

    expected = trained.facts["weights"]
    if (expected is None) != (weights is None):
        raise DataError(
            f"{trained.title} has no weights" if weights else f"{trained.title} needs its weights",
            where=weights or heads,
            do="leave --weights out" if weights else "give --weights",
        )
    if weights is None:
        return
    manifest = Manifest.parse(read_weights(weights)[1], weights)
    found = manifest.name, manifest.dataset, manifest.fold
    wanted = tuple(trained.facts[key] for key in ("method", "dataset", "fold"))
    if found != wanted:
        raise DataError(
            "heads and weights do not belong together",
            where=weights,
            why=f"heads of {wanted}, weights of {found}",
            do="give the weights of these heads",
        )
    if file_digest(weights) != trained.facts["weights_sha256"]:
        raise DataError(
            "these are not the weights that the heads were fitted on",
            where=weights,
            why="trained again since, or altered",
            do="give heads fitted on these weights",
        )


def load_method(settings: EmbedSettings, weights: Path | None, device: str) -> Any:
    """The trained method on its device, in evaluation mode."""
    from physiome.methods.build import build_method, fresh_parents
    from physiome.training.checkpoint import load_weights

    method = build_method(settings, fresh_parents(settings))
    if weights is not None:
        load_weights(method, weights)
    return method.to(device).eval()
