"""Whether what lies on disk was made with the settings that are configured now.

Snakemake reruns what a change of the configuration concerns. Told not to, it would hand a step
shards or weights of other settings, and nobody would see it in the table.
"""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from physiome.errors import DataError

SHOWN = 3  # differences that a message names


class Owner(NamedTuple):
    """Whose weights: data set, fold, and method or modality of an encoder."""

    dataset: str
    fold: int
    name: str


def differences(found: Any, wanted: Any, whole: bool, path: str = "") -> Iterator[str]:
    """`key.of.it: found value, not wanted value` for every leaf that differs.

    Args:
        whole: also leaves that only `found` has, such as a channel that is no longer wanted.
    """
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key in {**wanted, **found} if whole else wanted:
            inner = f"{path}.{key}".lstrip(".")
            yield from differences(found.get(key), wanted.get(key), whole, inner)
    elif found != wanted:
        yield f"{path}: {found!r}, not {wanted!r}"


def require(found: Any, wanted: str | None, where: object, what: str, whole: bool = False) -> None:
    """Refuse what was made with other settings.

    Args:
        found: the settings in the manifest of what lies on disk.
        wanted: the configured settings, as JSON; None: nothing is required.
        where: the file or folder, for the message.
        what: what it is, for the message ("shard", "model").
        whole: refuse also what `found` has more; models have defaults filled in.

    Raises:
        DataError: naming the keys that differ, with both values.
    """
    if wanted is None:
        return
    wrong = list(differences(found, json.loads(wanted), whole))
    if wrong:
        more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise DataError(
            f"this {what} was made with other settings",
            where=where,
            why="; ".join(wrong[:SHOWN]) + more,
            do="let Snakemake make it again, or set the configuration back",
        )


def require_owner(found: Owner, wanted: Owner, where: object) -> None:
    """Refuse weights of another data set, fold or name.

    Weights of another fold have seen this fold's test subjects.

    Raises:
        DataError: naming what is wanted and what was found.
    """
    if found != wanted:
        raise DataError(
            "these weights belong elsewhere",
            where=where,
            why=f"wanted {tuple(wanted)}, found {tuple(found)}",
            do="give the weights of this data set, fold and name",
        )
