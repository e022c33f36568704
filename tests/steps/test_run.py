"""`physiome run`: stages as they end, and last words, of Snakemake runs in an empty folder."""

import errno
import os
import subprocess
import sys
import time

import pytest

from physiome.plan.memory import note_results
from physiome.steps import run as step
from physiome.watch.stages import Stages, what_runs
from physiome.watch.state import Count, Running, State

TWO = """
rule all:
    input: "results/folds/a.json", "results/tables/a.csv"
rule folds:
    output: "results/folds/a.json"
    log: "results/logs/folds/a.log"
    shell: "echo 2026 WARNING few subjects > {log}; touch {output}"
rule table:
    input: "results/folds/a.json"
    output: "results/tables/a.csv"
    log: "results/logs/table/a.log"
    shell: "TABLE"
onsuccess:
    print("the end of it")
"""


def run(folder, table, *arguments):
    (folder / "Snakefile").write_text(TWO.replace("TABLE", table))
    command = [sys.executable, "-m", "physiome", "run", "--cores", "1", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_each_stage_is_told_once_when_all_its_jobs_are_done(tmp_path):
    stages = Stages(tmp_path)
    half = [Count("train", 1, 1, 0, 0), Count("table", 0, 0, 0, 2), Count("curves", 1, 0, 0, 0)]
    assert [*stages.ended(State("running", "r", counts=half))] == ["5 jobs, for results in r"]
    more = [Count("train", 2, 0, 0, 0), Count("table", 1, 0, 1, 0), Count("curves", 1, 0, 0, 0)]
    (tmp_path / "r/logs/train/x").mkdir(parents=True)
    (tmp_path / "r/logs/train/x/fold0.log").write_text("1 INFO a\n2 WARNING b\n3 WARNING c\n")
    (tmp_path / "r/logs/train/old.log").write_text("1 WARNING of an earlier run\n")
    os.utime(tmp_path / "r/logs/train/old.log", (time.time() - 99,) * 2)
    told = [*stages.ended(State("running", "r", elapsed_s=75, counts=more))]
    assert told == ["train                 2 jobs done after 75 s      2 warnings in r/logs/train/"]
    assert not [*stages.ended(State("running", "r", counts=more))]


def test_what_runs_is_the_job_that_began_first():
    running = [Running("probe", "x", "", 3.0), Running("embed", "y", "", 1.0)]
    assert what_runs(State("running", running=running)) == "probe x"
    assert what_runs(State("planning")) == "planning"
    assert what_runs(State("done")) == ""


@pytest.mark.slow
def test_a_run_tells_its_stages_and_what_it_says_at_its_end(tmp_path):
    done = run(tmp_path, "touch {output}")
    assert done.returncode == 0
    first, folds, table, _, *last = done.stdout.splitlines()
    assert first.startswith("3 jobs")
    assert folds.split()[:3] == ["folds", "1", "job"]
    assert folds.endswith("1 warning in results/logs/folds/")
    assert table.startswith("tables and figures")
    assert "the end of it" in last
    assert "Nothing to be done" in run(tmp_path, "touch {output}").stdout


@pytest.mark.slow
def test_the_error_of_a_job_that_failed_is_the_last_thing_said(tmp_path):
    failed = run(tmp_path, "echo 'physiome: error: no room' > {log}; exit 2")
    assert failed.returncode == 1
    assert failed.stderr.splitlines()[-1] == "results/logs/table/a.log: no room"
    assert "Finished jobid" not in failed.stdout
    broken = run(tmp_path, "{nothing}", "--configfile", "missing.yaml")
    assert broken.returncode == 1
    assert "missing.yaml" in broken.stderr.splitlines()[-1]


@pytest.mark.slow
def test_of_a_run_that_was_killed_before_nothing_is_told(tmp_path):
    """Of one that is refused Snakemake says why, and has a log all the same."""
    run(tmp_path, "touch {output}")
    (log,) = (tmp_path / ".snakemake/log").glob("*.log")
    said = log.read_text().partition("Finished jobid: 0")[0]
    killed = log.rename(log.with_name("2026-01-01T000000.000001.snakemake.log"))
    killed.write_text(said)
    note_results([killed], "results")
    (tmp_path / "results/tables/a.csv").unlink()
    lock = tmp_path / ".snakemake/locks/0.output.lock"
    lock.parent.mkdir(exist_ok=True)
    lock.write_text("results/tables/a.csv\n")
    refused = run(tmp_path, "touch {output}")
    assert (refused.returncode, refused.stdout.strip()) == (1, "")
    assert "cannot be locked" in refused.stderr
    lock.unlink()
    assert run(tmp_path, "touch {output}").stdout.startswith("2 jobs")


@pytest.mark.slow
def test_a_run_goes_on_where_nothing_can_be_told_of_it(tmp_path, monkeypatch):
    """A file server that fails for a moment, a log that is removed while it is read."""

    def fail(*_, **__):
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    (tmp_path / "Snakefile").write_text(TWO.replace("TABLE", "sleep 3; touch {output}"))
    monkeypatch.setattr(step, "look", fail)
    assert step.run(["--cores", "1"], tmp_path) == 0
    assert (tmp_path / "results/tables/a.csv").exists()
