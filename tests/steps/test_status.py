"""`physiome status`: what a run is doing, by what it leaves on disk."""

import json
import os
import time
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from physiome.cli import app
from physiome.plan.memory import note_results
from physiome.watch import look as gathering
from physiome.watch.look import look
from physiome.watch.run_log import began, run_logs
from physiome.watch.screen import lines
from physiome.watch.stages import Stages, what_runs

STATS = """Building DAG of jobs...
Job stats:
job         count
--------  -------
pretrain        3
train           2
table           1
total           6

Select jobs to execute...
"""
MODELS = "results/run/models/nights/fold1"
PRETRAIN = f"{MODELS}/encoders/dp_neuronet/eog"
LOG = "results/run/logs/pretrain/nights/fold1/dp_neuronet.eog.log"


def finished(number, rule):
    return f"[now]\nFinished jobid: {number} (Rule: {rule})\n{number} of 6 steps (1%) done\n"


def stamp(at):
    return datetime.fromtimestamp(at).strftime("%Y-%m-%d %H:%M:%S") + ",000 INFO nights 1 eog "


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A working folder in which things are put; `run.alive` is whether Snakemake lives there."""
    monkeypatch.chdir(tmp_path)

    class Run:
        now = time.time()
        alive = True
        since = 0.0

        def write(self, path, text="", age_s=0.0):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
            os.utime(tmp_path / path, (self.now - age_s,) * 2)

        def note(self, path, kind="incomplete", age_s=0.0):
            name = urlsafe_b64encode(path.encode()).decode()
            self.write(f".snakemake/{kind}/{name}", "{}", age_s)

        def say(self, text, age_s=600.0):
            """A log of Snakemake's, of a run that began so long ago."""
            name = datetime.fromtimestamp(self.now - age_s).strftime("%Y-%m-%dT%H%M%S")
            self.write(f".snakemake/log/{name}.000001.snakemake.log", text)

        def train(self, age_s=100.0):
            """A pretraining that was begun, with lines of its log."""
            for kind in ("safetensors", "json", "metrics.jsonl"):
                self.note(f"{PRETRAIN}.{kind}", age_s=age_s)
            steps = [
                f"{stamp(self.now - age_s + 10 * i)}step={20 * i}/400 epoch={1 + i} loss=5.0"
                f" segments_per_s=9.0 contrast={4.4 - i:.4f} chance=4.1431 left_s=1\n"
                for i in (1, 2)
            ]
            seen = f"{stamp(self.now)}look epoch=1 auc=0.75 effective_rank=not_finite moved=1\n"
            self.write(LOG, "".join([*steps, seen]))
            counted = [{"step": i, "epoch": 1 + i // 20, "loss": 1} for i in range(40)]
            text = "".join(json.dumps(line) + "\n" for line in counted)
            self.write(f"{PRETRAIN}.safetensors.resume/metrics.jsonl", text)

    here = Run()
    monkeypatch.setattr(gathering, "snakemakes", lambda _: [77] if here.alive else [])
    monkeypatch.setattr(gathering, "since", lambda _: here.since)
    return here


def shown(width=80, **asked):
    return "\n".join(lines(look(**asked), width))


def counts(**asked):
    found = look(**asked).counts
    return {c.rule: (c.done, c.running, c.failed, c.left) for c in found}


def test_where_nothing_was_ever_run_it_says_so(run):
    run.alive = False
    assert shown() == "no run of Snakemake is known in this folder"


def test_a_living_run_counts_jobs_and_tells_how_far_a_training_is(run):
    run.say(STATS + finished(1, "pretrain"))
    run.train()
    assert counts() == {"pretrain": (1, 1, 0, 1), "train": (0, 0, 0, 2), "table": (0, 0, 0, 1)}
    (job,) = look().running
    assert (job.training.step, job.training.steps, job.training.epoch) == (40, 400, 3)
    assert job.training.epochs == 20  # of 20 steps each
    # 20 steps in 10 s, 360 to go, and 80 s of them have passed since the last line
    assert job.training.left_s == pytest.approx(180 - 80, abs=3)
    text = shown()
    assert "results/run: running for 10 min (process 77)" in text
    assert "contrast 2.400, by chance 4.143" in text
    assert "monitor at epoch 1: auc 0.75, effective_rank not finite" in text


def test_a_killed_run_has_nothing_running_and_says_what_was_cut_off(run):
    run.say(STATS + finished(1, "pretrain"))
    run.train()
    run.alive = False
    state = look()
    assert (state.phase, state.running, state.left) == ("killed", [], None)
    assert counts()["pretrain"] == (1, 0, 0, 2)
    assert "pretrain dp_neuronet eog, nights fold 1: at step 40 of 400" in shown()


def test_what_an_earlier_run_left_begun_is_not_running_now(run):
    run.train(age_s=5000)
    run.say(STATS)
    assert look().running == []
    assert counts()["pretrain"] == (0, 0, 0, 3)


@pytest.mark.parametrize("log_s", [None, 60, 52.0])
def test_a_job_without_a_log_of_its_own_since_it_was_marked_waits_in_the_queue(run, log_s):
    """A cluster's jobs are marked when they are handed over; an earlier attempt's log may lie."""
    run.say(STATS + finished(1, "pretrain"))
    run.train(age_s=50)
    run.write("results/run/benchmarks/pretrain/nights/fold1/a.tsv", "s\th\n200.0\tx\n")
    Path(LOG).unlink()
    if log_s:
        run.write(LOG, f"{stamp(run.now)}step=1/2 epoch=1 loss=1 x=1\n", age_s=log_s)
    state = look()
    assert (state.running, state.waiting) == ([], [("pretrain", "dp_neuronet eog, nights fold 1")])
    assert counts()["pretrain"] == (1, 0, 0, 2)
    # 200 s of jobs in 600 s, none of them in the queue, and two of 200 s are left
    assert state.left.seconds == pytest.approx(1200, rel=0.1)
    assert "Waiting in the queue\n  1 pretrain" in shown()
    assert what_runs(state) == "1 job waits"
    run.alive = False
    assert (look().cut_off, look().waiting) == ([], [])


def test_a_job_that_has_written_nothing_yet_runs_from_its_empty_log_on(run):
    run.say(STATS)
    run.train(age_s=50)
    run.write(LOG, age_s=50)
    (job,) = look().running
    assert job.training is None
    assert "pretrain dp_neuronet eog, nights fold 1: 50 s" in shown()


def test_a_failed_job_is_told_with_its_error_and_a_retried_one_is_not(run):
    error = "Error in rule {}:\n    message: x\n    jobid: {}\n    output: a\n"
    error += "    log: {} (check log file(s) for error details)\n    shell:\n        x\n"
    said = error.format("pretrain", 4, LOG) + error.format("train", 5, "b.log")
    run.write(LOG, "INFO x\nphysiome: error: " + "no GPU is free " * 9 + "- give one\n")
    run.note(f"{PRETRAIN}.json", "metadata")
    run.say(STATS + said + finished(5, "train") + "Complete log(s): x\n")
    run.alive = False
    (failed,) = look().failed
    assert (failed.rule, failed.log) == ("pretrain", LOG)
    assert failed.why.endswith("- give one")
    assert counts() == {"pretrain": (0, 0, 1, 2), "train": (1, 0, 0, 1), "table": (0, 0, 0, 1)}
    text = shown()
    assert "ended, and jobs failed" in text
    assert f"  pretrain: {LOG}\n    no GPU is free" in text
    assert "- give one" in text


def test_a_failed_job_is_told_where_quiet_leaves_its_block_out(run):
    error = f"RuleException:\nCommand 'x > {LOG} 2>&1' returned non-zero exit status 2.\n"
    run.say(STATS + 2 * error)
    (failed,) = look().failed
    assert (failed.rule, failed.log) == ("pretrain", LOG)
    assert counts()["pretrain"] == (0, 0, 1, 2)


@pytest.mark.parametrize(
    ("said", "phase"),
    [
        ("Building DAG of jobs...\nNothing to be done\nComplete log(s): x\n", "done"),
        (STATS + "".join(finished(i, "train") for i in range(6)) + "Complete log(s): x\n", "done"),
        (STATS + "Terminating processes on user request\nComplete log(s): x\n", "stopped"),
    ],
)
def test_a_run_that_ended_says_how(run, said, phase):
    run.alive = False
    run.say(said)
    assert look().phase == phase


def test_a_run_that_plans_says_so(run):
    run.say("Building DAG of jobs...\n")
    assert shown() == "Snakemake is planning (process 77)"


def test_a_run_whose_log_is_quiet_is_told_by_what_began_and_ended(run):
    run.say("Select jobs to execute...\n")
    (log,) = Path(".snakemake/log").glob("*.log")
    note_results([log], "results/run")
    run.note(f"{MODELS}/a.json", "metadata")
    run.write(f"{MODELS}/a.json")
    run.note(f"{MODELS}/b.json", "metadata")  # Snakemake removed it: its job failed
    run.train()
    run.write("results/run/benchmarks/train/a.tsv", "s\th\n200.0\tx\n")
    state = look()
    assert (state.phase, state.left, [f.rule for f in state.failed]) == ("running", None, ["train"])
    assert counts() == {"pretrain": (0, 1, 0, 0), "train": (1, 0, 1, 0)}
    assert "1 job done, 1 failed; of how many Snakemake does not say when quiet" in shown()
    assert [*Stages().ended(state)] == []
    assert counts(experiment={"train": [f"{MODELS}/{x}.json" for x in "abc"]}) == {
        "train": (1, 0, 1, 1)
    }
    run.alive = False
    note_results([log], "results/run", "done")
    assert counts()["train"] == (2, 0, 0, 0)  # one of them removed by hand since


def test_another_results_folder_is_told_by_the_run_that_wrote_there(run):
    run.say(STATS + finished(1, "pretrain") + "Complete log(s): x\n", age_s=9000)
    run.note(f"{PRETRAIN}.json", "metadata", age_s=8000)
    run.say(STATS, age_s=600)
    run.note("results/other/models/nights/fold1/a.json")
    assert look().results == "results/other"
    assert counts()["pretrain"] == (0, 0, 0, 3)
    assert counts(results="results/run/")["pretrain"] == (1, 0, 0, 2)


def test_the_folder_is_that_which_the_run_itself_noted(run):
    """Not of whichever file was made last, and not of a report made after it."""
    run.say(STATS + finished(1, "pretrain"), age_s=900)
    (earlier,) = Path(".snakemake/log").glob("*.log")
    note_results([earlier], "results/first")
    run.note("results/other/tables/t.csv", "metadata", age_s=1)
    assert look().results == "results/first"
    run.alive = False
    run.say("", age_s=10)  # `snakemake --report`
    assert (look().results, look().phase) == ("results/first", "killed")
    for asked in ("results/first/", str(Path("results/first").absolute())):
        assert look(results=asked).results == "results/first"
    run.alive = True
    run.say(STATS, age_s=5)
    (later,) = set(Path(".snakemake/log").glob("*.log")) - {earlier, *empty()}
    note_results([later], "results/second")
    assert look().results == "results/second"


def test_a_run_that_plans_is_not_taken_for_the_one_that_was_killed_before_it(run):
    run.say(STATS + finished(1, "pretrain"), age_s=900)
    (killed,) = Path(".snakemake/log").glob("*.log")
    note_results([killed], "results/run")
    run.train(age_s=800)
    run.since = run.now - 20
    run.say("Building DAG of jobs...\n", age_s=15)
    assert shown().startswith("Snakemake is planning (process 77)\n\nCut off")
    assert look(results="results/run").phase == "killed"
    run.since = run.now - 901  # one that reads alone, as for a report, has no part in it
    assert (look().phase, look().results) == ("running", "results/run")


def test_where_clocks_go_back_the_latest_run_is_the_latest(run, monkeypatch):
    """In Berlin it was half past two twice that night, at 00:30 and 01:30 UTC."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    first, second = (datetime(2026, 10, 25, h, 30, tzinfo=UTC).timestamp() for h in (0, 1))
    for at, minute in ((first, "50"), (second, "10")):
        path = Path(f".snakemake/log/2026-10-25T02{minute}00.000001.snakemake.log")
        run.write(path, age_s=run.now - at - 1500)
    try:
        assert [began(path) for path in run_logs()] == [second - 1200, first + 1200]
    finally:
        monkeypatch.undo()
        time.tzset()


def empty():
    return [path for path in Path(".snakemake/log").glob("*.log") if not path.read_text()]


def test_with_a_configuration_jobs_of_earlier_runs_count_as_done(run):
    for name in "abcde":
        run.write(f"{MODELS}/{name}.safetensors")
    experiment = {"train": [f"{MODELS}/{name}.safetensors" for name in "abcdefg"]}
    run.alive = False
    assert counts(experiment=experiment) == {"train": (5, 0, 0, 2)}
    run.alive = True
    run.say(STATS)  # it makes two again, and the one that is missing is not of it
    assert counts(experiment=experiment)["train"] == (5, 0, 0, 2)


def test_no_line_is_wider_than_the_terminal(run):
    run.say(STATS)
    run.train()
    wide, narrow = shown(200), shown(40)
    assert max(map(len, wide.splitlines())) > 40
    assert max(map(len, narrow.splitlines())) <= 40


def test_the_time_left_counts_what_is_not_timed_yet_apart(run):
    run.say(STATS + finished(1, "pretrain"))
    run.train()
    run.write("results/run/benchmarks/pretrain/nights/fold1/a.tsv", "s\th\n200.0\tx\n")
    found = look().left
    # 300 s of jobs in 600 s; 200 s for the one that is left, 100 s for the one that runs
    assert found.seconds == pytest.approx(600, rel=0.1)
    assert found.unknown == ("train",)
    assert "at least 10 min left (train: none done yet)" in shown()


def test_the_verb_prints_text_and_json_and_a_watch_ends_with_the_run(run):
    run.alive = False
    run.say(STATS + finished(1, "pretrain"))
    run.train()
    for arguments in ([], ["--watch"]):
        done = CliRunner().invoke(app, ["status", *arguments])
        assert (done.exit_code, "cut off" in done.output) == (0, True), arguments
    done = CliRunner().invoke(app, ["status", "--json"])
    state = json.loads(done.output)
    assert (state["phase"], state["counts"][0]["done"]) == ("killed", 1)
