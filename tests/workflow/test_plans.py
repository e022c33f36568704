"""What snakemake plans on a fresh checkout, and what it refuses before any job."""

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from project_copy import ROOT, Project, environment

from physiome.config.tree import load_files

# Of 16 methods 14 are trained, one of them after another that no table shows: 15 trainings and
# three kinds of encoders per fold. Tables 3 to 6 add 17 variants in five folds, four kinds of
# encoders.
PAPER = {
    "records": 2, "fetch": 66, "shard": 66, "folds": 2, "pretrain": 150, "train": 235,
    "embed": 245, "probe": 245, "scores": 6, "all_scores": 1, "table": 6, "intervals": 6,
    "really_missing": 2, "costs": 6, "comparison": 2, "figures": 2, "curves": 2,
    "diagnostics": 2, "summary": 1, "all": 1,
}  # fmt: skip
TABLE1 = {
    "records": 1, "fetch": 16, "shard": 16, "folds": 1, "pretrain": 45, "train": 75, "embed": 80,
    "probe": 80, "scores": 1, "table": 1, "intervals": 1, "really_missing": 1, "costs": 1,
}  # fmt: skip
TABLE5 = {  # three variants on one kind of encoder
    "records": 1, "fetch": 16, "shard": 16, "folds": 1, "pretrain": 15, "train": 15, "embed": 15,
    "probe": 15, "scores": 1, "table": 1, "intervals": 1, "costs": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    return Project.copy(tmp_path_factory.mktemp("fresh"))


@pytest.fixture
def mine(fresh, tmp_path):
    """`mine(text)` -> path of a config file with this text."""

    def write(text) -> Path:
        path = tmp_path / "mine.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize(
    "options",
    [[], ["--cores", 16, "--resources", "gpu=2"], ["--workflow-profile", "none", "--cores", 1]],
    ids=["default profile", "as in the readme", "no profile"],
)
def test_the_papers_experiment_is_planned_in_full(fresh, options):
    plan = fresh.plan(*options)
    assert plan == PAPER
    assert sum(plan.values()) == 1048


def test_a_table_plans_what_it_shows_and_nothing_else(fresh):
    assert fresh.plan("results/tables/table1.tex") == TABLE1
    assert fresh.plan("results/tables/table5.tex") == TABLE5


def test_chosen_tables_are_all_that_is_made(fresh, mine):
    plan = fresh.plan("--configfile", mine("use_tables: [table5]\n"))
    assert plan == TABLE5 | {"all": 1}


def test_six_modalities_are_planned_with_the_subsets_that_are_scored(fresh):
    six = "workflow/overlays/vitaldb-six.yaml"
    plan = fresh.plan("--configfile", "workflow/overlays/demo.yaml", six)
    assert plan["pretrain"] == 6  # of one fold: an encoder per modality
    assert plan["embed"] == plan["probe"] == 6  # rows; subsets are no jobs
    config = load_files([ROOT / "config.yaml", ROOT / six])
    assert len(config.datasets["vitaldb"].scored) == 22
    for method, knows in (("contrawr", True), ("synthsleepnet", True), ("physiome", False)):
        assert ("scored" in json.loads(config.train_settings("vitaldb", 1, method))) == knows
    assert "scored" in json.loads(config.embed_settings("vitaldb", 1, "physiome"))


def test_leads_of_a_physionet_project_are_planned_with_what_their_loss_costs(fresh):
    plan = fresh.plan("--configfile", "workflow/overlays/eeg-ecg.yaml")
    assert plan["records"] == 1
    assert plan["pretrain"] == 36  # six folds: two modalities under three encoders
    assert plan["lost_leads"] == plan["embed"] == 108  # 18 rows
    assert plan["lost_leads_figure"] == 1


def test_label_efficiency_is_planned_where_it_is_named_and_refits_heads_alone(fresh):
    plan = fresh.plan("results/figures/sleep_edf/few_labels.svg")
    assert plan["few_labels"] == plan["embed"]
    assert plan["few_labels_figure"] == 1
    assert "probe" not in plan
    assert "few_labels" not in fresh.plan()


def test_the_goal_data_plans_no_training(fresh):
    plan = fresh.plan("data")
    assert set(plan) == {"records", "fetch", "shard", "folds", "data"}


def test_a_gpu_job_asks_for_one_gpu_and_gets_none_where_there_is_none(fresh):
    target = "results/models/sleep_edf/fold1/physiome.safetensors"
    for gpus in (0, 1):
        said = fresh.snakemake(target, "-n", "-p", "--cores", 2, "--resources", f"gpu={gpus}")
        commands = [c for c in said.stdout.splitlines() if "physiome pretrain" in c]
        assert len(commands) == 3
        assert all(f"--gpus {gpus} --device auto" in command for command in commands)


def test_commands_on_very_many_batches_are_as_long_as_a_shell_takes(fresh, mine):
    text = "use_datasets: [sleep_edf]\ndatasets: {sleep_edf: {batches: 1000}}\n"
    text += f"results: results/{'x' * 100}\n"
    target = f"results/{'x' * 100}/models/sleep_edf/fold1/physiome.safetensors"
    said = fresh.snakemake(target, "-n", "-p", "--configfile", mine(text)).stdout
    for verb in ("folds", "pretrain", "train"):
        commands = [c for c in said.splitlines() if f"physiome {verb} " in c]
        assert commands
        assert {len(c) < 131_072 for c in commands} == {True}
        assert all("/batch{0..999}/manifest.json " in c for c in commands)


def test_costs_of_very_many_folds_are_as_long_as_a_system_takes(fresh, mine):
    """One argument, that is: a command that is too long Snakemake writes into a file."""
    text = f"use_datasets: [sleep_edf]\nfolds: {{count: 78}}\nresults: results/{'x' * 100}\n"
    target = f"results/{'x' * 100}/tables/table1.costs.csv"
    said = fresh.snakemake(target, "-n", "-p", "--configfile", mine(text)).stdout
    (command,) = [c for c in said.splitlines() if "physiome costs " in c]
    assert max(map(len, shlex.split(command))) < 10_000


def test_windows_at_a_time_stand_beside_the_settings_of_what_embeds(fresh, mine):
    target = "results/demo/embeddings/sleep_edf/fold1/handmade.npy"
    files = ["workflow/overlays/demo.yaml", mine("embed_batch: 7\n")]
    said = fresh.snakemake(target, "-n", "-p", "--configfile", *files).stdout
    (command,) = [c for c in said.splitlines() if "physiome embed " in c]
    assert " --batch 7 " in command
    assert '"batch"' not in command


def test_gpus_that_jobs_share_are_counted_as_devices(fresh, mine):
    target = "results/models/sleep_edf/fold1/physiome.safetensors"

    def said(gpus, jobs):
        options = ["--resources", f"gpu={gpus}", "--configfile", mine(f"gpu: {{jobs: {jobs}}}\n")]
        done = fresh.snakemake(target, "-n", "-p", "--cores", 16, *options)
        told = [line for line in done.stderr.splitlines() if "shared by" in line]
        commands = [c for c in done.stdout.splitlines() if "physiome pretrain" in c]
        return told, {c.split("--gpus ")[1][0] for c in commands}

    assert said(2, 1) == ([], {"1"})
    assert said(2, 2) == (["2 GPUs, shared by 2 jobs at most each"], {"1"})
    assert said(0, 4) == ([], {"0"})
    for path in (ROOT / "workflow" / "rules").glob("*.smk"):
        text = path.read_text(encoding="utf-8")
        assert text.count("threads: GPU_THREADS") == text.lower().count("on_device=on_device")


def test_what_has_no_weights_takes_no_gpu_even_where_one_is_demanded(fresh, mine):
    options = ["--resources", "gpu=1", "--configfile", mine("device: cuda\n")]
    for method, wanted in (
        ("handmade", "--gpus 0 --device cpu"),
        ("physiome", "--gpus 1 --device cuda"),
    ):
        target = f"results/embeddings/sleep_edf/fold1/{method}.npy"
        said = fresh.snakemake(target, "-n", "-p", "--cores", 2, *options).stdout
        (command,) = [line for line in said.splitlines() if "physiome embed" in line]
        assert wanted in command


def test_fewer_folds_methods_and_data_sets_plan_less(fresh, mine):
    text = "use_datasets: [vitaldb]\nfolds: {use: 1}\nmethods: [handmade]\n"
    plan = fresh.plan("--configfile", mine(text))
    assert plan["embed"] == plan["probe"] == plan["table"] == 1
    assert not {"pretrain", "train", "curves", "intervals"} & set(plan)  # nothing is trained


@pytest.mark.parametrize(
    "target",
    [
        "results/tables/table1.pdf",
        "results/scores/sleepedf.csv",
        "results/models/sleep_edf/fold1/physiom.safetensors",
        "results/models/sleep_edf/foldone/physiome.safetensors",
    ],
)
def test_a_misspelt_target_is_no_rule(fresh, target):
    done = fresh.snakemake("-n", target, check=False)
    assert done.returncode != 0
    assert "MissingRuleException" in done.stdout + done.stderr


def test_a_table_that_does_not_exist_is_an_error_that_names_the_nearest(fresh):
    done = fresh.snakemake("-n", "results/tables/tabel3.tex", check=False)
    assert done.returncode == 2
    assert "no table results/tables/tabel3.tex - did you mean 'table3'?" in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("train: {learning_rate: 1e-4}", "'1e-4' is text, not a number - YAML reads 1e-4 as text"),
        ("train: {epoch: 3}", "train.epoch: unknown key - did you mean 'epochs'?"),
        ("encoder: {heads: 6}", "width 512 cannot be split evenly over 6 heads"),
        ("methods: [physiom]", "did you mean 'physiome'?"),
        ("overrides: {sleep_edf/9: {train: {epochs: 1}}}", "no fold '9'"),
    ],
)
def test_a_configuration_that_cannot_work_stops_before_any_job(fresh, mine, text, said):
    done = fresh.snakemake("--cores", 1, "--configfile", mine(text), check=False)
    assert done.returncode != 0
    (line,) = [x for x in done.stderr.splitlines() if x.startswith("physiome: error: ")]
    assert said in line
    assert "Traceback" not in done.stdout + done.stderr
    assert not (fresh.root / "results" / "records").exists()


def test_jobs_run_the_code_of_this_copy(fresh):
    script = "import physiome; print(physiome.__file__)"
    said = subprocess.run(
        ["python", "-c", script],
        cwd=fresh.root,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(said.stdout.strip()) == fresh.root / "physiome" / "__init__.py"


def test_plans_are_made_with_the_code_of_this_copy(fresh, tmp_path):
    copy = fresh.clone(tmp_path / "broken")
    (copy.root / "physiome" / "registry.py").write_text("raise OSError('of the copy')\n")
    done = copy.snakemake("-n", check=False)
    assert done.returncode != 0
    assert "of the copy" in done.stdout + done.stderr


def test_the_workflow_runs_from_another_working_directory(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "-n"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "1043" in done.stdout


def test_the_demo_plans_the_same_rules_as_the_paper(fresh):
    plan = fresh.plan("--configfile", "workflow/overlays/demo.yaml")
    assert set(plan) == set(PAPER)
    assert (plan["pretrain"], plan["train"]) == (9, 20)


def test_a_job_that_fails_says_why_and_leaves_no_output(fresh, tmp_path, mine):
    copy = fresh.clone(tmp_path / "copy")
    text = f"datasets: {{sleep_edf: {{source: {{raw: {{fill: folder, folder: {tmp_path}/no}}}}}}}}"
    options = ["--cores", 1, "--show-failed-logs", "--configfile", mine(text)]
    done = copy.snakemake("results/tables/table1.tex", *options, check=False)
    assert done.returncode != 0
    assert "physiome: error: " in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (copy.root / "results" / "tables").exists()


def test_settings_of_a_job_are_plain_json(fresh):
    said = fresh.snakemake("-n", "-p", "results/scores/sleep_edf/fold1/majority.parquet").stdout
    (command,) = [line for line in said.splitlines() if "physiome probe" in line]
    text = command.split("--settings '")[1].split("'")[0]
    assert json.loads(text)["seed"] == 0


def test_lint_finds_nothing(fresh):
    assert "good condition" in (done := fresh.snakemake("--lint")).stdout + done.stderr


def test_the_workflow_is_formatted(fresh):
    snakefmt = shutil.which("snakefmt", path=environment()["PATH"])
    assert snakefmt is not None, "snakefmt belongs to the test dependencies"
    command = [snakefmt, "--check", "Snakefile", "workflow"]
    done = subprocess.run(command, cwd=fresh.root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


LEARN = {"fetch": 2, "shard": 2, "folds": 1, "pairs": 1}
EEGMAT = {"pretrain": 36, "train": 84, "embed": 92, "probe": 92}  # 10 systems, twins, a tokenizer


@pytest.mark.parametrize(
    ("seed", "overlays", "jobs"),
    [
        (0, ["learn-eegmat"], EEGMAT),
        (1, ["learn-eegmat"], EEGMAT | {"embed": 80, "probe": 80}),  # controls have no seed
        (
            0,
            ["learn-eegmat", "learn-quick"],
            {"pretrain": 12, "train": 16, "embed": 22, "probe": 22},
        ),
        (0, ["learn-icu"], {"pretrain": 27, "train": 63, "embed": 72, "probe": 72}),
        (0, ["learn-leads"], {"pretrain": 32, "train": 100, "embed": 108, "probe": 108}),
        (
            0,
            ["learn-nights"],
            {"records": 1, "pretrain": 18, "train": 42, "embed": 46, "probe": 46},
        ),
    ],
)
def test_a_piece_of_the_standing_experiment_is_planned(fresh, tmp_path, seed, overlays, jobs):
    for name in ("eegmat", "challenge-2015"):
        (tmp_path / name).mkdir()
    files = [f"workflow/overlays/{name}.yaml" for name in ("learn", *overlays)]
    run = f"results/learn/piece/seed{seed}"
    plan = fresh.plan(
        f"{run}/pairs.json",
        "--configfile",
        *files,
        "--config",
        f"seed={seed}",
        f"results={run}",
        f"data_folder={tmp_path}",
    )
    assert plan == LEARN | jobs
