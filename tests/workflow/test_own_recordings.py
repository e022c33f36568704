"""What runs again after an edit of one's own recordings: what it concerns, and no more."""

import json
import os
import shutil
from pathlib import Path

import pytest
import yaml
from project_copy import Project

from physiome.steps import doctor
from tests.edits.small_run import configuration, write_recordings
from tests.faults.waves import EEG, EOG, noise, write

pytestmark = pytest.mark.slow

REPORTS = dict.fromkeys(
    (
        "scores",
        "all_scores",
        "table",
        "intervals",
        "really_missing",
        "figures",
        "comparison",
        "diagnostics",
        "summary",
    ),
    1,
)
TABLE = "results/tables/mine.csv"
SCORED = {"folds": 1, "embed": 4, "probe": 4, **REPORTS, "all": 1}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run of two controls on a folder of EDF files. Never changed."""
    project = Project.copy(tmp_path_factory.mktemp("finished"))
    write_recordings(project.root / "mine")
    config = configuration("handmade", "majority")
    (project.root / "mine.yaml").write_text(yaml.safe_dump(config))
    project.snakemake("--cores", 2, "--configfile", "mine.yaml")
    return project


@pytest.fixture
def tree(finished, tmp_path):
    return finished.clone(tmp_path / "tree")


def plan(project):
    return project.plan("--configfile", "mine.yaml")


def table(project):
    return (project.root / "results" / "tables" / "mine.csv").read_text()


def relabel(folder):
    change_row(folder, "r2,S2,s", "r2,S2,w")


def merge(folder):
    change_row(folder, "r3,S3,w", "r3,S1,w")


def change_row(folder, old, new):
    path = folder / "records.csv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def replace(folder):
    """Another recording under the name, of the same size, and older than it."""
    path = folder / "r4.edf"
    before = path.stat()
    write(path, {EEG: noise(77, minutes=2), EOG: noise(78, minutes=2)})
    assert path.stat().st_size == before.st_size
    os.utime(path, ns=(0, before.st_mtime_ns - 10**12))


def move(folder):
    (folder / "deep").mkdir()
    (folder / "r5.edf").rename(folder / "deep" / "r5.edf")


def touch(folder):
    for path in folder.iterdir():
        path.touch()


def leave_a_note(folder):
    (folder / "notes.txt").write_text("nothing of the recordings")


EDITS = {
    relabel: {"fetch": 1, "shard": 1, **SCORED},
    merge: {"fetch": 1, "shard": 1, **SCORED},
    replace: {"fetch": 1, "shard": 1, **SCORED},
    move: {"fetch": 1, "shard": 1, **SCORED},
    touch: {},
    leave_a_note: {},
}


def test_nothing_is_planned_when_everything_is_done(finished):
    assert plan(finished) == {}


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
def test_an_edit_plans_the_batch_it_concerns(tree, edit):
    edit(tree.root / "mine")
    assert plan(tree) == EDITS[edit]


def test_edits_reach_the_table(tree):
    relabel(tree.root / "mine")
    replace(tree.root / "mine")
    before = table(tree)
    tree.snakemake(TABLE, "--cores", 2, "--configfile", "mine.yaml")
    assert table(tree) != before
    assert tree.plan(TABLE, "--configfile", "mine.yaml") == {}


def test_edits_that_nothing_remembers_are_refused(tree):
    shutil.rmtree(tree.root / ".snakemake")
    assert plan(tree) == {}
    relabel(tree.root / "mine")
    done = tree.snakemake("-n", "--configfile", "mine.yaml", check=False)
    assert done.returncode == 2
    assert "mine.batch2.json: " in done.stderr
    assert "row or files of r2 changed" in done.stderr
    assert tree.plan("--forcerun", "fetch", "--configfile", "mine.yaml")["shard"] == 3


def test_what_another_working_directory_made_in_the_same_folder_is_refused(tree):
    """Here it is remembered as made with the settings of this configuration."""
    path = tree.root / "results/scores/mine/fold1/handmade.json"
    facts = json.loads(path.read_text())
    facts["settings"]["max_iterations"] = 7
    path.write_text(json.dumps(facts))
    done = tree.snakemake("-n", "--configfile", "mine.yaml", check=False)
    assert done.returncode == 2
    assert "max_iterations: 7, not 1000" in done.stderr


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"tables": {"decimals": 3}}, "decimals: 2, not 3"),
        ({"methods": ["handmade"]}, "methods.majority: "),  # less than was made
    ],
)
def test_a_table_of_other_settings_that_nothing_remembers_is_refused(tree, change, told):
    shutil.rmtree(tree.root / ".snakemake")
    config = yaml.safe_load((tree.root / "mine.yaml").read_text())
    (tree.root / "mine.yaml").write_text(yaml.safe_dump(config | change))
    done = tree.snakemake("-n", "--configfile", "mine.yaml", check=False)
    assert done.returncode == 2
    assert "mine.json: " in done.stderr
    assert told in done.stderr
    assert tree.plan("--forcerun", "table", "--configfile", "mine.yaml")["table"] == 1


def test_the_doctor_names_what_changed(tree, monkeypatch):
    monkeypatch.chdir(tree.root)
    config = [Path("config.yaml"), Path("mine.yaml")]
    before = [line for line in doctor.run(config, False) if line.topic == "records"]
    relabel(Path("mine"))
    replace(Path("mine"))
    (line,) = [line for line in doctor.run(config, False) if line.topic == "records"]
    assert before == []
    assert line.level == "warn"
    assert "r2, r4 of mine" in line.text


def test_a_table_that_became_unreadable_is_named_by_the_run(tree):
    (tree.root / "mine" / "records.csv").write_text("record,person\nr0,S0\n")
    done = tree.snakemake("--cores", 1, "--configfile", "mine.yaml", check=False)
    assert done.returncode != 0
    assert "records.csv: no column 'subject'" in done.stdout + done.stderr


def test_a_shard_that_is_missing_is_named_and_made_again_as_the_message_says(tree):
    """After the folds no job names shards as its input: Snakemake does not see that one is gone."""
    shard = "results/shards/mine/batch1/manifest.json"
    (tree.root / shard).unlink()
    assert plan(tree) == {}
    before = table(tree)
    for path in (tree.root / "results").rglob("mine.csv"):
        path.unlink()
    for kind in ("embeddings", "scores"):
        shutil.rmtree(tree.root / "results" / kind / "mine")
    again = ("--cores", 2, "--configfile", "mine.yaml")
    done = tree.snakemake(TABLE, *again, check=False)
    logs = "".join(p.read_text() for p in (tree.root / "results/logs/embed").rglob("*.log"))
    assert done.returncode != 0
    assert f"{shard}: a shard is missing - add --forcerun {shard}" in logs
    tree.snakemake(TABLE, "--forcerun", shard, *again)
    assert table(tree) == before
    assert tree.plan(TABLE, "--configfile", "mine.yaml") == {}
