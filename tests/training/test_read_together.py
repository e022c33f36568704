"""Losses of several steps read at once, as on a GPU: what is logged and kept is the same."""

import pytest
import torch
from tinyshards import tiny_store
from toys import Stumbling, Toy, train

from physiome.errors import TrainingError
from physiome.training import loop
from physiome.training.checkpoint import read_weights
from physiome.training.progress import Taken, read_terms


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tiny_store(tmp_path_factory.mktemp("store"), windows=40)


@pytest.fixture
def together(monkeypatch):
    """`together(n)`: so many steps are read at once."""
    return lambda n: monkeypatch.setitem(loop.READ_TOGETHER, "cpu", n)


class NoNumber(Toy):
    """Its loss is not a number at the seventh step."""

    def loss(self, batch, rng):
        terms = super().loss(batch, rng)
        step = self.progress.epoch * self.progress.steps + self.progress.step
        return terms | {"fit": terms["fit"] * (float("nan") if step == 6 else 1.0)}


def everything(output):
    tensors, _ = read_weights(output)
    return output.with_suffix(".metrics.jsonl").read_text(), tensors


@pytest.mark.parametrize("spec", [{}, {"micro_batch": 2, "clip_norm": 0.1}])
def test_what_is_logged_does_not_depend_on_when_it_is_read(store, tmp_path, together, spec):
    log, weights = everything(train(Toy, store, tmp_path / "one.safetensors", **spec))
    for n in (3, 4, 1000):
        together(n)
        found, others = everything(train(Toy, store, tmp_path / f"{n}.safetensors", **spec))
        assert found == log
        assert all(torch.equal(weights[name], others[name]) for name in weights)


def test_steps_are_read_when_enough_are_there_and_at_the_end_of_an_epoch(
    store, tmp_path, together, monkeypatch
):
    counts = []
    fetched = loop.read_terms

    def noted(steps):
        counts.append(len(steps))
        return fetched(steps)

    monkeypatch.setattr(loop, "read_terms", noted)
    together(4)
    train(Toy, store, tmp_path / "w.safetensors", epochs=2)
    # The first step alone, for its gradient; then, of ten steps an epoch, 4, 4 and what is left.
    assert counts == [1, 4, 4, 2, 4, 4, 2]


def test_a_loss_that_is_no_number_is_told_with_its_own_step_and_never_saved(
    store, tmp_path, together
):
    together(1000)
    output = tmp_path / "w.safetensors"
    with pytest.raises(TrainingError, match="not finite at step 6"):
        train(NoNumber, store, output, save_every_s=0.0)
    assert not output.exists()
    state = torch.load(tmp_path / "w.safetensors.resume/state.pt", weights_only=True)
    assert state["step"] == 6
    assert all(torch.isfinite(x).all() for x in state["model"].values())


def test_a_run_that_stumbled_with_losses_unread_resumes_to_the_same(store, tmp_path, together):
    together(7)
    whole = everything(train(Toy, store, tmp_path / "whole.safetensors"))
    output = tmp_path / "w.safetensors"
    with pytest.raises(TrainingError, match="out of memory"):
        train(lambda: Stumbling(16, torch.OutOfMemoryError("9 GiB")), store, output)
    log, weights = everything(train(lambda: Stumbling(0, None), store, output))
    assert log == whole[0]
    assert all(torch.equal(weights[name], whole[1][name]) for name in weights)


def test_values_of_any_type_are_read_as_they_are():
    batch = (("a",), torch.arange(4).numpy())
    half = {"x": torch.tensor(0.1, dtype=torch.bfloat16), "chance": 2.0}
    other = {"x": torch.tensor(0.3, requires_grad=True), "chance": 4.0}
    norms = [torch.tensor(3.0), torch.tensor(4.0)]
    first = Taken(0, 0, batch, 0.5, [(0.25, half), (0.75, other)], norms)
    found, empty = read_terms([first, Taken(1, 0, batch, 0.5, [], ())])
    x = 0.25 * float(half["x"]) + 0.75 * float(other["x"].detach())
    assert found == {"lr": 0.5, "x": x, "chance": 3.5, "gradient_norm": 5.0}
    assert empty == {"lr": 0.5}
