"""Which rows `physiome learn` compares with which."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from physiome.config.resolve import Resolved

if TYPE_CHECKING:
    from physiome.config.tree import Config


def pairs(config: "Config", dataset: str, rows: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Row -> title, twin and reference, of all rows but the untrained ones; None: there is none.

    The twin is the same system untrained: of the same method, encoder and settings. The reference
    is the method that a variant is of, if it is a row too.
    """
    found = {m: config.resolve(m, dataset) for m in rows}
    twins = {m: r for m, r in found.items() if r.untrained}
    return {
        m: {
            "title": r.title,
            "twin": next((t for t, twin in twins.items() if _alike(r, twin)), None),
            "reference": r.base if r.base != m and r.base in found else None,
        }
        for m, r in found.items()
        if not r.untrained
    }


def _alike(one: Resolved, other: Resolved) -> bool:
    return (one.base, one.encoder, one.settings) == (other.base, other.encoder, other.settings)
