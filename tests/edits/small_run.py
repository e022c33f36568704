"""The finished run that is edited: ten recordings, two folds, one trained system, two controls."""

from pathlib import Path

import yaml

from tests.faults.waves import EEG, EOG, dataset, noise, write
from tests.workflow.project_copy import Project

SUBJECTS = 10


def write_recordings(folder: Path) -> None:
    """EDF files of two classes that differ in their EEG's size, and their table."""
    folder.mkdir(parents=True)
    lines = ["record,subject,group"]
    for i in range(SUBJECTS):
        signals = {EEG: noise(i, minutes=2) * (1 + i % 2), EOG: noise(100 + i, minutes=2)}
        write(folder / f"r{i}.edf", {name: x.clip(-190, 190) for name, x in signals.items()})
        lines.append(f"r{i},S{i},{'sw'[i % 2]}")
    (folder / "records.csv").write_text("\n".join(lines) + "\n")


def configuration(*methods: str) -> dict:
    """Of a run of these methods on the recordings in `mine/`."""
    return {
        "use_datasets": ["mine"],
        "methods": list(methods),
        "datasets": {"mine": dataset(Path("mine"), batches=3).plain()},
        "folds": {"count": 2, "train_share": 0.8},
        "probe": {"paper_head": None},
        "threads": {"shard": 1, "train": 1, "probe": 1},
        "device": "cpu",
        "encoder": {"frame_s": 6.0, "step_s": 6.0},
        "systems": {
            "crossl": {"channels": [2, 4, 8], "train": {"epochs": 1, "least_steps": 4, "batch": 8}}
        },
    }


def finished_run(root: Path, command: tuple[object, ...]) -> Project:
    """A copy of the project in which the run was made."""
    root.mkdir(parents=True)
    project = Project.copy(root)
    write_recordings(project.root / "mine")
    text = yaml.safe_dump(configuration("crossl", "handmade", "majority"))
    (project.root / "mine.yaml").write_text(text)
    project.snakemake(*command)
    return project
