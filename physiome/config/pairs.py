"""Which rows `physiome learn` compares with which."""

import json
from collections.abc import Sequence
from typing import Any

from physiome.config.resolve import Resolved
from physiome.config.tree import Config


def pair_settings(config: Config) -> str:
    """For `pairs`: rows of the data sets' own tables, and with what each is compared, as JSON.

    A row's `twin` is its system untrained; its `reference` the method it is a variant of.
    """
    found = {}
    for dataset in config.used:
        spec = config.datasets[dataset]
        pressure = spec.labels.pressure if spec.labels.rule == "hypotension" else None
        found[dataset] = {
            "title": spec.title,
            "modalities": list(spec.modalities),
            "pressure": pressure,
            "rows": pairs(config, dataset, learned_rows(config, dataset)),
        }
        if spec.scored is not None:
            found[dataset]["scored"] = spec.scored
    draws = config.tables.intervals
    facts = {"seed": config.seed, "resamples": draws.resamples, "draws": draws.seed}
    return json.dumps({**facts, "datasets": found})


def learned_rows(config: Config, dataset: str) -> list[str]:
    """Rows of a data set's table; of a control without weights one seed says it all."""
    rows = config.rows_of(config.table_name(dataset))
    return [m for m in rows if config.resolve(m, dataset).entry.trains or config.seed == 0]


def pairs(config: Config, dataset: str, rows: Sequence[str]) -> dict[str, dict[str, Any]]:
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
