"""Fault 15: Training killed at any moment.

The same command continues it; on a CPU its weights are those of an undisturbed run, bit for bit.
`make torture` does it at random.

Twenty times, and with sharding too; tests/training/test_resume.py stops a training in each of its
steps.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from crashes import STEPS, at_step, command, power_cut, same_weights, settings, train, write_place
from waiting import wait_until

from physiome.training import checkpoint

LONG = settings(epochs=15)  # time enough to be killed in


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return write_place(tmp_path_factory.mktemp("place"))


def killed(place: Path, output: Path) -> None:
    """SIGKILL to `physiome pretrain` as soon as it saved twice."""
    arguments = [sys.executable, "-m", "physiome", *command(place, output, LONG)]
    process = subprocess.Popen(arguments, env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        saved = output.with_name(output.name + ".resume") / "state.previous.pt"
        wait_until(saved.exists, process, "it saved twice")
    finally:
        process.kill()
    assert process.wait() == -signal.SIGKILL


def test_fault_15_a_killed_training_ends_in_the_weights_of_an_undisturbed_one(
    place, tmp_path, caplog
):
    output = tmp_path / "a.safetensors"
    killed(place, output)
    assert not output.exists()
    caplog.set_level("INFO")
    train(place, output, LONG)
    assert "resumed from state" in caplog.text
    assert not list(tmp_path.rglob("*.tmp"))
    assert same_weights(output, train(place, tmp_path / "whole.safetensors", LONG))


def before_it_is_noted(patch):
    patch.setattr(checkpoint.ResumeState, "_note_digest", lambda *_: power_cut())


def between_its_two_moves(patch):
    replace = os.replace

    def first_alone(source, target):
        if Path(target).name == "state.pt":
            power_cut()
        replace(source, target)

    patch.setattr(os, "replace", first_alone)


@pytest.mark.parametrize("moment", [before_it_is_noted, between_its_two_moves])
def test_fault_15_a_power_cut_while_saving_loses_one_step(place, tmp_path, monkeypatch, moment):
    """What was not flushed to disk is gone: the temporary file."""
    output = tmp_path / "a.safetensors"
    cut = at_step(5, lambda: moment(monkeypatch))
    with cut, pytest.raises(RuntimeError, match="power cut"):
        train(place, output)
    monkeypatch.undo()
    with at_step(STEPS - 4, lambda: None):  # four of nine steps were kept
        train(place, output)
    assert same_weights(output, train(place, tmp_path / "whole.safetensors"))
