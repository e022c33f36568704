"""`physiome why` after edits of a real run of Snakemake."""

import subprocess
import sys

import pytest
import yaml
from project_copy import Project, environment

from tests.edits.small_run import configuration, write_recordings

pytestmark = pytest.mark.slow


def physiome(project, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "physiome.warm", sys.executable, "-m", "physiome", *arguments],
        cwd=project.root,
        env=environment() | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def why(project):
    return physiome(project, "why", "--config", "mine.yaml")


def configure(project, **changes):
    text = yaml.safe_dump(configuration("handmade", "majority") | changes)
    (project.root / "mine.yaml").write_text(text)


def test_edits_of_setting_recording_and_source_are_told_each_with_its_jobs(tmp_path):
    project = Project.copy(tmp_path)
    write_recordings(project.root / "mine")
    configure(project)
    told = physiome(project, "run", "--cores", "2", "--configfile", "mine.yaml")
    assert "jobs, for results in results" in told
    assert "Tables:          results/tables/mine.csv" in told
    assert "results: done, in" in physiome(project, "status")
    assert why(project) == "nothing would run again\n"

    configure(project, probe={"paper_head": None, "max_iterations": 999})
    assert "setting probe.max_iterations: 1000 -> 999" in why(project)
    configure(project)

    project.edit("mine/records.csv", "r3,S3,w", "r3,S3,s")
    project.edit("physiome/steps/table.py", "def run(", "ADDED = 1\n\n\ndef run(")
    told = why(project)
    assert "data: row or file of r3 changed: mine batch 0 is cut again" in told
    assert "1 fetch (mine); what stands on them: 1 shard, 1 folds, 4 embed, 4 probe" in told
    assert "code: physiome/steps/table.py changed" in told
