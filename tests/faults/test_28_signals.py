"""Fault 28: Ctrl-C, SIGTERM from a cluster.

Training finishes its step and saves; other steps leave older files and nothing half-written; exit
code 130 or 143.
"""

import json
import os
import signal
import subprocess
import sys

import pytest
from crashes import STEPS, at_step, command, files_below, same_weights, train, write_place
from nights import sleep, to_shard, write_nights

from physiome.cli import main
from physiome.steps import shard

SIGNALS = {signal.SIGTERM: 143, signal.SIGINT: 130}


@pytest.fixture(autouse=True)
def handlers():
    """The command line sets its own; Ctrl-C arrives as at a terminal, not as in the background."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return write_place(tmp_path_factory.mktemp("place"))


def exit_code(monkeypatch, arguments):
    """What `physiome` ends with."""
    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", ["physiome", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    return ended.value.code


def send(number):
    return lambda: os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", SIGNALS)
def test_fault_28_training_finishes_its_step_saves_and_says_how_it_ended(
    number, place, tmp_path, monkeypatch, capsys
):
    output = tmp_path / "a.safetensors"
    with at_step(4, send(number)):
        assert exit_code(monkeypatch, command(place, output)) == SIGNALS[number]
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"physiome: error: stopped by {number.name} after step 4")
    assert said.endswith("run the same command to resume")
    assert not output.exists()
    taken = []
    with at_step(STEPS - 4, lambda: taken.append(1)):
        train(place, output)
    assert taken
    assert same_weights(output, train(place, tmp_path / "whole.safetensors"))


@pytest.mark.parametrize("number", SIGNALS)
def test_fault_28_sharding_leaves_the_old_shard_and_nothing_half_written(
    number, tmp_path, monkeypatch, capsys
):
    nights = write_nights(tmp_path / "nights", 2)
    to_shard(sleep(nights), nights, tmp_path)
    old = files_below(tmp_path / "shard")
    changed = json.dumps(sleep(nights, window={"length_s": 20.0}).shard_settings())
    cut, records = shard.cut_record, []

    def disturbed(record, settings):
        records.append(record)
        if len(records) == 2:
            send(number)()
        return cut(record, settings)

    monkeypatch.setattr(shard, "cut_record", disturbed)
    arguments = [
        "shard",
        "--settings",
        changed,
        "--raw",
        str(tmp_path / "raw.json"),
        "--folder",
        str(tmp_path / "shard"),
    ]
    assert exit_code(monkeypatch, arguments) == SIGNALS[number]
    assert len(records) == 2
    assert files_below(tmp_path / "shard") == old
    assert f"stopped by {number.name} - nothing is half-written" in capsys.readouterr().err


@pytest.mark.slow
def test_fault_28_ctrl_c_reaches_sharding_with_workers_and_is_told_in_one_line(tmp_path):
    nights = write_nights(tmp_path / "nights", 6)
    to_shard(sleep(nights), nights, tmp_path)
    old = files_below(tmp_path / "shard")
    changed = json.dumps(sleep(nights, window={"length_s": 20.0}).shard_settings())
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "physiome",
            "shard",
            "--settings",
            changed,
            "--workers",
            "2",
            "--raw",
            tmp_path / "raw.json",
            "--folder",
            tmp_path / "shard",
        ],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stderr is not None
    said = [next(line for line in process.stderr if "record=" in line)]
    os.killpg(process.pid, signal.SIGINT)
    said += process.stderr.read().splitlines()
    assert process.wait() == 130
    assert "stopped by SIGINT" in said[-1]
    assert not [line for line in said if "Traceback" in line]
    assert files_below(tmp_path / "shard") == old
