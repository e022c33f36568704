"""Results that are there but are not those of the configuration, unknown to Snakemake.

Snakemake remembers in `.snakemake` what made a file, and makes it again if that changes. A results
folder can lose its memory: copied, used from another working directory, shared by two
configurations. Every result also notes itself how it was made, so that can still be told.
"""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from physiome.config.agreement import differences
from physiome.config.tree import Config
from physiome.data.sources.own_files import batch_digests, changed_records
from physiome.errors import DataError, PhysioError
from physiome.files import read_json
from physiome.plan.graph import Graph
from physiome.plan.layout import Layout, Row
from physiome.plan.memory import note_of

Noted = dict[str, str]  # key of a result's JSON -> the settings it must note there, as JSON
NOTED_WHOLE = ("shard", "table")  # others fill defaults in: more than configured says nothing


class Stale(NamedTuple):
    """A result that is not that of the configuration."""

    path: str
    why: str
    asked: str | int  # the configured parameter, as Snakemake would remember it


def require_known(config: Config) -> None:
    """Refuse results of other settings or recordings that Snakemake would take for the right ones.

    Raises:
        DataError: with the number of them, the first, what differs, and how to go on.
    """
    unknown = [stale for stale in made_otherwise(config) if not _is_known(stale)]
    if not unknown:
        return
    first, several = unknown[0], len(unknown) > 1
    rules = sorted({Layout(config.results).step_of(stale.path) for stale in unknown})
    raise DataError(
        "this result was made otherwise" + f", like {len(unknown) - 1} more" * several,
        where=first.path,
        why=f"{first.why} - and nothing here remembers how it was made",
        do=f"add --forcerun {' '.join(rules)} to make such results again, or choose another folder "
        "by `results`",
    )


def _is_known(stale: Stale) -> bool:
    """Whether Snakemake remembers the result, and not as one of the configured settings."""
    params = (note_of(stale.path) or {}).get("params")
    return params is not None and repr(stale.asked) not in params


def made_otherwise(config: Config) -> Iterator[Stale]:
    """Results that are there and note other settings than configured, or other recordings.

    One that cannot be read is left to the step that needs it.
    """
    step_of = Layout(config.results).step_of
    yield from _of_own_recordings(config)
    yield from _of_published_recordings(config)
    for path, wanted in (*_of_data(config), *_of_tables(config)):
        try:
            noted = read_json(path)
        except PhysioError:
            continue
        for key, settings in wanted.items():
            whole = key == "settings" and step_of(path) in NOTED_WHOLE
            difference = next(differences(noted.get(key), json.loads(settings), whole), None)
            if key in noted and difference:
                yield Stale(path, difference, settings)
                break


def own_batches(config: Config, dataset: str) -> list[Path]:
    """Where the fetch step notes each batch of one's own recordings; none of other sources."""
    if config.datasets[dataset].source.kind != "recordings":
        return []
    at = Layout(config.results)
    return [Path(at.fetched(dataset, b)) for b in range(config.datasets[dataset].batches)]


def _of_own_recordings(config: Config) -> Iterator[Stale]:
    for dataset in config.used:
        noted = own_batches(config, dataset)
        if not any(path.exists() for path in noted):
            continue
        settings = config.records_settings(dataset)
        try:
            names = changed_records(settings, noted)
            digests = batch_digests(settings, noted) if any(names.values()) else [""] * len(noted)
        except DataError:
            continue  # the step says so
        for path, digest in zip(noted, digests, strict=True):
            if names.get(path):
                why = f"row or files of {', '.join(names[path])} changed"
                yield Stale(str(path), why, digest)


def _of_published_recordings(config: Config) -> Iterator[Stale]:
    """Batches of other recordings than configured, or divided otherwise, and lists of such."""
    at = Layout(config.results)
    for dataset in config.used:
        spec, asked = config.datasets[dataset], config.records_settings(dataset)
        if spec.source.kind == "recordings":
            continue
        listed_otherwise = ""
        for batch in range(spec.batches):
            path = at.fetched(dataset, batch)
            settings, batches = _noted_of_batch(path)
            why = next(differences(settings, _which(asked), whole=False), "") if settings else ""
            listed_otherwise = listed_otherwise or why
            if why:
                yield Stale(path, why, asked)
            elif batches not in (None, spec.batches):
                yield Stale(path, f"batches: {batches}, not {spec.batches}", spec.batches)
        path = at.records(dataset)
        if listed_otherwise and Path(path).exists() and note_of(path) is None:
            yield Stale(path, listed_otherwise, asked)  # it has no room for a note of its own


def _noted_of_batch(path: str) -> tuple[dict[str, Any] | None, int | None]:
    """Settings and number of batches that the fetch step noted; None where it did not."""
    try:
        noted = read_json(path)
    except PhysioError:
        return None, None
    return noted.get("settings"), noted.get("batches")


def _which(settings: str) -> dict[str, Any]:
    """What decides which recordings there are, not where copies of them lie."""
    plain = json.loads(settings)
    del plain["folder"]
    raw = plain["source"]["raw"]
    if raw["fill"] != "folder":
        del raw["folder"]
    return plain


def _of_data(config: Config) -> Iterator[tuple[str, Noted]]:
    """Shards and folds that are there."""
    at = Layout(config.results)
    for dataset in config.used:
        for batch in range(config.datasets[dataset].batches):
            path = at.shard(dataset, batch)
            if Path(path).exists():
                yield path, {"settings": config.shard_settings(dataset)}
        path = at.folds(dataset)
        if Path(path).exists():
            yield path, {"settings": config.folds_settings(dataset)}


def _of_tables(config: Config) -> Iterator[tuple[str, Noted]]:
    """Tables, and models, embeddings and scores of theirs that are there, each once."""
    graph, at, rows = Graph(config), Layout(config.results), {}
    for table in config.made_tables:
        path = at.table(table, "json")
        if Path(path).exists():
            yield path, {"settings": config.table_settings(table)}
        rows |= dict.fromkeys(graph.rows(table))
    for model in graph.models(rows):
        path = at.manifest(model)
        if Path(path).exists():
            yield path, {"settings": graph.settings(model)}
    for row in rows:
        for path, wanted in _of_row(graph, at, row):
            if Path(path).exists():
                yield path, wanted()


def _of_row(graph: Graph, at: Layout, row: Row) -> Iterator[tuple[str, Callable[[], Noted]]]:
    """Embeddings and scores; what a file must note is worked out only if it is there."""
    config, model = graph.config, graph.model(row)
    above = {"train_settings": partial(graph.settings, model)} if model else {}
    embed = partial(config.embed_settings, row.dataset, row.fold, row.method)
    yield at.embeddings(row, "json"), partial(_noted, settings=embed, **above)
    probe = partial(config.probe_settings, row.dataset, row.fold)
    yield at.scores(row, "json"), partial(_noted, settings=probe, embed_settings=embed, **above)


def _noted(**settings: Callable[[], str]) -> Noted:
    return {key: text() for key, text in settings.items()}
