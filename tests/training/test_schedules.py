"""Optimisers and schedules, and the hooks by which a method follows its training."""

import logging
import math

import numpy as np
import pytest
import torch
from tiny import NAMES
from tinyshards import tiny_store
from toys import Toy, Uncoupled, train

from physiome.config.agreement import Owner
from physiome.config.training import TrainSpec
from physiome.data.store.batches import patterns
from physiome.errors import ConfigError
from physiome.methods.base import Progress
from physiome.training.checkpoint import read_weights
from physiome.training.job import SAMPLE, sample, train_to_file


def rates(**changes):
    spec = TrainSpec(**{"epochs": 10, "batch": 4, "learning_rate": 1.0, **changes})
    return [spec.rate(epoch) for epoch in range(spec.epochs)]


def test_the_schedules_in_closed_form():
    assert rates() == pytest.approx([0.5 * (1 + math.cos(math.pi * e / 10)) for e in range(10)])
    assert rates(schedule="constant") == [1.0] * 10
    assert rates(schedule="polynomial") == pytest.approx([(1 - e / 10) ** 0.9 for e in range(10)])


def test_a_falling_schedule_ends_at_the_final_rate():
    for schedule in ("cosine", "polynomial"):
        to_zero, floored = rates(schedule=schedule), rates(schedule=schedule, final_rate=0.1)
        assert floored == pytest.approx([0.1 + 0.9 * rate for rate in to_zero])
    assert rates(schedule="constant", final_rate=0.1) == [1.0] * 10
    with pytest.raises(ConfigError, match="final_rate"):
        TrainSpec.parse({"epochs": 1, "batch": 4, "learning_rate": 0.1, "final_rate": 0.2}, "train")


def test_epochs_are_added_until_the_least_steps_are_taken(store, tmp_path, caplog):
    """Three steps an epoch; the schedule runs over the epochs that there are then."""
    with caplog.at_level(logging.INFO):
        path = train(Toy, store, tmp_path / "w.safetensors", epochs=2, least_steps=10)
    training = read_weights(path)[1]["training"]
    assert (training["asked_epochs"], training["epochs"], training["steps"]) == (2, 4, 12)
    assert "epochs=4 instead of 2: least_steps=10" in caplog.text
    other = train(Toy, store, tmp_path / "four.safetensors", epochs=4)
    assert torch.equal(read_weights(path)[0]["map.weight"], read_weights(other)[0]["map.weight"])


@pytest.mark.parametrize(("epochs", "least"), [(4, 12), (4, 0), (0, 99)])
def test_enough_epochs_stay_as_they_are_and_none_stay_none(epochs, least):
    spec = TrainSpec(epochs=epochs, least_steps=least, batch=4, learning_rate=1.0)
    assert spec.lasting(3).epochs == epochs


def test_warm_up_rises_evenly_and_the_decay_begins_after_it():
    found = rates(warmup=0.2)
    assert found[:2] == pytest.approx([1 / 3, 2 / 3])
    assert found[2] == 1.0
    assert found[2:] == pytest.approx([0.5 * (1 + math.cos(math.pi * e / 8)) for e in range(8)])
    short = rates(epochs=20, warmup=0.025)  # half an epoch: the first is a step on the way
    assert short[0] == pytest.approx(1 / 1.5)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tiny_store(tmp_path_factory.mktemp("store"))


def test_adam_adds_the_decay_to_the_gradient_where_adamw_shrinks_the_weights(store, tmp_path):
    """On weights without gradient: Adam then moves by its rate, AdamW by rate times decay."""

    class Flat(Uncoupled):
        def loss(self, batch, rng):
            return {"fit": self.map.bias.sum() + 0.0 * self.map.weight.sum()}

    def moved(kind):
        method = Flat()
        before = method.map.weight.detach().clone()
        path = tmp_path / f"{kind}.safetensors"
        train(
            lambda: method,
            store,
            path,
            epochs=1,
            batch=12,
            learning_rate=1e-3,
            optimizer=kind,
            weight_decay=0.1,
        )
        return before, read_weights(path)[0]["map.weight"]

    before, after = moved("adamw")
    torch.testing.assert_close(after, before * (1 - 1e-4))
    for kind in ("adam", "amsgrad"):
        before, after = moved(kind)
        torch.testing.assert_close(
            (after - before).abs(), torch.full_like(after, 1e-3), rtol=1e-2, atol=1e-5
        )


class Watching(Toy):
    """Notes when what is called."""

    calibrated = True

    def __init__(self):
        super().__init__()
        self.moments: list[Progress] = []
        self.followed, self.seen = 0, None

    def loss(self, batch, rng):
        self.moments.append(self.progress)
        return super().loss(batch, rng)

    def after_step(self):
        self.followed += 1

    def calibrate(self, sample):
        self.seen = {m: len(x) for m, x in sample.items()}


def test_a_method_knows_the_moment_of_every_step_and_follows_it(store, tmp_path):
    method = Watching()
    train(lambda: method, store, tmp_path / "w.safetensors", epochs=2, batch=4)
    assert method.moments == [Progress(e, 2, s, 3) for e in range(2) for s in range(3)]
    assert [m.share for m in method.moments] == [0.0] * 3 + [0.5] * 3
    assert method.followed == 6
    assert method.seen == {"a": 12}


def test_the_sample_is_of_windows_that_carry_the_modality(tmp_path):
    store = tiny_store(tmp_path, windows=16, absent={"b": range(0, 16, 2)})
    found = sample(store, np.arange(4, 16), NAMES)
    assert {m: len(x) for m, x in found.items()} == {"a": 12, "b": 6, "c": 12}
    assert all(torch.isfinite(x).all() for x in found.values())
    assert SAMPLE >= 12


def test_no_epochs_give_fresh_weights_with_their_constants(store, tmp_path):
    method = Watching()
    before = method.map.weight.detach().clone()
    path = train(lambda: method, store, tmp_path / "w.safetensors", epochs=0)
    tensors, manifest = read_weights(path)
    assert torch.equal(tensors["map.weight"], before)
    assert manifest["training"]["steps"] == 0
    assert method.seen


class Two(Toy):
    """Two models without a common weight, one of which has gradients a thousand times as large."""

    def __init__(self):
        super().__init__()
        self.other = torch.nn.Linear(900, 3)
        self.released: list[bool] = []

    def objectives(self, batch, rng):
        first = self.map(batch["a"]).square().mean()
        yield first, {"one": first}
        self.released.append(self.map.weight.grad is not None)  # backpropagated already
        second = 1e6 * self.other(batch["a"]).square().mean()
        yield second, {"two": second}

    def clip_groups(self):
        return [list(self.map.parameters()), list(self.other.parameters())]


def test_objectives_are_backpropagated_one_by_one_and_clipped_apart(store, tmp_path):
    method, kept = Two(), {}
    step = torch.optim.AdamW.step

    def note(optimizer, *arguments):
        kept["norms"] = [
            float(torch.stack([p.grad.norm() for p in group]).norm())
            for group in method.clip_groups()
        ]
        return step(optimizer, *arguments)

    torch.optim.AdamW.step = note
    try:
        train(lambda: method, store, tmp_path / "w.safetensors", epochs=1, batch=12, clip_norm=0.01)
    finally:
        torch.optim.AdamW.step = step
    assert method.released == [True]
    assert kept["norms"] == pytest.approx([0.01, 0.01], rel=1e-3)


def test_labels_reach_the_rows_they_belong_to(store, tmp_path):
    class Labelled(Toy):
        pairs: list = []  # noqa: RUF012

        def labelled_loss(self, batch, labels, rng):
            self.pairs += zip(batch["a"][:, 0].tolist(), labels.tolist(), strict=True)
            return {"fit": self.map(batch["a"]).square().mean()}

    labels = np.arange(100, 112)
    index = np.arange(12)
    train_to_file(
        Labelled,
        store,
        patterns(store, index),
        {"x": 1},
        TrainSpec(epochs=1, batch=8, micro_batch=4, learning_rate=1e-3),
        "cpu",
        tmp_path / "w.safetensors",
        Owner("toy", 0, "toy"),
        "train",
        labels=labels,
    )
    first = store.read(index, ("a",))["a"][:, 0]
    expected = dict(zip(labels.tolist(), first.tolist(), strict=True))
    assert len(Labelled.pairs) == 8  # the incomplete batch is left out
    assert all(value == expected[label] for value, label in Labelled.pairs)
