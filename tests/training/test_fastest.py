"""`precision: fastest`: what is faster on this CPU is measured, noted, and kept when resumed."""

import time

import numpy as np
import pytest
import torch
from tinyshards import tiny_store
from toys import Toy, train

from physiome.errors import TrainingError
from physiome.training import loop, rehearsal
from physiome.training.checkpoint import read_weights
from physiome.training.rehearsal import faster_in_bf16


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tiny_store(tmp_path_factory.mktemp("store"), windows=12)


class Slow(Toy):
    """Takes its time in one of the precisions."""

    def __init__(self, narrow):
        super().__init__()
        self.narrow = narrow

    def loss(self, batch, rng):
        if torch.is_autocast_enabled("cpu") == self.narrow:
            time.sleep(0.2)
        return super().loss(batch, rng)


@pytest.mark.parametrize(("slow_in_bf16", "precision"), [(True, "fp32"), (False, "bf16")])
def test_the_faster_one_is_taken(slow_in_bf16, precision, store, tmp_path):
    output = tmp_path / "w.safetensors"
    train(lambda: Slow(slow_in_bf16), store, output, precision="fastest", epochs=1, batch=12)
    assert read_weights(output)[1]["training"]["precision"] == precision


def test_measuring_leaves_the_training_as_it_is(store, tmp_path, monkeypatch):
    monkeypatch.setattr(rehearsal, "FASTER", 1e9)  # never
    files = [tmp_path / f"{name}.safetensors" for name in ("fastest", "fp32")]
    found = [read_weights(train(Toy, store, f, precision=f.stem))[0] for f in files]
    assert all(torch.equal(x, found[1][name]) for name, x in found[0].items())


def test_a_resumed_training_goes_on_in_the_precision_it_began_in(store, tmp_path, monkeypatch):
    output, asked = tmp_path / "w.safetensors", []

    def answer(*_):
        asked.append(1)
        return len(asked) == 1  # on another machine it would be another one

    class Stumbling(Toy):
        def loss(self, batch, rng):
            if len(asked) == 1 and self.progress.epoch == 1:
                asked.append(0)
                raise TrainingError("cut off")
            return super().loss(batch, rng)

    monkeypatch.setattr(loop, "faster_in_bf16", answer)
    with pytest.raises(TrainingError, match="cut off"):
        train(Stumbling, store, output, precision="fastest", save_every_s=0.0)
    train(Stumbling, store, output, precision="fastest")
    assert asked == [1, 0]
    assert read_weights(output)[1]["training"]["precision"] == "bf16"


def test_labels_are_handed_on_and_the_method_stays_as_it_is():
    seen = []

    class Labelled(Toy):
        def labelled_loss(self, batch, labels, rng):
            seen.append(labels.tolist())
            return {"fit": (self.map(batch["a"]).sum(dim=1) - labels).square().mean()}

    method = Labelled()
    before = {name: x.clone() for name, x in method.state_dict().items()}
    faster_in_bf16(method, {"a": np.ones((4, 900), np.float32)}, np.array([0, 1, 0, 1]))
    assert seen == [[0, 1, 0, 1]] * (2 * rehearsal.TURNS)
    assert all(p.grad is None for p in method.parameters())
    assert all(torch.equal(x, before[name]) for name, x in method.state_dict().items())
