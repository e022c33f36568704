"""The profile for Slurm: what it says, what is planned with it, a run where there is a Slurm."""

import importlib.util
import re
import shutil
import subprocess

import pytest
import yaml
from project_copy import ROOT, Project, environment
from snakemake.cli import get_argument_parser
from waiting import kill_tree, wait_until

from physiome.config.cluster import Cluster
from tests.edits.small_run import configuration, write_recordings

PROFILE = ROOT / "profiles" / "slurm" / "profile.yaml"
PLUGIN = "snakemake_executor_plugin_slurm"
RULE = re.compile(r"^rule (\w+):.*?(?=^(?:rule|checkpoint) |\Z)", re.MULTILINE | re.DOTALL)
needs_plugin = pytest.mark.skipif(
    importlib.util.find_spec(PLUGIN) is None, reason=f"{PLUGIN} is not installed: extra `slurm`"
)
needs_slurm = pytest.mark.skipif(
    shutil.which("sbatch") is None or subprocess.run(["sinfo"], capture_output=True).returncode > 0,
    reason="no Slurm here: sbatch is not there, or sinfo fails",
)


def profile():
    return yaml.safe_load(PROFILE.read_text(encoding="utf-8"))


def rules():
    """Rule -> its text, of all rules of the workflow."""
    texts = [path.read_text("utf-8") for path in sorted((ROOT / "workflow/rules").glob("*.smk"))]
    return {match[1]: match[0] for text in texts for match in RULE.finditer(text)}


def test_snakemake_knows_the_options_of_the_profile():
    known = {flag for action in get_argument_parser()._actions for flag in action.option_strings}
    found = [key for key in profile() if not key.startswith("slurm-")]
    assert [key for key in found if f"--{key}" not in known] == []
    assert {"executor", "jobs", "retries"} <= set(found)


def test_every_rule_that_is_not_local_asks_for_memory_and_time():
    submitted = {name: text for name, text in rules().items() if "localrule: True" not in text}
    assert set(submitted) == set(Cluster.model_fields) - {"most"}
    for name, text in submitted.items():
        assert f'mem_mb=mem_mb(CONFIG.cluster, "{name}"),' in text
        assert f'runtime=runtime(CONFIG.cluster, "{name}"),' in text


def test_what_is_asked_for_reaches_no_command_and_no_parameter():
    for text in rules().values():
        assert "resources.mem_mb" not in text
        assert "resources.runtime" not in text
        assert "cluster" not in text.split("    params:")[-1]


def test_a_command_is_one_program_that_takes_the_place_of_its_shell():
    """A signal to all of a job would end a shell between Snakemake and the training at once."""
    common = (ROOT / "workflow" / "rules" / "common.smk").read_text("utf-8")
    assert 'shell.prefix("set -euo pipefail; exec ")' in common
    for name, text in rules().items():
        command = text.split("    shell:")[1]
        assert command.count("python -m physiome ") == 1, name
        assert not re.search(r"&&|;|\|", command), name


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    return Project.copy(tmp_path_factory.mktemp("fresh"))


@pytest.mark.slow
@needs_plugin
def test_the_experiment_is_planned_with_the_profile(fresh):
    with_profile = fresh.plan("--workflow-profile", "profiles/slurm")
    assert sum(with_profile.values()) > 1000
    assert with_profile == fresh.plan()


@pytest.mark.slow
def test_a_request_limits_no_job_of_a_small_machine_and_reruns_none(tmp_path):
    project = Project.copy(tmp_path)
    write_recordings(project.root / "mine")
    config = configuration("handmade", "majority")

    def run(gb, *options):
        asked = {"memory_gb": gb, "hours": 1000.0}
        plain = {**config, "cluster": {"shard": asked, "embed": asked, "probe": asked}}
        (project.root / "mine.yaml").write_text(yaml.safe_dump(plain))
        table = "results/tables/mine.csv"
        return project.snakemake(table, "--cores", 2, "--configfile", "mine.yaml", *options)

    run(1.0e6)
    assert (project.root / "results" / "tables" / "mine.csv").exists()
    assert "Nothing to be done" in run(2.0, "-n").stdout + run(2.0, "-n").stderr


def running(project):
    """Slurm's number of a job of this project that runs; "" if there is none."""
    asked = ["squeue", "--noheader", "--states=running", "--format=%i %Z"]
    lines = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()
    return next((line.split()[0] for line in lines if line.endswith(f" {project.root}")), "")


def told_after_scancel(project, *options):
    """Exit code and words of a run of which the first job that runs is cancelled."""
    here = ["--slurm-no-account", "--slurm-status-command", "squeue"]
    quick = ["--slurm-init-seconds-before-status-checks", 2, "--latency-wait", 5]
    profile = ["--workflow-profile", "profiles/slurm", *here, *quick]
    command = project.command(*profile, "--configfile", "mine.yaml", *options)
    said = project.root / "said.txt"
    with open(said, "w") as file:
        told = {"stdout": file, "stderr": subprocess.STDOUT}
        run = subprocess.Popen(command, cwd=project.root, env=environment(), **told)
        try:
            wait_until(lambda: bool(running(project)), run, "a job of it runs")
            subprocess.run(["scancel", running(project)], check=True)
            run.wait(timeout=1200)
        finally:
            if run.poll() is None:
                kill_tree(run)
    return run.returncode, said.read_text("utf-8")


@pytest.mark.slow
@pytest.mark.slurm
@needs_plugin
@needs_slurm
def test_a_job_that_is_cancelled_is_named_with_its_logs_or_gets_another_attempt(tmp_path):
    project = Project.copy(tmp_path)
    write_recordings(project.root / "mine")
    small = {"memory_gb": 0.7, "hours": 0.2}
    asked = {rule: small for rule in Cluster.model_fields if rule != "most"}
    config = configuration("handmade", "majority") | {"cluster": asked}
    (project.root / "mine.yaml").write_text(yaml.safe_dump(config))

    code, told = told_after_scancel(project, "--retries", 0)
    assert code == 1
    told = told[told.rindex("1 job failed:") :]
    (number,) = re.findall(r"Slurm: CANCELLED, its log: \.snakemake/slurm_logs/.*/(\d+)\.log", told)
    assert re.search(r"^results/logs/\w+/mine.*\.log: ", told, re.MULTILINE)
    assert [*(project.root / ".snakemake" / "slurm_logs").rglob(f"{number}.log")]

    code, told = told_after_scancel(project)
    assert code == 0
    assert len(re.findall(r"^Trying to restart job", told, re.MULTILINE)) == 1
    assert (project.root / "results" / "tables" / "mine.csv").exists()
