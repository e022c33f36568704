"""What is told of runs of Snakemake that was asked to be quiet, and so says little itself."""

import os
import subprocess
import sys

import pytest

from physiome.plan.memory import note_of, note_results, noted_jobs
from physiome.watch.look import look
from physiome.watch.run_log import last_end
from physiome.watch.screen import lines

TWO = """
from physiome.plan.memory import note_results
from physiome.watch.said import said_at_end
rule all:
    input: "results/folds/a.json", "results/tables/a.csv"
rule folds:
    output: "results/folds/a.json"
    log: "results/logs/folds/a.log"
    shell: "touch {output} {log}"
rule table:
    input: "results/folds/a.json"
    output: "results/tables/a.csv", "results/tables/a.tex"
    log: "results/logs/table/a.log"
    retries: RETRIES
    shell: "TABLE"
onstart:
    note_results(log, "results")
onsuccess:
    note_results(log, "results", "done")
onerror:
    for line in said_at_end(log, "results"):
        print(line, file=sys.stderr)
    note_results(log, "results", "failed")
"""
FAILS = "touch {output}; echo 'physiome: error: no room' > {log}; exit 2"
AT_SECOND = "[ -f once ] || {{ touch once; exit 2; }}; touch {output}"
QUIET = [[], ["--quiet", "progress"], ["--quiet", "rules"], ["--quiet", "all"]]
pytestmark = pytest.mark.slow


def run(folder, table, *arguments, retries=0):
    text = TWO.replace("TABLE", table).replace("RETRIES", str(retries))
    (folder / "Snakefile").write_text(text)
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def told(folder):
    state = look(folder)
    done = {count.rule: count.done for count in state.counts}
    return state.phase, done.get("folds"), [(f.rule, f.log, f.why) for f in state.failed]


@pytest.mark.parametrize("quiet", QUIET)
def test_a_failed_run_is_told_as_such_with_the_log_of_its_job(tmp_path, quiet, monkeypatch):
    done = run(tmp_path, FAILS, *quiet)
    assert done.returncode == 1
    log = "results/logs/table/a.log"
    words = f"1 job failed:\n{log}: no room\n"
    assert words in done.stderr
    assert told(tmp_path) == ("failed", 1, [("table", log, "no room")])
    monkeypatch.chdir(tmp_path)
    assert last_end(note_of("results/tables/a.csv")) == "failed"
    silent = "all" in quiet or "rules" in quiet  # a run that failed, and no word of this job
    assert last_end(note_of("results/folds/a.json")) == ("" if silent else "done")


@pytest.mark.parametrize("quiet", QUIET)
def test_a_run_that_is_done_is_told_as_such_and_so_are_its_jobs(tmp_path, quiet, monkeypatch):
    done = run(tmp_path, AT_SECOND, *quiet, retries=1)
    assert done.returncode == 0
    assert "failed:" not in done.stderr
    phase, folds, failed = told(tmp_path)
    assert (phase, folds, failed) == ("done", 1, [])
    head = "\n".join(lines(look(tmp_path), 100)[:2])
    assert "nothing to do" not in head
    assert ("Snakemake does not say" in head) == ("progress" in quiet or "all" in quiet)
    (tmp_path / "results/folds/a.json").unlink()  # by hand, and after it
    assert told(tmp_path)[0::2] == ("done", [])
    monkeypatch.chdir(tmp_path)
    made = {last_end(note_of(path)) for path in ("results/folds/a.json", "results/tables/a.csv")}
    assert made == {"done"}


@pytest.mark.parametrize("end", ["", "failed"])
def test_a_job_begun_again_has_not_failed_and_one_of_an_earlier_run_is_not_told(tmp_path, end):
    run(tmp_path, FAILS, "--quiet", "all")
    (log,) = (tmp_path / ".snakemake/log").glob("*.log")
    note_results([log], "results", end)
    notes = [*(tmp_path / ".snakemake/metadata").iterdir()]
    began = min(note.stat().st_mtime for note in notes) - 1
    assert [len(jobs) for jobs in noted_jobs(tmp_path, "results", began)] == [1, 1]
    assert [len(jobs) for jobs in noted_jobs(tmp_path, "results/other", began)] == [0, 0]
    for note in notes:
        (tmp_path / ".snakemake/incomplete" / note.name).write_text("{}")
    assert noted_jobs(tmp_path, "results", began) == ([], [])
    for note in notes:
        (tmp_path / ".snakemake/incomplete" / note.name).unlink()
        os.utime(note, (began - 3600,) * 2)  # before Snakemake itself began, however slow
    assert noted_jobs(tmp_path, "results", began) == ([], [])
    phase = {"": "killed", "failed": "stopped"}[end]
    assert look(tmp_path).phase == phase
