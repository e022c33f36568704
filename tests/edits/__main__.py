"""Random single edits of a finished run, each followed by the same command: `make edits`.

After an edit of what a run is made from (a cell of the table of records, a recording, a value of
the configuration) the tables must be those of a run from scratch with that edit; after an edit of
its results, those they were. Or the command refuses. Anything else is a silent difference.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.edits.edits import INPUTS, RESULTS, Edit
from tests.edits.small_run import finished_run
from tests.workflow.project_copy import Project

# What tables are made of; figures are drawn from the same scores.
COMMAND = ("results/tables/mine.csv", "--cores", 2, "--configfile", "mine.yaml")
SAME, REFUSED, SILENT = "as from scratch", "refused", "SILENTLY DIFFERENT"


def main() -> None:
    """Run it; exit code 1 after any silent difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    rng, outcomes = random.Random(chosen.seed), Counter()
    with tempfile.TemporaryDirectory() as folder:
        finished = finished_run(Path(folder, "finished"), COMMAND)
        for case in range(chosen.cases):
            edit = rng.choice([*INPUTS, *RESULTS])
            began = time.monotonic()
            told, outcome = try_edit(finished, Path(folder), edit, rng)
            outcomes[edit.__name__, outcome] += 1
            print(
                f"{case:3d}  {outcome:18}  {told}  ({time.monotonic() - began:.0f} s)", flush=True
            )
    print()
    for (name, outcome), count in sorted(outcomes.items()):
        print(f"{count:4d}  {name:18} {outcome}")
    silent = sum(count for (_, outcome), count in outcomes.items() if outcome == SILENT)
    print(f"{chosen.cases} edits, {silent} silent differences (seed {chosen.seed})")
    sys.exit(silent > 0)


def try_edit(finished: Project, folder: Path, edit: Edit, rng: random.Random) -> tuple[str, str]:
    """What was edited, and what came of it."""
    tree = finished.clone(folder / "tree")
    try:
        told = edit(tree.root, rng)
        expected = tables(finished)
        done = tree.snakemake(*COMMAND, check=False)
        if done.returncode:
            return told, REFUSED
        if edit in INPUTS:
            expected = from_scratch(tree, folder / "scratch")
        found = tables(tree)  # may hold more: what an earlier configuration also made
        same = expected is not None and all(
            found.get(name) == text for name, text in expected.items()
        )
        return told, SAME if same else SILENT
    finally:
        shutil.rmtree(tree.root)


def from_scratch(tree: Project, folder: Path) -> dict[str, str] | None:
    """The tables of a run of the edited inputs; None if it fails."""
    kept = shutil.ignore_patterns("results", ".snakemake")
    shutil.copytree(tree.root, folder, ignore=kept)
    try:
        scratch = Project(folder)
        return None if scratch.snakemake(*COMMAND, check=False).returncode else tables(scratch)
    finally:
        shutil.rmtree(folder)


def tables(project: Project) -> dict[str, str]:
    """Name -> text of every table; costs hold times."""
    paths = sorted((project.root / "results" / "tables").glob("*"))
    return {p.name: p.read_text("utf-8") for p in paths if not p.name.endswith(".costs.csv")}


if __name__ == "__main__":
    main()
