"""A training that trains nothing ends with an error instead of a row in the tables."""

import json
import os
import signal

import pytest
import torch
from tinyshards import tiny_store
from torch import nn
from toys import Toy, train

from physiome.errors import TrainingError
from physiome.training.runtime import Interrupted
from physiome.training.standstill import fingerprint, require_gradient


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tiny_store(tmp_path_factory.mktemp("store"))


class Constant(Toy):
    """A loss that hangs on no weight."""

    def loss(self, batch, rng):
        return {"fit": torch.tensor(1.0)}


class Detached(Toy):
    """A loss of its weights' output, cut off from them."""

    def loss(self, batch, rng):
        return {"fit": self.map(batch[self.modalities[0]]).detach().square().mean()}


class Listed(Toy):
    """Keeps its layer in a list, where torch does not see it."""

    def __init__(self):
        super().__init__()
        self.layers = [self.map]
        del self.map, self.norm


class Idle(Toy):
    """Two parts that no loss hangs on, beside one that learns and one that is frozen."""

    def __init__(self):
        super().__init__()
        self.decoders = nn.ModuleDict({"a": nn.Linear(3, 3), "b": nn.Linear(3, 3, bias=False)})
        self.frozen = nn.Linear(3, 3).requires_grad_(False)


class Undone(Toy):
    """Takes every step back."""

    def __init__(self):
        super().__init__()
        self.kept = [p.detach().clone() for p in self.parameters()]

    def after_step(self):
        with torch.no_grad():
            for p, kept in zip(self.parameters(), self.kept, strict=True):
                p.copy_(kept)


class Stopped(Idle):
    """Asked to end after so many of its steps; None: never."""

    def __init__(self, after):
        super().__init__()
        self.after = after

    def after_step(self):
        if self.after is not None:
            self.after -= 1
            if self.after == 0:
                os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("method", [Constant, Detached])
def test_a_loss_without_a_gradient_is_an_error_at_the_first_step(method, store, tmp_path):
    output = tmp_path / "w.safetensors"
    with pytest.raises(TrainingError, match=rf"{method.__name__}: no weight gets a gradient .*fit"):
        train(method, store, output)
    assert not output.exists()


@pytest.mark.parametrize("epochs", [0, 3])
def test_a_method_without_weights_that_learn_is_an_error_before_all(epochs, store, tmp_path):
    output = tmp_path / "w.safetensors"
    with pytest.raises(TrainingError, match=r"Listed: no weight learns .*nn\.ModuleList"):
        train(Listed, store, output, epochs=epochs)
    assert not output.exists()


def test_weights_that_equal_their_start_are_an_error_at_the_end(store, tmp_path):
    output = tmp_path / "w.safetensors"
    with pytest.raises(TrainingError, match=r"Undone: training changed no weight"):
        train(Undone, store, output)
    assert not output.exists()


SAID = (
    "3 of 7 trainable tensors never got a gradient and are as they were initialised: decoders.a, "
    "decoders.b"
)


@pytest.mark.parametrize("resumed", [False, True])
def test_weights_that_no_step_moved_are_told_of(resumed, store, tmp_path, caplog):
    """Whatever else learns, and whichever process ended the training."""
    output = tmp_path / "w.safetensors"
    if resumed:
        with pytest.raises(Interrupted):
            train(lambda: Stopped(after=4), store, output)
    train(lambda: Stopped(after=None), store, output)
    assert json.loads(output.with_suffix(".json").read_text())["monitor"]["warnings"] == [SAID]
    assert SAID in caplog.text


def test_nothing_is_said_where_every_weight_was_moved_or_none_was_to_be(store, tmp_path):
    for name, method, epochs in (("toy", Toy, 3), ("idle", Idle, 0)):
        output = train(method, store, tmp_path / f"{name}.safetensors", epochs=epochs)
        assert json.loads(output.with_suffix(".json").read_text())["monitor"]["warnings"] == []


def test_no_epochs_are_no_training_and_no_error(store, tmp_path):
    assert train(Undone, store, tmp_path / "w.safetensors", epochs=0).exists()


def test_one_weight_with_a_gradient_is_enough():
    one, other = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    one.grad = torch.tensor([0.0, 1e-12])
    require_gradient([one, other], {"loss": 1.0}, "here")
    one.grad = torch.zeros(2)
    with pytest.raises(TrainingError, match="loss 1"):
        require_gradient([one, other], {"loss": 1.0}, "here")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_the_fingerprint_tells_the_smallest_change(dtype):
    p = nn.Parameter(torch.ones(3, 2, dtype=dtype))
    first = fingerprint([p])
    assert first == fingerprint([nn.Parameter(p.detach().clone())])
    with torch.no_grad():
        p[2, 1] = torch.nextafter(p[2, 1].float(), torch.tensor(2.0)).to(dtype) * (1 + 2**-7)
    assert first != fingerprint([p])
