"""When a job counts as running: Snakemake's marks, and the logs that jobs begin."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from waiting import wait_until

from physiome.plan.memory import notes
from physiome.watch.look import SLACK_S, look

ROOT = Path(__file__).resolve().parents[2]
RESULT = "results/tables/a.csv"
SLEEPS = """
rule table:
    output: "results/tables/a.csv"
    log: "results/logs/table/a.log"
    shell: "sleep 3 > {log} 2>&1; touch {output}"
"""


def test_every_rule_begins_its_log_before_its_command():
    text = "".join(path.read_text("utf-8") for path in (ROOT / "workflow/rules").glob("*.smk"))
    commands = re.findall(r'^    shell:\n((?: {8}".*"\n)+)', text, re.MULTILINE)
    assert len(commands) == len(re.findall(r"^rule ", text, re.MULTILINE)) > 20
    assert [c for c in commands if not c.endswith(' > {log:q} 2>&1"\n')] == []


@pytest.fixture
def start(tmp_path, monkeypatch):
    """`start(argument, ...)`: Snakemake in an empty folder, that has one job of three seconds."""
    monkeypatch.chdir(tmp_path)
    Path("Snakefile").write_text(SLEEPS)
    begun = []

    def snakemake(*arguments):
        command = [sys.executable, "-m", "snakemake", RESULT, "--cores", "1", *arguments]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        begun.append(subprocess.Popen(command, **quiet))
        return begun[-1]

    yield snakemake
    for process in begun:
        process.wait(timeout=60)


@pytest.mark.slow
def test_a_job_on_this_machine_runs_at_once(start):
    process = start()
    wait_until(lambda: bool(look().running), process, "the job runs")
    (job,) = look().running
    assert (job.rule, look().waiting) == ("table", [])


@pytest.mark.slow
def test_snakemake_marks_a_job_again_when_a_cluster_begins_with_it(start):
    """So the time in the queue is not in that of a job that runs."""
    inner = ["--mode", "subprocess", "--target-jobs", "table:", "--allowed-rules", "table"]
    before = time.time()
    process = start(*inner, "--force", "--nolock")
    wait_until(lambda: Path("results/logs/table/a.log").exists(), process, "its log is there")
    ((path, marked),) = notes("incomplete")
    assert path == RESULT
    assert before - 1 < marked < Path("results/logs/table/a.log").stat().st_mtime + SLACK_S
