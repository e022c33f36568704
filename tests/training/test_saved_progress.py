"""Saved progress holds what has moved, and is whole: frozen weights lie with their own model."""

import io
import time
from pathlib import Path

import pytest
import torch
from tiny import physiome
from tinyshards import tiny_store
from toys import Stumbling, Toy, train

from physiome.errors import TrainingError
from physiome.training.checkpoint import ResumeState, read_weights


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tiny_store(tmp_path_factory.mktemp("store"))


def stumbling(at: int):
    """A PhysioME that runs out of memory at its n-th loss."""
    method, calls = physiome(), []
    loss = method.loss

    def counted(batch, rng):
        calls.append(1)
        if len(calls) == at:
            raise torch.OutOfMemoryError("9 GiB")
        return loss(batch, rng)

    method.loss = counted
    return method


def test_frozen_weights_are_not_saved_again_and_a_resumed_run_ends_the_same(store, tmp_path):
    output = tmp_path / "w.safetensors"
    with pytest.raises(TrainingError, match="out of memory"):
        train(lambda: stumbling(6), store, output, save_every_s=0.0)
    state = torch.load(tmp_path / "w.safetensors.resume/state.pt", weights_only=True)
    method = physiome()
    trained = {n for n, p in method.named_parameters() if p.requires_grad}
    frozen = {n for n, p in method.named_parameters() if not p.requires_grad}
    assert trained <= set(state["model"])
    assert frozen
    assert not frozen & set(state["model"])
    assert any(n.endswith(".seen") for n in state["model"])  # buffers that follow are kept
    train(lambda: stumbling(0), store, output)
    whole = train(physiome, store, tmp_path / "whole.safetensors")
    resumed, straight = read_weights(output)[0], read_weights(whole)[0]
    assert set(resumed) == set(straight) == set(method.state_dict())
    assert all(torch.equal(resumed[n], straight[n]) for n in straight)


def test_a_resumed_run_tells_the_seconds_of_all_its_steps(store, tmp_path):
    class Slow(Stumbling):
        def loss(self, batch, rng):
            time.sleep(0.05)
            return super().loss(batch, rng)

    output = tmp_path / "w.safetensors"
    with pytest.raises(RuntimeError, match="power cut"):
        train(lambda: Slow(9, RuntimeError("power cut")), store, output, save_every_s=0.0)
    train(lambda: Slow(0, None), store, output)
    assert read_weights(output)[1]["training"]["seconds"] >= 9 * 0.05


def test_a_state_is_whole_however_little_a_file_takes_at_once(tmp_path, monkeypatch):
    """Linux takes 2 GiB of one write and says so; a disk that fills up, what it has room for."""
    opened = open

    class Slow(io.FileIO):
        def write(self, content):
            return super().write(memoryview(content).cast("B")[:10_000])

    def slow(path, mode="r", buffering=-1, **more):
        if mode != "wb":
            return opened(path, mode, buffering, **more)
        return Slow(path, mode) if buffering == 0 else io.BufferedWriter(Slow(path, mode))

    state = ResumeState(tmp_path / "w.safetensors", "id")
    state.folder.mkdir()
    monkeypatch.setattr("builtins.open", slow)
    state.save({"model": {"w": torch.arange(50_000)}})
    monkeypatch.undo()
    found, _ = state.load()
    assert found is not None
    assert torch.equal(found["model"]["w"], torch.arange(50_000))


@pytest.mark.parametrize("removed", range(1, 5))
def test_dying_while_the_folder_is_cleared_loses_no_metrics(removed, store, tmp_path, monkeypatch):
    """Whatever order the folder lists its files in."""

    def first(path):
        return path.suffix != ".jsonl"

    output, unlink, listed, calls = tmp_path / "w.safetensors", Path.unlink, Path.iterdir, []

    def dying(path, missing_ok=False):
        if path.parent.name.endswith(".resume"):
            calls.append(path.name)
            if len(calls) > removed:
                raise RuntimeError("power cut")
        unlink(path, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", dying)
        patch.setattr(Path, "iterdir", lambda path: iter(sorted(listed(path), key=first)))
        with pytest.raises(RuntimeError, match="power cut"):
            train(Toy, store, output, save_every_s=0.0)
    output.unlink()  # as Snakemake removes what a failed job has made
    metrics = train(Toy, store, output).with_suffix(".metrics.jsonl").read_text("utf-8")
    assert len(metrics.splitlines()) == 9


def test_nobody_begins_while_the_folder_is_cleared(store, tmp_path, monkeypatch):
    """A process that is started anew beside one that ends would lose its files to it."""
    clear = ResumeState.clear

    def watched(self):
        with pytest.raises(TrainingError, match="another process"), self.held():
            pass
        clear(self)

    monkeypatch.setattr(ResumeState, "clear", watched)
    output = train(Toy, store, tmp_path / "w.safetensors")
    assert not output.with_name(f"{output.name}.resume").exists()


def test_a_digest_that_was_cut_does_not_spoil_the_next(tmp_path):
    state = ResumeState(tmp_path / "w.safetensors", "id")
    state.folder.mkdir()
    state.digests.write_text("0123", encoding="utf-8")
    state.save({"step": 1})
    assert state.load()[1] == "resumed from state.pt"
