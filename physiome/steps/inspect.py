"""The verb `inspect`: what recordings hold, what would be used of them, and a map of channels."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from physiome.config.data import ShardSettings
from physiome.config.tree import Config, load_files
from physiome.data.formats.suffixes import LOOKED_FOR, files_in
from physiome.data.recording import RawRecord
from physiome.data.sources.kinds import open_source, parse_settings
from physiome.errors import ConfigError, DataError
from physiome.inspect.describe import as_text, map_text
from physiome.inspect.look import look
from physiome.inspect.propose import merge


def run(paths: list[Path], config: list[Path], as_json: bool = False) -> None:
    """Print one block per recording, and one map of channels for all.

    A file that cannot be read says so in its block.

    Args:
        paths: recordings, or folders that are searched for them at any depth.
        config: YAML files, later ones win; every data set that they use is tried. Empty: none.
        as_json: one JSON object {"files": [...], "proposal": ...} instead of text.

    Raises:
        DataError: nothing could be read.
        ConfigError: a configuration is refused, or is named as a recording.
    """
    for path in paths:
        if path.suffix in (".yaml", ".yml"):
            raise ConfigError(
                "a configuration, not a recording",
                where=path,
                do="write --config before each configuration",
            )
    settings, listed = {}, {}
    if config:
        tree = load_files(config)
        for name in tree.used:
            settings[name] = ShardSettings.parse_text(tree.shard_settings(name), "shard settings")
            listed[name] = _listed(tree, name)
    found = []
    for path in files_in(paths):
        found.append(look(path, settings, listed))
        if not as_json:
            print(as_text(found[-1]), flush=True)
    proposals = [block["proposal"] for block in found if block.get("proposal")]
    proposed = merge(proposals)
    if as_json:
        print(json.dumps({"files": found, "proposal": proposed}, indent=2, ensure_ascii=False))
    bad = sum("error" in block for block in found)
    where = ", ".join(map(str, paths))
    if not found:
        raise DataError("no recordings", where=where, why=LOOKED_FOR)
    if bad == len(found):
        raise DataError(
            "nothing could be read",
            where=where,
            why=f"{bad} of {bad} files are bad",
            do="see the errors above",
        )
    if not as_json:
        if proposed:
            counts = {name: _holding(proposals, name) for name in proposed}
            print(map_text(proposed, counts, len(proposals)))
        print(f"{len(found)} files: {len(found) - bad} read, {bad} not")


def _listed(tree: Config, dataset: str) -> dict[Path, RawRecord]:
    """The recordings of a table of one's own, by their absolute paths; without a table none."""
    if tree.datasets[dataset].source.kind != "recordings":
        return {}
    source = open_source(parse_settings(tree.records_settings(dataset), "{}"))
    try:
        records = source.fill(source.records())
    except DataError:  # for `check` to tell: here it is about files
        return {}
    return {Path(r.signals).resolve(): r for r in records if r.problem is None}


def _holding(proposals: list[Mapping[str, Any]], name: str) -> int:
    """Files with a channel of the modality, or of one of the leads that were put together."""
    return sum(any(key == name or key.startswith(f"{name}_") for key in one) for one in proposals)
