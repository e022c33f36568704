"""Whether what lies on disk was made with the settings that are configured now.

Snakemake reruns what a change of the configuration concerns. Told not to, it would hand a step
shards or weights of other settings, and nobody would see it in the table.
"""

import json
from collections.abc import Iterator
from typing import Any

from physiome.errors import DataError

SHOWN = 3  # differences that a message names


def differences(found: Any, wanted: Any, path: str = "") -> Iterator[str]:
    """`key.of.it: found value, not wanted value` for every leaf of `wanted` that differs."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key, value in wanted.items():
            yield from differences(found.get(key), value, f"{path}.{key}".lstrip("."))
    elif found != wanted:
        yield f"{path}: {found!r}, not {wanted!r}"


def require(found: Any, wanted: str | None, where: object, what: str) -> None:
    """Refuse what was made with other settings.

    Args:
        found: the settings in the manifest of what lies on disk.
        wanted: the configured settings, as JSON; None: nothing is required.
        where: the file or folder, for the message.
        what: what it is, for the message ("shard", "model").

    Raises:
        DataError: naming the keys that differ, with both values.
    """
    if wanted is None:
        return
    wrong = list(differences(found, json.loads(wanted)))
    if wrong:
        more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise DataError(
            f"this {what} was made with other settings", where=where,
            why="; ".join(wrong[:SHOWN]) + more,
            do="let Snakemake make it again, or set the configuration back",
        )  # fmt: skip
