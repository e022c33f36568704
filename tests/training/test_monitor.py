"""A monitor sees what goes wrong, and nothing of the training changes for it."""

import json
import logging
import signal

import numpy as np
import pytest
import torch
from tiny import NAMES, neuronet, physiome
from tinyshards import tiny_store
from toys import Stumbling, Toy, train

from physiome.config.monitor import MonitorSpec
from physiome.errors import ConfigError
from physiome.methods.base import Method
from physiome.nn.losses import nt_xent
from physiome.training.checkpoint import read_weights
from physiome.training.contrasts import chance_level
from physiome.training.job import watch
from physiome.training.loop import Interrupted

pytestmark = pytest.mark.slow

ALWAYS = MonitorSpec(every_epochs=1)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Three subjects with four windows each, of two classes."""
    return tiny_store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def whole(store, tmp_path_factory):
    """An uninterrupted run: three epochs of three steps."""
    return train(Toy, store, tmp_path_factory.mktemp("whole") / "w.safetensors", monitor=ALWAYS)


def lines(output):
    text = output.with_suffix(".metrics.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def looks(output):
    return [line for line in lines(output) if "monitor" in line]


def manifest(output):
    return json.loads(output.with_suffix(".json").read_text())


def warnings(output):
    return manifest(output)["monitor"]["warnings"]


# It changes nothing


@pytest.mark.parametrize("build", [Toy, neuronet, physiome])
def test_a_watched_training_is_the_unwatched_one_bit_for_bit(build, store, tmp_path):
    runs = [
        train(build, store, tmp_path / f"{i}.safetensors", clip_norm=2.0, monitor=spec)
        for i, spec in enumerate((None, ALWAYS))
    ]
    (one, _), (other, _) = (read_weights(output) for output in runs)
    assert all(torch.equal(one[name], other[name]) for name in one)
    steps = [line for line in lines(runs[1]) if "monitor" not in line]
    assert steps == lines(runs[0])
    assert len(looks(runs[1])) == 4


def test_a_look_draws_no_random_number_and_leaves_the_mode(store):
    class Drawing(Toy):
        def fuse(self, encoded):
            return super().fuse(encoded) + torch.randn(3)

    method = Drawing().train()
    monitor = watch("{}", store, np.array(["train"] * 12))
    torch.manual_seed(5)
    expected = torch.randn(3)
    torch.manual_seed(5)
    before = {name: t.clone() for name, t in method.state_dict().items()}
    monitor.begin(method, np.arange(12), 4, 1)
    assert torch.equal(torch.randn(3), expected)
    assert method.training
    assert all(torch.equal(t, before[name]) for name, t in method.state_dict().items())


@pytest.mark.parametrize("at", [1, 3, 4, 9])
@pytest.mark.parametrize("save_every_s", [0.0, 300.0])
def test_a_resumed_training_has_the_same_looks(at, save_every_s, store, whole, tmp_path):
    output = tmp_path / "w.safetensors"
    with pytest.raises(RuntimeError, match="power cut"):
        train(
            lambda: Stumbling(at, RuntimeError("power cut")),
            store,
            output,
            save_every_s=save_every_s,
            monitor=ALWAYS,
        )
    train(Toy, store, output, monitor=ALWAYS)
    assert lines(output) == lines(whole)
    found, expected = manifest(output)["monitor"], manifest(whole)["monitor"]
    assert found | {"seconds": 0} == expected | {"seconds": 0}


@pytest.mark.parametrize("at", [3, 9])
def test_a_signal_in_the_last_step_of_an_epoch_loses_no_look(at, store, whole, tmp_path):
    output = tmp_path / "w.safetensors"
    with pytest.raises(Interrupted, match=f"after step {at}"):
        train(lambda: Stumbling(at, signal.SIGTERM), store, output, monitor=ALWAYS)
    train(Toy, store, output, monitor=ALWAYS)
    assert lines(output) == lines(whole)
    assert manifest(output)["monitor"]["after"] == manifest(whole)["monitor"]["after"]


# What it looks at


def test_it_looks_before_the_first_step_every_few_epochs_and_at_the_end(store, tmp_path):
    spec = MonitorSpec(every_epochs=2)
    output = train(Toy, store, tmp_path / "w.safetensors", epochs=5, monitor=spec)
    assert [(line["epoch"], line["step"]) for line in looks(output)] == [
        (0, 0),
        (2, 6),
        (4, 12),
        (5, 15),
    ]
    found = manifest(output)["monitor"]
    assert (found["windows"], found["subjects"], found["no_probe"]) == (12, 3, None)
    assert found["before"] == looks(output)[0]["monitor"]
    assert found["after"] == looks(output)[-1]["monitor"]
    assert found["before"]["moved"] == 0.0 < found["after"]["moved"]


def test_test_subjects_and_unlabelled_windows_are_never_looked_at(tmp_path):
    store = tiny_store(tmp_path, windows=20)
    roles = np.repeat(["pretrain", "train", "test", "train", ""], 4)
    store.table.loc[5, "label"] = -1
    monitor = watch("{}", store, roles)
    assert monitor.labelled.tolist() == [4, 6, 7, 12, 13, 14, 15]
    monitor.begin(Toy(), np.arange(4), 4, 1)
    assert set(monitor.sample.subjects) == {"s1", "s3"}


def test_only_whole_and_sound_windows_are_looked_at(tmp_path):
    store = tiny_store(tmp_path, absent={"b": [1, 6]}, poison={4: np.nan})
    monitor = watch("{}", store, np.array(["train"] * 12))
    monitor.begin(physiome(), np.arange(12), 4, 1)
    assert len(monitor.sample.labels) == 9
    assert set(monitor.sample.signals) == set(NAMES)
    assert all(np.isfinite(x).all() for x in monitor.sample.signals.values())
    few = watch(
        '{"windows": 16}', tiny_store(tmp_path / "more", windows=40), np.array(["train"] * 40)
    )
    few.begin(Toy(), np.arange(40), 4, 1)
    assert len(few.sample.labels) == 16


def test_without_two_classes_there_is_no_probe_and_the_manifest_says_why(tmp_path):
    store = tiny_store(tmp_path)
    store.table["label"] = (store.table["subject"] == "s0").astype(int)  # a class of one subject
    output = train(Toy, store, tmp_path / "w.safetensors", monitor=ALWAYS)
    found = manifest(output)["monitor"]
    assert "1 classes that two labelled train subjects have" in found["no_probe"]
    assert set(found["after"]) == {"effective_rank", "feature_variance", "moved"}
    assert found["difference"] is None


@pytest.mark.parametrize(
    ("build", "absent", "looks_at"),
    [(Toy, {}, 12), (physiome, {"a": range(6), "b": range(6, 12)}, 0)],
)
def test_classes_of_one_subject_each_leave_no_probe_and_training_goes_on(
    build, absent, looks_at, tmp_path
):
    store = tiny_store(tmp_path, absent=absent)
    store.table["label"] = store.table["subject"].str[1:].astype(int)
    found = manifest(train(build, store, tmp_path / "w.safetensors", monitor=ALWAYS))
    watched = found["monitor"]
    assert watched["no_probe"].startswith("0 classes that two labelled train subjects have")
    assert watched["windows"] == looks_at
    assert found["training"]["steps"] > 0


class Mute(Toy):
    def fuse(self, encoded):
        return Method.fuse(self, encoded)


class Refusing(Toy):
    def refuses(self, subset):
        return "not all at once"


@pytest.mark.parametrize(
    ("build", "changes", "why"),
    [
        (Mute, {"monitor": ALWAYS}, "Mute cannot embed"),
        (Refusing, {"monitor": ALWAYS}, "not all at once"),
        (Toy, {"monitor": ALWAYS, "epochs": 0}, "no epochs"),
        (Toy, {}, "switched off"),
    ],
)
def test_what_cannot_be_watched_is_trained_all_the_same(build, changes, why, store, tmp_path):
    output = train(build, store, tmp_path / "w.safetensors", **changes)
    found = manifest(output)["monitor"]
    assert why in found["no_probe"]
    assert (found["before"], found["after"], found["warnings"]) == (None, None, [])
    assert looks(output) == []


def test_misspelt_settings_are_refused(store):
    with pytest.raises(ConfigError, match=r"monitor\.every.*every_epochs"):
        watch('{"every": 3}', store, np.array(["train"] * 12))


# What it warns of: planted failures


@pytest.mark.parametrize("build", [Toy, neuronet, physiome])
def test_a_rate_of_nothing_is_caught(build, store, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        output = train(
            build, store, tmp_path / "w.safetensors", learning_rate=1e-30, monitor=ALWAYS
        )
    assert "its weights did not move" in warnings(output)
    assert "toy 0 toy its weights did not move" in caplog.text


@pytest.mark.parametrize("build", [neuronet, physiome])
def test_constant_inputs_are_caught(build, tmp_path):
    store = tiny_store(tmp_path, constant=1.0)
    output = train(build, store, tmp_path / "w.safetensors", monitor=ALWAYS)
    assert "collapsed: all windows have the same embedding" in warnings(output)
    assert any("not above its start" in text for text in warnings(output))


class Contrasting(Toy):
    """A contrast between the two halves of a window, of squares behind a rectifier.

    The gradient of `size` leads every output of every window down: one huge step against it, and
    the rectifier never opens again.
    """

    contrasts = ("contrast",)

    def __init__(self):
        super().__init__(samples=450)
        self.weights = {"contrast": 1.0, "size": 1e6}

    def loss(self, batch, rng):
        first, second = (self.vectors(x) for x in batch["a"].chunk(2, dim=1))
        return {"contrast": nt_xent(first, second, 0.5), "size": first.square().mean()}

    def vectors(self, x):
        return torch.relu(self.map(x.square()))

    def fuse(self, encoded):
        return self.vectors(encoded["a"][:, :450])


def test_a_huge_rate_is_caught(store, tmp_path):
    output = tmp_path / "w.safetensors"
    huge = {"learning_rate": 1e3, "weight_decay": 0.0, "epochs": 20}
    train(Contrasting, store, output, monitor=MonitorSpec(), **huge)
    found = warnings(output)
    assert "collapsed: all windows have the same embedding" in found
    assert any("contrast ends at chance: 1.946, chance is 1.946" in text for text in found)


def test_the_chance_of_a_contrast_is_logged_for_what_is_seen_at_a_time(store, tmp_path):
    for micro, pairs in ((None, 4), (2, 2)):
        output = train(Contrasting, store, tmp_path / f"{micro}.safetensors", micro_batch=micro)
        chances = [line["contrast_chance"] for line in lines(output)]
        assert chances == pytest.approx([chance_level(pairs)] * 9)
    alike = torch.ones(4, 3)
    assert float(nt_xent(alike, alike, 0.1)) == pytest.approx(chance_level(4))
