"""The loop itself: rates, accumulation, clipping, bad numbers, what it writes."""

import json
import math

import numpy as np
import pytest
import torch
from tiny import NAMES, neuronet, physiome
from tinyshards import tiny_store
from toys import Stumbling, Toy, Uncoupled, train

from physiome.config.training import TrainSpec
from physiome.data.store.batches import training_batches
from physiome.errors import TrainingError
from physiome.training.checkpoint import read_weights


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tiny_store(tmp_path_factory.mktemp("store"))


def metrics(output):
    lines = output.with_suffix(".metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize(
    ("base", "batch", "scaled", "peak"),
    [(1e-4, 128, True, 5e-5), (1e-4, 512, True, 2e-4), (1e-4, 128, False, 1e-4)],
)
def test_the_learning_rate_rule(base, batch, scaled, peak):
    spec = TrainSpec(epochs=1, batch=batch, learning_rate=base, scale_with_batch=scaled)
    assert spec.peak_rate == pytest.approx(peak)


def test_one_line_per_step_with_rate_terms_and_epoch(store, tmp_path):
    output = train(Toy, store, tmp_path / "w.safetensors", epochs=4, learning_rate=0.01)
    lines = metrics(output)
    assert [line["step"] for line in lines] == list(range(1, 13))
    assert [line["epoch"] for line in lines] == [1] * 3 + [2] * 3 + [3] * 3 + [4] * 3
    for line in lines:
        epoch = line["epoch"] - 1
        assert line["lr"] == pytest.approx(0.01 * 0.5 * (1 + math.cos(math.pi * epoch / 4)))
        assert line["loss"] == pytest.approx(line["fit"])
        assert {"level", "fit"} <= set(line)


def test_the_manifest_says_what_the_training_took(store, tmp_path):
    output = train(Toy, store, tmp_path / "w.safetensors", settings={"x": 5})
    tensors, inside = read_weights(output)
    beside = json.loads(output.with_suffix(".json").read_text())
    assert inside == beside
    assert set(tensors) == set(Toy().state_dict())
    assert (inside["dataset"], inside["fold"], inside["settings"]) == ("toy", 0, {"x": 5})
    training = inside["training"]
    assert (training["epochs"], training["steps"], training["precision"]) == (3, 9, "fp32")
    assert training["parameters"] == sum(p.numel() for p in Toy().parameters())
    assert training["final_loss"]["loss"] == metrics(output)[-1]["loss"]


def test_another_seed_is_another_training(store, tmp_path):
    weights = [
        read_weights(train(Toy, store, tmp_path / f"{i}.safetensors", seed=seed))[0]
        for i, seed in enumerate((0, 0, 1))
    ]
    same, other = [torch.equal(w["map.weight"], weights[0]["map.weight"]) for w in weights[1:]]
    assert same
    assert not other


@pytest.mark.parametrize(("batch", "micro"), [(4, 2), (12, 4), (12, 6)])
def test_accumulation_takes_the_same_steps(batch, micro, store, tmp_path):
    once = train(Uncoupled, store, tmp_path / "once.safetensors", batch=batch, clip_norm=0.5)
    parts = train(
        Uncoupled,
        store,
        tmp_path / "parts.safetensors",
        batch=batch,
        micro_batch=micro,
        clip_norm=0.5,
    )
    torch.testing.assert_close(
        read_weights(parts)[0]["map.weight"],
        read_weights(once)[0]["map.weight"],
        rtol=1e-4,
        atol=1e-6,
    )
    for one, other in zip(metrics(once), metrics(parts), strict=True):
        assert one == pytest.approx(other, rel=1e-4)


def test_a_last_piece_of_one_window_joins_the_piece_before(tmp_path):
    store, method = tiny_store(tmp_path, windows=7), Uncoupled()
    train(lambda: method, store, tmp_path / "w.safetensors", batch=8, micro_batch=2, epochs=1)
    assert method.sizes == [2, 2, 3]


def test_pieces_of_unlike_size_take_the_step_of_the_whole(tmp_path):
    store = tiny_store(tmp_path, windows=7)
    once, pieces = (
        metrics(train(Uncoupled, store, tmp_path / f"{n}.safetensors", batch=8, micro_batch=n))
        for n in (8, 2)
    )
    for one, other in zip(once, pieces, strict=True):
        assert one == pytest.approx(other, rel=1e-5)


def test_every_step_of_every_epoch_draws_for_itself(store, tmp_path):
    drawn = []

    class Drawing(Toy):
        def loss(self, batch, rng):
            drawn.extend([float(torch.rand(1, generator=rng)), float(torch.rand(1))])
            return super().loss(batch, rng)

    train(Drawing, store, tmp_path / "w.safetensors", epochs=3)
    assert len(drawn) == 2 * 3 * 3
    assert len(set(drawn[::2])) == len(set(drawn[1::2])) == 9


def test_gradients_are_clipped_before_the_step(store, tmp_path):
    norms = {}
    for clip in (1e-3, 1e6):
        output = train(Uncoupled, store, tmp_path / f"{clip}.safetensors", clip_norm=clip)
        norms[clip] = [line["gradient_norm"] for line in metrics(output)]
        assert norms[clip][0] > 1e-3  # what is logged is the norm before clipping
    assert norms[1e-3][0] == norms[1e6][0]
    unclipped = train(Uncoupled, store, tmp_path / "w.safetensors")
    assert "gradient_norm" not in metrics(unclipped)[0]
    # AdamW undoes a common factor, so the clip shows in its own stabiliser only.
    tensors = [read_weights(tmp_path / f"{clip}.safetensors")[0] for clip in (1e-3, 1e6)]
    assert not torch.equal(tensors[0]["map.weight"], tensors[1]["map.weight"])


def test_weights_of_models_that_have_none_in_common_are_clipped_apart(store, tmp_path):
    found = []

    class Apart(Uncoupled):
        def clip_groups(self):
            return [[self.map.weight], [self.map.bias]]

        def after_step(self):
            found.extend(float(group[0].grad.norm()) for group in self.clip_groups())

    train(Apart, store, tmp_path / "w.safetensors", clip_norm=1e-3)
    assert found == pytest.approx([1e-3] * len(found), rel=1e-2)


def test_frozen_parameters_are_not_touched(store, tmp_path):
    method = physiome()
    before = {n: p.detach().clone() for n, p in method.named_parameters() if not p.requires_grad}
    train(lambda: method, store, tmp_path / "w.safetensors", epochs=1)
    after = dict(method.named_parameters())
    assert before
    assert all(torch.equal(after[name], value) for name, value in before.items())
    _, manifest = read_weights(tmp_path / "w.safetensors")
    assert manifest["training"]["trained_parameters"] < manifest["training"]["parameters"]


def test_an_encoder_is_scaled_by_the_windows_trained_on_and_keeps_that_scaling(tmp_path):
    store, encoder, method = tiny_store(tmp_path), neuronet(modality="b"), physiome()
    store.table["mean_b"], store.table["var_b"] = 80.0, 25.0
    method.encoders["b"].scaling.set(7.0, 3.0)  # as pretrained on other windows
    for trained, expected in ((encoder.encoder, (80.0, 5.0)), (method.encoders["b"], (7.0, 3.0))):
        whole = encoder if trained is encoder.encoder else method
        train(lambda whole=whole: whole, store, tmp_path / "w.safetensors", epochs=1)
        assert (float(trained.scaling.offset), float(trained.scaling.scale)) == expected


def test_windows_that_lack_a_modality_are_trained_in_batches_of_their_own(tmp_path):
    store = tiny_store(tmp_path, windows=16, absent={"c": [0, 3, 5, 6, 7, 9, 10, 15]})
    method, seen = physiome(), []
    loss = method.loss
    method.loss = lambda batch, rng: seen.append(tuple(batch)) or loss(batch, rng)
    output = train(lambda: method, store, tmp_path / "w.safetensors", epochs=2)
    assert sorted(seen) == [NAMES[:2]] * 4 + [NAMES] * 4
    assert all(math.isfinite(line["loss"]) for line in metrics(output))


# Bad numbers


@pytest.mark.parametrize("window", [2, 9])
def test_a_loss_that_is_not_finite_names_record_and_window(window, tmp_path):
    store, output = tiny_store(tmp_path, poison={window: np.nan}), tmp_path / "w.safetensors"
    with pytest.raises(TrainingError) as caught:
        train(Toy, store, output, save_every_s=0.0)
    assert f"record r{window // 4}, window {window % 4}:" in str(caught.value)
    assert "not numbers" in str(caught.value)
    assert not output.exists()
    step = next(
        i
        for i, (_, rows) in enumerate(training_batches([(("a",), np.arange(12))], 4, 0, 0))
        if window in rows
    )
    state = tmp_path / "w.safetensors.resume" / "state.pt"
    assert state.exists() == (step > 0)
    if step:
        saved = torch.load(state, weights_only=True)
        assert saved["step"] == step
        assert all(torch.isfinite(t).all() for t in saved["model"].values())


def test_a_loss_that_overflows_names_the_largest_window(tmp_path):
    store = tiny_store(tmp_path, poison={6: 1e30})
    with pytest.raises(TrainingError, match=r"record r1, window 2: .*largest samples"):
        train(Uncoupled, store, tmp_path / "w.safetensors")


class BadGradient(Uncoupled):
    """A finite loss whose gradient is not, in its last step."""

    def loss(self, batch, rng):
        terms = super().loss(batch, rng)
        if len(self.sizes) == 9:
            terms["fit"] = terms["fit"] + (0.0 * self.map.weight).abs().sum().sqrt()
        return terms


@pytest.mark.parametrize("clip_norm", [None, 1.0])
def test_weights_that_are_not_finite_are_never_written(clip_norm, store, tmp_path):
    output = tmp_path / "w.safetensors"
    with pytest.raises(TrainingError, match="not finite"):
        train(BadGradient, store, output, clip_norm=clip_norm, save_every_s=0.0)
    assert not output.exists()
    state = torch.load(tmp_path / "w.safetensors.resume" / "state.pt", weights_only=True)
    assert state["step"] == 8
    assert torch.isfinite(state["model"]["map.weight"]).all()


def test_running_out_of_memory_says_what_to_set_and_keeps_the_state(store, tmp_path):
    error = torch.OutOfMemoryError("tried to allocate 9 GiB")
    with pytest.raises(TrainingError, match="micro_batch") as caught:
        train(lambda: Stumbling(5, error), store, tmp_path / "w.safetensors", save_every_s=0.0)
    assert "9 GiB" in str(caught.value)
    state = torch.load(tmp_path / "w.safetensors.resume" / "state.pt", weights_only=True)
    assert state["step"] == 4


def test_too_few_windows_are_refused(tmp_path):
    with pytest.raises(TrainingError, match="too few windows"):
        train(Toy, tiny_store(tmp_path, windows=1, shards=1), tmp_path / "w.safetensors")
