"""`physiome why`: what changed, from Snakemake's reasons and its notes of the last run."""

import json
from base64 import urlsafe_b64encode
from pathlib import Path
from shlex import quote

import pytest
from typer.testing import CliRunner

from physiome.cli import app
from physiome.errors import ConfigError
from physiome.plan.memory import note_results
from physiome.provenance import code
from physiome.steps import why
from physiome.watch import edited, reason, run_log
from physiome.watch.causes import causes
from physiome.watch.planned import Planned

CHANGED = "Params have changed since last execution: Union of exclusive params before and now "
CHANGED += "across all output: before: {} now: {} "
SETTINGS = {"base": "crossl", "dataset": "nights", "train": {"learning_rate": 0.002, "epochs": 3}}
TRAINED = "results/models/nights/fold1/crossl.safetensors"
OTHER = {**SETTINGS, "train": {"learning_rate": 0.001, "epochs": 3}}


@pytest.fixture
def note(tmp_path, monkeypatch):
    """`note(result, params, ...)`: what Snakemake noted of a result."""
    monkeypatch.chdir(tmp_path)

    def write(result, *params, **told):
        path = tmp_path / ".snakemake/metadata" / urlsafe_b64encode(result.encode()).decode()
        path.parent.mkdir(parents=True, exist_ok=True)
        noted = {"params": [repr(p) for p in params], "input": [], "starttime": 2e10} | told
        path.write_text(json.dumps(noted))

    return write


def train(why, command=""):
    named = {"dataset": "nights", "fold": "1", "method": "crossl"}
    return Planned("train", named, [], [TRAINED], why, command)


def embed(why):
    named = {"dataset": "nights", "fold": "1", "method": "crossl"}
    return Planned("embed", named, [TRAINED], ["results/embeddings/nights/fold1/crossl.npy"], why)


def params(before, now):
    return CHANGED.format(*(",".join(map(repr, x)) or reason.NONE for x in (before, now)))


def texts(*jobs):
    return [cause.text for cause in causes(jobs)]


def test_a_setting_is_named_as_the_configuration_has_it_with_both_values(note):
    note(TRAINED, json.dumps(SETTINGS))
    own = train(params([json.dumps(SETTINGS)], [json.dumps(OTHER)]))
    (cause,) = causes([own, embed(f"Input files updated by another job: {TRAINED}")])
    assert cause.text == "setting train.learning_rate: 0.002 -> 0.001"
    assert ([j.rule for j in cause.jobs], [j.rule for j in cause.above]) == (["train"], ["embed"])


@pytest.mark.parametrize(
    ("rule", "before", "now", "name"),
    [
        ("train", {"method": {"width": 1}}, {"method": {"width": 2}}, "systems.crossl.width"),
        ("probe", {"folds": 3}, {"folds": 4}, "probe.folds"),
        ("shard", {"window": {"a": 1}}, {"window": {"a": 2}}, "datasets.nights.window.a"),
        ("embed", {"batch": 1}, {"batch": 2}, "embed_batch"),
        ("embed", {}, {"precision": "bf16"}, "embed_precision"),
    ],
)
def test_where_a_key_lies_in_the_configuration_is_known(note, rule, before, now, name):
    base = {"base": "crossl"}
    told = params([json.dumps(base | before)], [json.dumps(base | now)])
    job = Planned(rule, {"dataset": "nights", "fold": "1"}, [], ["results/x"], told)
    assert texts(job)[0].startswith(f"setting {name}: ")


def test_a_setting_that_snakemake_does_not_mention_is_found_all_the_same(note):
    """It gives one reason: a job that stands on another is not compared with its last run."""
    note(TRAINED, json.dumps(SETTINGS))
    derived = "Input files updated by another job: results/folds/nights.json"
    command = f"python -m physiome train --settings {quote(json.dumps(OTHER))} --folds x"
    assert texts(train(derived, command)) == ["setting train.learning_rate: 0.002 -> 0.001"]
    same = f"python -m physiome train --settings {quote(json.dumps(SETTINGS))} --folds x"
    assert texts(train(derived, same)) == []


def test_code_is_told_by_the_files_that_were_written_to_since(note, monkeypatch):
    before, now = "0" * 16, "f" * 16
    told = params([before], [now])
    note(TRAINED, json.dumps(SETTINGS), before)
    assert texts(train(told)) == ["code: physiome.steps.train, or what it imports, changed"]
    newest = max(path.stat().st_mtime for path in map(edited.source_of, ["physiome.nn.crossl"]))
    note(TRAINED, json.dumps(SETTINGS), before, starttime=newest - 1e-3)
    found = edited.sources("train", SETTINGS, newest - 1e-3)
    assert "physiome/nn/crossl.py" in found
    assert "physiome/nn/cbramod.py" not in edited.sources("train", SETTINGS, 0.0)
    monkeypatch.setattr(edited, "sources", lambda *_: ["physiome/nn/crossl.py"])
    assert texts(train(told)) == ["code: physiome/nn/crossl.py changed"]


def test_code_that_changed_behind_another_reason_is_told_and_unchanged_code_is_not(note):
    derived = "Input files updated by another job: results/folds/nights.json"
    right = code("physiome.steps.train", "physiome.methods.crossl")
    note(TRAINED, json.dumps(SETTINGS), right)
    assert texts(train(derived)) == []
    note(TRAINED, json.dumps(SETTINGS), "0" * 16)
    assert texts(train(derived)) == ["code: physiome.steps.train, or what it imports, changed"]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Missing output files: a", "they were removed, or their job failed last time"),
        ("Incomplete output files: a", "cut off while it was made"),
        ("Code has changed since last execution", "the command of rule train changed"),
        ("Software environment definition has changed since last execution", "environment"),
        ("Updated input files: x/y.csv", "file x/y.csv is newer than what was made of it"),
        ("Set of input files has changed since last execution", "without old.json"),
        ("Forced execution", "forced execution"),
    ],
)
def test_every_reason_of_snakemakes_is_said_in_words(note, said, shown):
    note(TRAINED, json.dumps(SETTINGS), input=["old.json"])
    (text,) = texts(train(said))
    assert shown in text


def test_what_was_cut_off_is_not_told_as_forced(note, tmp_path):
    note(TRAINED, json.dumps(SETTINGS))
    name = urlsafe_b64encode(TRAINED.encode()).decode()
    write(tmp_path / ".snakemake/incomplete" / name, "{}")
    assert texts(train("Forced execution")) == ["cut off while it was made"]


def test_what_was_never_made_is_told_as_such(note):
    job = train(f"Missing output files: {TRAINED}")
    assert texts(job) == ["not made yet"]


def test_files_that_are_not_there_are_told_by_how_their_job_ended(note, tmp_path):
    """Snakemake notes the results of a failed job, too, in no other way."""
    own, failed = "results/logs/train/nights/fold1/crossl.log", "Error in rule train:\n"
    block = f"    output: {TRAINED}\n    log: {own}{{}}\n    jobid: 1\n"
    gone = "files are gone that were there"

    def told(log, text, name="2001-01-01T000000", end=None):
        path = tmp_path / f".snakemake/log/{name}.000001.snakemake.log"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        if end is not None:
            note_results([path], "results", end)
        write(tmp_path / own, log)
        run_log._jobs_of.cache_clear()
        return texts(train(f"Missing output files: {TRAINED}"))

    note(TRAINED, json.dumps(SETTINGS), log=[own], starttime=1.5e9)
    assert told("INFO\n", "rule train:\n" + block.format("")) == [gone]
    assert told("INFO\n", "", end="done") == [gone]
    error = failed + block.format(" (check log file(s) for error details)")
    assert told("INFO\n", error, end="failed") == ["its job failed last time"]
    assert told("INFO\nphysiome: error: no\n", "", end="failed") == ["its job failed last time"]
    assert "or their job failed" in told("INFO\n", "", end="failed")[0]
    # Logs of a report that was made meanwhile, and of a later run, tell nothing of it
    assert told("", error, end="failed") == ["its job failed last time"]
    assert told("", "Building DAG\n", name="2002-01-01T000000") == ["its job failed last time"]
    later = told("", block.format(""), name="2022-01-01T000000", end="done")
    assert later == ["its job failed last time"]


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_changed_recordings_are_named(note, tmp_path, monkeypatch):
    """Among the batches that there are: a run of more of them left more files."""
    output = "results/raw/mine.batch1.json"
    for batch in range(4):
        write(tmp_path / f"results/raw/mine.batch{batch}.json", '{"batches": 2}')

    def changed(_, noted):
        assert list(map(str, noted)) == [output.replace("1", "0"), output]
        return {Path(output): ["S03"]}

    settings = json.dumps({"source": {"kind": "recordings"}})
    note(output, settings, "a" * 16)
    monkeypatch.setattr(edited, "changed_records", changed)
    job = Planned("fetch", {"dataset": "mine", "batch": "1"}, [], [output],
                  params(["a" * 16], ["b" * 16]))  # fmt: skip
    assert texts(job) == ["data: row or file of S03 changed: mine batch 1 is cut again"]


def test_where_nothing_changed_the_verb_says_so_and_it_hands_on_its_arguments(monkeypatch):
    asked = []
    monkeypatch.setattr(why, "plan", lambda arguments: asked.append(arguments) or [])
    done = CliRunner().invoke(app, ["why", "a.csv", "--config", "b.yaml", "--", "--config", "s=1"])
    assert (done.exit_code, done.output) == (0, "nothing would run again\n")
    assert asked == [["a.csv", "--config", "s=1", "--configfile", "b.yaml"]]


def test_lines_fit_the_terminal_and_jobs_are_counted_in_the_order_of_the_workflow(
    note, monkeypatch
):
    told = train(f"Missing output files: {TRAINED}")
    jobs = [embed(f"Input files updated by another job: {TRAINED}"), told]
    jobs += [
        Planned(
            "table", {"table": "t"}, [jobs[0].output[0]], ["t.csv"], "Missing output files: t.csv"
        )
    ]
    monkeypatch.setattr(why, "plan", lambda _: jobs)
    lines = why.run([], [], 50)
    assert lines[0] == "3 jobs would run: 1 train, 1 embed, 1 tables and"
    assert max(map(len, lines)) <= 50


def test_a_plan_that_fails_says_what_snakemake_said(tmp_path, monkeypatch):
    from physiome.watch.planned import plan

    monkeypatch.chdir(tmp_path)  # without a Snakefile
    with pytest.raises(ConfigError, match="Snakefile"):
        plan(["x"])


def test_a_second_file_after_one_config_is_told_from_a_target():
    with pytest.raises(ConfigError, match=r"repeat --config: --config a.yaml --config b.yaml"):
        why.run(["results/tables/t.csv", "b.yaml"], [Path("a.yaml")], 80)
