"""The command line: every verb explains itself; what goes wrong is one line and exit code 2."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import physiome
from physiome import cli
from physiome.cli import app, reports, user, workflow
from physiome.config.metrics import METRICS

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = [c for part in (user, workflow, reports) for c in part.app.registered_commands]
# verb -> options it must have
VERBS = {
    "records": ["--settings", "--output"],
    "fetch": ["--settings", "--records", "--batch", "--batches", "--output"],
    "shard": ["--settings", "--raw", "--folder", "--workers"],
    "folds": ["--settings", "--output", "--records", "SHARDS"],
    "pretrain": ["--settings", "--folds", "--fold", "--modality", "--gpus", "--device"],
    "train": ["--settings", "--folds", "--fold", "--parent", "--gpus", "--device"],
    "embed": ["--settings", "--folds", "--fold", "--weights", "--gpus", "--device", "--batch"],
    "probe": ["--settings", "--embeddings", "--output", "--workers"],
    "predict": [
        "--weights",
        "--heads",
        "--output",
        "--output-dir",
        "--run",
        "--dataset",
        "--method",
        "--fold",
        "--map",
        "--modalities",
        "--device",
        "FILES",
    ],
    "lost-leads": ["--heads", "--weights", "--folds", "--fold", "--output", "--batch", "SHARDS"],
    "init": ["--output", "--label", "--records", "FOLDER"],
    "scores": ["--output", "--by-subject", "PROBES"],
    "concat": ["--output", "SCORES"],
    "table": ["--settings", "--scores", "--csv", "--tex"],
    "figures": ["--settings", "--scores", "--confusion", "--timeline", "--subsets", "PROBES"],
    "diagnostics": [
        "--by-subject",
        "--costs",
        "--embeddings",
        "--paired",
        "--reliability",
        "PROBES",
    ],
    "curves": ["--output", "METRICS"],
    "pairs": ["--settings", "--output", "PROBES"],
    "learn": ["--output", "--note", "RUNS"],
    "check": ["CONFIG"],
    "doctor": ["CONFIG", "--json", "--verify"],
}


def run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "physiome", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


def help_of(*verbs):
    wide = {"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"}
    said = CliRunner().invoke(app, [*verbs, "--help"], env=wide)
    assert said.exit_code == 0
    return said.output


def test_every_verb_explains_itself(subtests):
    for verb, options in VERBS.items():
        with subtests.test(verb=verb):
            said = help_of(verb)
            assert [o for o in options if o not in said and o.lower() not in said] == []
            callback = next(
                c.callback for c in COMMANDS if c.callback.__name__.replace("_", "-") == verb
            )
            assert callback.__doc__.splitlines()[0] in said


def test_the_overview_lists_every_verb():
    said = help_of()
    names = (command.name or command.callback.__name__ for command in COMMANDS)
    known = {name.replace("_", "-") for name in names}
    assert set(VERBS) <= known
    assert [verb for verb in known if verb not in said] == []


def test_show_names_every_metric_that_tables_have():
    assert f"of {', '.join(METRICS)}" in help_of("show")


def test_the_workflow_calls_no_verb_and_no_option_that_does_not_exist():
    text = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "workflow/rules").glob("*.smk"))
    calls = [piece.split("> {log")[0] for piece in text.split("python -m physiome ")[1:]]
    assert len(calls) >= 12
    for call in calls:
        verb, *words = call.replace('"', " ").split()
        said = help_of(verb)
        assert [w for w in words if w.startswith("--") and w.strip("-") not in said] == []


def test_the_version_is_printed():
    said = run("--version")
    assert said.returncode == 0
    assert said.stdout.strip() == physiome.__version__


def test_check_says_what_the_configuration_plans():
    said = run("check", "config.yaml")
    assert said.returncode == 0
    first, second, third, *_, last, terms = said.stdout.splitlines()
    assert first.startswith("results/tables/table1.csv: sleep_edf, 7 subsets, 5 folds, rows contra")
    assert second.startswith("results/tables/table2.csv: vitaldb, 7 subsets")
    assert third.startswith("results/tables/table3.csv: sleep_edf, 3 subsets, 5 folds, rows resnet")
    assert last.startswith("results/tables/table6.csv")
    assert terms.startswith("warn  terms       vitaldb: its terms of use are not accepted")
    assert terms.endswith("datasets.vitaldb.source.transfer.accept_terms: true")


def test_check_applies_overlays_from_left_to_right():
    said = run("check", "config.yaml", "workflow/overlays/demo.yaml")
    assert "table1.csv: sleep_edf, 7 subsets, 1 fold, " in said.stdout
    assert "results/demo/tables/table1.csv" in said.stdout


def test_our_errors_end_as_one_line_and_exit_code_2(tmp_path):
    (tmp_path / "mine.yaml").write_text("train: {epoch: 3}\n", encoding="utf-8")
    said = run("check", "config.yaml", tmp_path / "mine.yaml", PHYSIOME_DEBUG="")
    assert said.returncode == 2
    assert said.stdout == ""
    (line,) = said.stderr.splitlines()
    assert line.startswith("physiome: error: train.epoch: unknown key - did you mean 'epochs'?")


@pytest.mark.slow
def test_settings_by_hand_are_checked_like_a_file(tmp_path):
    said = run(
        "probe", "--settings", '{"seed": "1"}', "--embeddings", "x.npy", "--output", tmp_path
    )
    assert said.returncode == 2
    assert said.stderr.splitlines()[-1].startswith("physiome: error: probe.seed: '1' is text")


@pytest.mark.slow
def test_a_missing_input_is_one_line_that_names_it(tmp_path):
    missing = tmp_path / "none.npy"
    said = run("probe", "--settings", "{}", "--embeddings", missing, "--output", tmp_path / "o")
    assert said.returncode == 2
    assert str(tmp_path / "none") in said.stderr.splitlines()[-1]
    assert "Traceback" not in said.stderr


@pytest.mark.slow
def test_a_folder_in_place_of_a_file_is_one_line_that_names_it(tmp_path):
    said = run("concat", tmp_path, "--output", tmp_path / "all.csv")
    assert said.returncode == 2
    assert f"{tmp_path}: file cannot be read or written - Is a directory" in said.stderr
    assert "Traceback" not in said.stderr


def test_out_of_memory_is_one_line(monkeypatch, capsys):
    def full():
        raise MemoryError("Unable to allocate 9.00 GiB")

    monkeypatch.setattr(cli, "app", full)
    monkeypatch.setattr(cli.signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("physiome: error: out of memory - Unable to allocate 9.00 GiB - free")


def test_the_traceback_is_shown_on_request(tmp_path):
    said = run("check", tmp_path / "none.yaml", PHYSIOME_DEBUG="1")
    assert said.returncode != 0
    assert "Traceback" in said.stderr
    assert "ConfigError" in said.stderr


def test_a_figure_tells_nothing_of_the_glyphs_of_its_fonts():
    """A page of the terminal came after four hundred lines about them."""
    cli._start(version=False)
    assert not logging.getLogger("fontTools.subset").isEnabledFor(logging.INFO)


def test_an_unknown_verb_is_refused():
    said = run("trian")
    assert said.returncode == 2
    assert "trian" in said.stderr
