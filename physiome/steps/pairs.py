"""Step: note which scores of a run `physiome learn` compares, once all of them are there."""

import json
from pathlib import Path

from physiome.files import write_json


def run(settings: str, probes: list[Path], output: Path) -> None:
    """Write the settings, and where the scores lie below the folder of `output`.

    Args:
        settings: of `physiome.config.pairs.pair_settings`.
        probes: per-window files of the probe step.
    """
    here = output.resolve().parent
    scores = [path.resolve().relative_to(here).as_posix() for path in probes]
    write_json(output, {**json.loads(settings), "scores": sorted(scores)})
