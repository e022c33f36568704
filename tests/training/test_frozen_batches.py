"""Windows that teach a method nothing, as those that frozen encoders alone see, end no training."""

import json
from dataclasses import replace

import pytest
import torch
from published_layout import Published
from small import SECTIONS
from tiny import NAMES, inputs
from tinyshards import tiny_store
from toys import train

from physiome.config.monitor import MonitorSpec
from physiome.config.systems.cbramod import CBraModSpec
from physiome.config.systems.contrawr import ContraWRSpec
from physiome.config.systems.multimae import MultiMAESpec
from physiome.errors import TrainingError
from physiome.methods.cbramod import CBraModFusion
from physiome.methods.contrawr import DedicatedContraWR
from physiome.methods.multimae import MultiMAE
from physiome.training.checkpoint import read_weights

SMALL = SECTIONS["cbramod"]


def build(
    folder, cls: type[CBraModFusion] = CBraModFusion, frozen: tuple[str, ...] = ("a",)
) -> CBraModFusion:
    """With frozen encoders, of published weights."""
    path = folder / "published.pth"
    torch.manual_seed(1)
    torch.save(Published(CBraModSpec.parse(SMALL)).state_dict(), path)
    torch.manual_seed(0)
    spec = {**SMALL, "published": {m: str(path) for m in frozen}, "frozen": frozen}
    return cls(CBraModSpec.parse(spec), inputs(NAMES))


@pytest.mark.parametrize(("seed", "comes_first"), [(0, False), (4, True)])
def test_windows_of_a_frozen_encoder_alone_do_not_end_a_training(seed, comes_first, tmp_path):
    """Six of twelve windows carry nothing else."""
    store, output = tiny_store(tmp_path, absent={"b": range(6), "c": range(6)}), tmp_path / "w.st"
    train(lambda: build(tmp_path), store, output, epochs=2, seed=seed)
    tensors, manifest = read_weights(output)
    fresh = build(tmp_path)
    fresh.begin()
    moved = {n for n, p in fresh.named_parameters() if not torch.equal(tensors[n], p)}
    assert {n.split(".")[1] for n in moved} == {"b", "c"}
    lines = output.with_suffix(".metrics.jsonl").read_text().splitlines()
    losses = [json.loads(line)["masked"] for line in lines]
    assert len(losses) == manifest["training"]["steps"]
    assert 0 < losses.count(0.0) < len(losses)
    assert (losses[0] == 0.0) == comes_first


@pytest.mark.parametrize(("seed", "comes_first"), [(0, False), (4, True)])
def test_windows_that_are_visible_as_a_whole_do_not_end_a_training(seed, comes_first, tmp_path):
    """Those of one modality have 16, all of which the budget of 24 shows: nothing to rebuild."""
    store, output = tiny_store(tmp_path, absent={"b": range(6), "c": range(6)}), tmp_path / "w.st"
    spec = MultiMAESpec.parse({**SECTIONS["multimae"], "visible": 24})
    train(lambda: MultiMAE(spec, inputs(NAMES)), store, output, epochs=2, seed=seed)
    lines = output.with_suffix(".metrics.jsonl").read_text().splitlines()
    losses = [json.loads(line)["pixels"] for line in lines]
    assert 0 < losses.count(0.0) < len(losses)
    assert (losses[0] == 0.0) == comes_first


@pytest.mark.parametrize(("seed", "comes_first"), [(0, False), (4, True)])
def test_windows_of_a_subset_without_a_model_do_not_end_a_training(seed, comes_first, tmp_path):
    """Six carry a alone, of which there is no model where it is not scored."""
    store, output = tiny_store(tmp_path, absent={"b": range(6), "c": range(6)}), tmp_path / "w.st"
    spec = ContraWRSpec.parse(SECTIONS["contrawr"])
    fed = replace(inputs(NAMES), scored=("a+b+c", "b"))
    train(lambda: DedicatedContraWR.build(spec, fed, []), store, output, epochs=2, seed=seed)
    lines = output.with_suffix(".metrics.jsonl").read_text().splitlines()
    learned = ["b/contrast" in json.loads(line) for line in lines]
    assert 0 < sum(learned) < len(learned)
    assert learned[0] != comes_first


def test_published_weights_are_kept_as_a_whole_where_nothing_is_to_be_trained(tmp_path):
    store, output = tiny_store(tmp_path, windows=16), tmp_path / "w.safetensors"
    with pytest.raises(TrainingError, match=r"no weight learns .* set its train\.epochs to 0"):
        train(lambda: build(tmp_path, frozen=NAMES), store, output)
    train(lambda: build(tmp_path, frozen=NAMES), store, output, epochs=0, monitor=MonitorSpec())
    given = build(tmp_path, frozen=NAMES)
    given.begin()
    tensors, manifest = read_weights(output)
    assert all(torch.equal(tensors[n], p) for n, p in given.named_parameters())
    assert manifest["training"]["trained_parameters"] == 0


class Detached(CBraModFusion):
    def loss(self, batch, rng):
        return {"masked": super().loss(batch, rng)["masked"].detach()}


def test_a_loss_without_gradient_is_refused_where_something_could_learn(tmp_path):
    with pytest.raises(TrainingError, match="no weight gets a gradient"):
        train(lambda: build(tmp_path, Detached), tiny_store(tmp_path), tmp_path / "w.safetensors")
