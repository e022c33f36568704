"""Saved progress holds what has moved: frozen weights lie with the model they come from."""

import pytest
import torch
from tiny import physiome
from tinyshards import tiny_store
from toys import train

from physiome.errors import TrainingError
from physiome.training.checkpoint import read_weights


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
