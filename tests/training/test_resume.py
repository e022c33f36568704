"""A killed and resumed training is the uninterrupted one, bit for bit."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from tiny import draws, neuronet, physiome
from tinyshards import tiny_store
from toys import Stumbling, Toy, train

from physiome.errors import DataError, TrainingError
from physiome.training import loop
from physiome.training.checkpoint import ResumeState, read_weights
from physiome.training.loop import Interrupted

STEPS = 9  # three epochs of three batches


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tiny_store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def whole(store, tmp_path_factory):
    """An uninterrupted run."""
    return train(Toy, store, tmp_path_factory.mktemp("whole") / "w.safetensors")


def metrics(output: Path) -> list[dict]:
    lines = output.with_suffix(".metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def assert_same_run(output: Path, expected: Path) -> None:
    found, wanted = read_weights(output)[0], read_weights(expected)[0]
    assert set(found) == set(wanted)
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
    assert metrics(output) == metrics(expected)
    assert not output.with_name(output.name + ".resume").exists()


def interrupted(store, output: Path, at: int, save_every_s: float = 0.0) -> Path:
    """A run that fails in its `at`-th step; its resume folder."""
    with pytest.raises(RuntimeError, match="power cut"):
        train(
            lambda: Stumbling(at, RuntimeError("power cut")),
            store,
            output,
            save_every_s=save_every_s,
        )
    assert not output.exists()
    return output.with_name(output.name + ".resume")


@pytest.mark.parametrize("at", range(1, STEPS + 1))
def test_failing_in_any_step_and_resuming_changes_nothing(at, store, whole, tmp_path):
    output = tmp_path / "w.safetensors"
    interrupted(store, output, at)
    assert_same_run(train(Toy, store, output), whole)


@pytest.mark.parametrize("every", [2, 3, 7])
@pytest.mark.parametrize("at", [3, 5, 9])
def test_steps_after_the_last_state_are_taken_again_and_logged_once(
    at, every, store, whole, tmp_path, monkeypatch
):
    output = tmp_path / "w.safetensors"
    monkeypatch.setattr(loop._Run, "_due", lambda run, *_: run.step % every == 0)
    folder = interrupted(store, output, at)
    assert (folder / "state.pt").exists() == (at > every)
    monkeypatch.undo()
    assert_same_run(train(Toy, store, output), whole)


def test_a_run_that_is_over_soon_saves_at_its_end_alone(store, whole, tmp_path, monkeypatch):
    saved, save = [], ResumeState.save

    def noted(self, state):
        saved.append(state["step"])
        save(self, state)

    monkeypatch.setattr(ResumeState, "save", noted)
    assert_same_run(train(Toy, store, tmp_path / "w.safetensors"), whole)
    assert saved == [STEPS]


@pytest.mark.parametrize("at", [2, 5])
def test_states_written_beside_the_training_resume_it_bit_for_bit(
    at, store, whole, tmp_path, monkeypatch
):
    """As on a GPU."""
    save = ResumeState.save

    def slowly(self, state):
        time.sleep(0.05)
        save(self, state)

    monkeypatch.setattr(ResumeState, "save", slowly)
    monkeypatch.setitem(loop.BESIDE, "cpu", True)
    output = tmp_path / "w.safetensors"
    interrupted(store, output, at)
    state = torch.load(tmp_path / "w.safetensors.resume/state.pt", weights_only=True)
    assert state["step"] == at - 1  # whatever came after, what was begun is finished
    assert_same_run(train(Toy, store, output, save_every_s=0.0), whole)


def test_an_error_of_writing_beside_ends_the_training(store, tmp_path, monkeypatch):
    def full(self, state):
        raise DataError("no space left")

    monkeypatch.setattr(ResumeState, "save", full)
    monkeypatch.setitem(loop.BESIDE, "cpu", True)
    with pytest.raises(DataError, match="no space left"):
        train(Toy, store, tmp_path / "w.safetensors", save_every_s=0.0)
    assert not (tmp_path / "w.safetensors").exists()


def test_failing_again_and_again_changes_nothing(store, whole, tmp_path):
    output = tmp_path / "w.safetensors"
    for _ in range(4):
        interrupted(store, output, 3)  # two steps further each time
    assert_same_run(train(Toy, store, output), whole)


@pytest.mark.slow
@pytest.mark.parametrize("build", [neuronet, physiome])
def test_a_real_method_resumes_bit_for_bit(build, store, tmp_path):
    def failing():
        method, calls, loss = build(), [], type(build()).loss

        def stumble(batch, rng):
            calls.append(1)
            if len(calls) == 3:
                raise RuntimeError("power cut")
            return loss(method, batch, rng)

        method.loss = stumble
        return method

    choices = {"epochs": 2, "clip_norm": 2.0, "save_every_s": 0.0}
    whole = train(build, store, tmp_path / "whole.safetensors", **choices)
    with pytest.raises(RuntimeError, match="power cut"):
        train(failing, store, tmp_path / "w.safetensors", **choices)
    assert_same_run(train(build, store, tmp_path / "w.safetensors", **choices), whole)
    assert [line["step"] for line in metrics(whole)] == list(range(1, 7))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_run_after_its_step_with_the_state_saved(number, store, whole, tmp_path):
    output, before = tmp_path / "w.safetensors", signal.getsignal(number)
    with pytest.raises(Interrupted, match="after step 4") as caught:
        train(lambda: Stumbling(4, number), store, output)
    assert caught.value.exit_code == 128 + number
    assert signal.getsignal(number) is before
    state = torch.load(tmp_path / "w.safetensors.resume" / "state.pt", weights_only=True)
    assert state["step"] == 4
    assert_same_run(train(Toy, store, output), whole)


SCRIPT = """
import sys
from pathlib import Path
sys.path[:0] = {paths!r}
from tinyshards import tiny_store
from toys import Toy, train
from physiome.errors import PhysioError

class Waiting(Toy):
    def loss(self, batch, rng):
        print("in a step", flush=True)
        sys.stdin.readline()
        return super().loss(batch, rng)

folder = Path({folder!r})
try:
    train(Waiting, tiny_store(folder / "store"), folder / "w.safetensors")
except PhysioError as error:
    print(error)
    sys.exit(error.exit_code)
"""


@pytest.mark.slow
def test_sigterm_from_outside_exits_with_143_and_the_run_goes_on_elsewhere(store, whole, tmp_path):
    here = Path(__file__).resolve().parent
    script = SCRIPT.format(paths=[str(here), str(here.parent)], folder=str(tmp_path))
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "in a step\n"
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate("")  # it goes on: its input has ended
    assert process.returncode == 143, said
    assert "stopped by SIGTERM" in said
    assert_same_run(train(Toy, store, tmp_path / "w.safetensors"), whole)


# States that cannot be used


DAMAGE = {
    "empty": lambda data: b"",
    "first half": lambda data: data[: len(data) // 2],
    "last byte lost": lambda data: data[:-1],
    "garbage": lambda data: b"\x93garbage" * 300,
    "zeros": lambda data: bytes(len(data)),
    "a web page": lambda data: b"<html>not found</html>",
    "a flipped byte in the weights": lambda data: flip(data),
}


def flip(data: bytes) -> bytes:
    """One byte changed in the middle of the largest tensor."""
    weights = torch.nn.Linear(900, 3)  # only its size matters
    middle = len(data) // 2
    assert len(data) > weights.weight.numel() * 4 * 3  # with AdamW's two moments
    return data[:middle] + bytes([data[middle] ^ 0x40]) + data[middle + 1 :]


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_state_falls_back_to_the_one_before(damage, store, whole, tmp_path, caplog):
    folder = interrupted(store, tmp_path / "w.safetensors", 6)
    state = folder / "state.pt"
    state.write_bytes(damage(state.read_bytes()))
    with caplog.at_level(logging.INFO):
        output = train(Toy, store, tmp_path / "w.safetensors")
    assert "state.pt is damaged" in caplog.text
    assert "resumed from state.previous.pt" in caplog.text
    assert_same_run(output, whole)


def test_two_damaged_states_mean_a_fresh_start(store, whole, tmp_path):
    folder = interrupted(store, tmp_path / "w.safetensors", 6)
    for name in ("state.pt", "state.previous.pt"):
        (folder / name).write_bytes(b"")
    assert_same_run(train(Toy, store, tmp_path / "w.safetensors"), whole)


def test_a_state_lost_between_its_two_moves_falls_back(store, whole, tmp_path):
    folder = interrupted(store, tmp_path / "w.safetensors", 6)
    (folder / "state.pt").unlink()
    assert_same_run(train(Toy, store, tmp_path / "w.safetensors"), whole)


def test_the_state_of_other_settings_is_set_aside_and_not_loaded(store, whole, tmp_path, caplog):
    output = tmp_path / "w.safetensors"
    interrupted(store, output, 6)
    with caplog.at_level(logging.INFO):
        train(Toy, store, output, settings={"x": 2})
    assert "state.pt belongs to other settings, code or data and is set aside" in caplog.text
    assert "resumed" not in caplog.text
    assert_same_run(output, whole)  # the toy does not read its settings


def test_a_foreign_state_stays_beside_until_the_run_is_done(tmp_path):
    ours, other = (ResumeState(tmp_path / "w", identity) for identity in ("ours", "other"))
    with other.held():
        other.save({"step": 1})
        other.save({"step": 2})
    state, note = ours.load()
    assert state is None
    assert note.count("set aside") == 2
    assert (ours.folder / "state.foreign").exists()
    assert (ours.folder / "state.previous.foreign").exists()


def test_windows_of_other_data_do_not_continue_a_run(store, tmp_path, caplog):
    output = tmp_path / "w.safetensors"
    interrupted(store, output, 6)
    other = tiny_store(tmp_path / "more", windows=16)
    with caplog.at_level(logging.INFO):
        train(Toy, other, output)
    assert "set aside" in caplog.text
    assert len(metrics(output)) == 12


def test_a_saved_state_does_not_follow_the_model(tmp_path):
    method, state = Toy(), ResumeState(tmp_path / "w", "id")
    with state.held():
        state.save({"model": method.state_dict()})
        before = method.map.weight.detach().clone()
        with torch.no_grad():
            method.map.weight.normal_(generator=draws())
        saved, _ = state.load()
    assert saved is not None
    assert torch.equal(saved["model"]["map.weight"], before)


def test_a_lost_log_does_not_come_back_as_rubbish(store, whole, tmp_path):
    """After a power cut the state can be on disk while the log's last lines are not."""
    folder = interrupted(store, tmp_path / "w.safetensors", 6)
    log = folder / "metrics.jsonl"
    kept = b"".join(log.read_bytes().splitlines(keepends=True)[:2])
    log.write_bytes(kept)
    output = train(Toy, store, tmp_path / "w.safetensors")
    assert [line["step"] for line in metrics(output)] == [1, 2, 6, 7, 8, 9]


def test_dying_before_the_folder_is_cleared_loses_nothing(store, whole, tmp_path, monkeypatch):
    output = tmp_path / "w.safetensors"

    def die(self):
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(ResumeState, "clear", die)
        with pytest.raises(RuntimeError, match="power cut"):
            train(Toy, store, output)
    assert_same_run(train(Toy, store, output), whole)


# Two at once


def test_a_second_process_on_the_same_output_is_refused(store, whole, tmp_path):
    output = tmp_path / "w.safetensors"
    folder = tmp_path / "w.safetensors.resume"
    folder.mkdir()
    hold = (
        "import fcntl, time; f = open('lock', 'w'); fcntl.flock(f, fcntl.LOCK_EX);"
        "print('held', flush=True); time.sleep(3600)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", hold], cwd=folder, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(TrainingError, match="another process is training"):
            train(Toy, store, output)
        assert not output.exists()
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    assert_same_run(train(Toy, store, output), whole)  # the lock died with its holder
