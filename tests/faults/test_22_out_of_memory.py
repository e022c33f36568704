"""Fault 22: GPU out of memory.

Wherever it happens (the model on its way there, a step, the optimiser's first state, embedding) one
line names what was to be in memory and what asks for less: a `micro_batch` that would fit next, or
`embed_batch`. Saved progress is kept and ends in the same weights. Nothing is split unasked:
contrasts would see fewer negatives.
"""

import pytest
import torch
from crashes import same_weights
from small import settings_of
from tinyshards import tiny_store

from physiome.errors import TrainingError
from physiome.files import canonical_json, write_json
from physiome.methods.neuronet import NeuroNet
from physiome.steps import embed, pretrain


@pytest.fixture
def place(tmp_path):
    """Three subjects to pretrain on: twelve windows, three batches of four an epoch."""
    tiny_store(tmp_path, windows=24)
    roles = {"pretrain": ["s0", "s1", "s2"], "train": ["s3", "s4"], "test": ["s5"]}
    write_json(tmp_path / "folds.json", {"folds": [{"fold": 1, **roles}]})
    return tmp_path


def train(place, output="a.safetensors", **changes):
    plain = settings_of("neuronet") | {"dataset": "d"}
    plain = {k: plain[k] for k in ("dataset", "modalities", "window", "encoder")}
    training = {"epochs": 2, "batch": 4, "learning_rate": 1.0e-3, **changes}
    text = canonical_json({**plain, "pretrain": training})
    shards = [place / "shard0", place / "shard1"]
    at = place / "folds.json", 1, "a", place / output
    pretrain.run(text, shards, *at, save_every_s=0.0)


def allocator_that_refuses(monkeypatch, at):
    """The loss of the `at`-th piece meets a full device, after the try with two windows."""
    loss, calls = NeuroNet.loss, []

    def full(self, batch, rng):
        calls.append(1)
        if len(calls) == 1 + at:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB")
        return loss(self, batch, rng)

    monkeypatch.setattr(NeuroNet, "loss", full)


@pytest.mark.parametrize(
    ("changes", "shown", "advice"),
    [
        ({}, "4 of a batch of 4", "set micro_batch: 2"),
        ({"micro_batch": 2}, "2 of a batch of 4", "no smaller micro_batch is possible"),
    ],
)
def test_fault_22_out_of_memory_names_step_and_batch_and_says_what_to_set(
    place, monkeypatch, changes, shown, advice
):
    allocator_that_refuses(monkeypatch, at=2)
    with pytest.raises(TrainingError) as caught:
        train(place, **changes)
    line = str(caught.value)
    assert "\n" not in line
    for part in (f"step {2 - 1 if not changes else 0}", shown, "9.00 GiB", advice, "is kept"):
        assert part in line
    assert caught.value.exit_code == 2
    assert not (place / "a.safetensors").exists()


def test_fault_22_what_was_saved_before_is_kept_and_ends_in_the_same_weights(place, monkeypatch):
    train(place, "whole.safetensors")
    with monkeypatch.context() as patch:
        allocator_that_refuses(patch, at=5)  # in the second epoch
        with pytest.raises(TrainingError):
            train(place)
    state = torch.load(place / "a.safetensors.resume/state.pt", weights_only=True)
    assert state["step"] == 4
    train(place)
    assert same_weights(place / "a.safetensors", place / "whole.safetensors")


def refuse(*_, **__):
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB")


@pytest.mark.parametrize(
    ("cls", "function", "said"),
    [
        (
            NeuroNet,
            "to",
            "the model: out of memory - .* of weights.*a device with more memory",
        ),
        (torch.optim.AdamW, "step", "step 0: out of memory - 4 of a batch of 4.*micro_batch: 2"),
    ],
)
def test_fault_22_a_model_or_an_optimiser_that_does_not_fit_is_told(
    place, monkeypatch, cls, function, said
):
    monkeypatch.setattr(cls, function, refuse)
    with pytest.raises(TrainingError, match=said) as caught:
        train(place)
    assert "9.00 GiB" in str(caught.value)
    assert not (place / "a.safetensors").exists()


def test_fault_22_embedding_that_does_not_fit_names_embed_batch(place, monkeypatch):
    monkeypatch.setattr("physiome.evaluation.embed.embed_subsets", refuse)
    plain = settings_of("handmade") | {"dataset": "d", "name": "handmade", "base": "handmade"}
    text = canonical_json(plain | {"batch": 256})
    shards = [place / "shard0", place / "shard1"]
    output = place / "handmade.npy"
    with pytest.raises(TrainingError, match=r"256 windows at a time.*9.00 GiB.*lower embed_batch"):
        embed.run(text, shards, place / "folds.json", 1, output)
    with pytest.raises(TrainingError, match="16 windows at a time"):  # what it then is given
        embed.run(text, shards, place / "folds.json", 1, output, batch=16)
    assert not output.exists()
