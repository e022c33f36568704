"""The verb `status`: what a run is doing."""

import json
import time
from dataclasses import asdict
from pathlib import Path

from physiome.config.tree import load_files
from physiome.watch.experiment import results_of
from physiome.watch.look import look
from physiome.watch.screen import lines
from physiome.watch.state import State

EVERY_S = 2.0


def run(config: list[Path], results: Path | None, watch: bool, as_json: bool) -> None:
    """Print the state of the latest run in the working folder; until it ends, if it is watched.

    Args:
        config: YAML files, later ones win; jobs are counted of the whole experiment then, those of
            earlier runs too. Empty: of the run.
        results: tell of the latest run that wrote there; None: of the latest run, or of `config`.
    """
    tree = load_files(config) if config else None
    experiment = results_of(tree) if tree else None
    folder = str(results) if results else tree.results if tree else None

    def now() -> State:
        return look(Path(), folder, experiment)

    if as_json:
        print(json.dumps(asdict(now()), indent=1, ensure_ascii=False))
    elif watch:
        _watch(now)
    else:
        from rich.console import Console

        print("\n".join(lines(now(), Console().width)))


def _watch(now) -> None:
    from rich.live import Live
    from rich.text import Text

    with Live(auto_refresh=False, vertical_overflow="crop") as live:
        state = None
        while state is None or state.lives:
            if state is not None:
                time.sleep(EVERY_S)
            state = now()
            live.update(Text("\n".join(lines(state, live.console.width))), refresh=True)
