"""What the loop, the probe and the tables rely on, for every registered method and encoder."""

import pytest
import torch
from tiny import ENCODER, FUSION, NAMES, WINDOW, draws, waves

from physiome.errors import PhysioError
from physiome.methods.base import Method
from physiome.methods.build import build_encoder, build_method
from physiome.registry import ENCODERS, METHODS
from physiome.subsets import all_subsets
from physiome.training.checkpoint import load_weights, save_weights

# The `method` section of each method's settings, small. A new method needs a line here.
SECTIONS = {"physiome": FUSION, "handmade": {}, "majority": {}}
CASES = [*METHODS, *ENCODERS]
TRAINED = [name for name in CASES if name in ENCODERS or METHODS[name].trains]


def build(name: str, seed: int = 0) -> Method:
    """The method or encoder called `name` from plain settings, as a step builds it."""
    torch.manual_seed(seed)
    settings = {"modalities": list(NAMES), "window": WINDOW}
    settings["encoder"] = {**ENCODER, "name": name if name in ENCODERS else "neuronet"}
    if name in ENCODERS:
        return build_encoder(settings, "a")
    settings["method"] = SECTIONS[name]
    encoders = [build_encoder(settings, m) for m in NAMES] if METHODS[name].on_encoders else []
    return build_method(name, settings, encoders)


def some(method: Method, batch: int, seed: int = 0):
    return waves(batch, method.modalities, seed)


every = pytest.mark.parametrize("name", CASES)
trained = pytest.mark.parametrize("name", TRAINED)


def test_every_registered_name_has_a_case():
    assert set(SECTIONS) == set(METHODS)
    assert not set(METHODS) & set(ENCODERS)


@every
def test_it_knows_its_modalities_and_is_of_its_registered_class(name):
    entry = {**METHODS, **ENCODERS}[name]
    method = build(name)
    assert type(method) is entry.load()
    assert method.modalities == (("a",) if name in ENCODERS else NAMES)
    assert bool(list(method.parameters())) == (name in TRAINED)


@trained
def test_losses_are_finite_scalars_and_weights_name_some_of_them(name):
    method = build(name)
    for seed in range(5):
        terms = method.loss(some(method, 4), draws(seed))
        assert set(method.weights) <= set(terms)
        assert all(t.shape == () and torch.isfinite(t) for t in terms.values())
        assert torch.isfinite(method.total(terms))


@pytest.mark.parametrize("name", sorted(set(CASES) - set(TRAINED)))
def test_a_method_without_training_says_so(name):
    method = build(name)
    with pytest.raises(PhysioError, match="nothing to train"):
        method.loss(some(method, 4), draws())


@trained
def test_a_gradient_reaches_every_trainable_parameter(name):
    method = build(name).train()
    parameters = {n: p for n, p in method.named_parameters() if p.requires_grad}
    optimizer = torch.optim.AdamW(parameters.values(), lr=1e-3)
    waiting = set(parameters)
    for seed in range(12):  # enough for every modality to be dropped and kept
        optimizer.zero_grad()
        method.total(method.loss(some(method, 4, seed), draws(seed))).backward()
        grads = {n: p.grad for n, p in parameters.items() if p.grad is not None}
        assert all(torch.isfinite(g).all() for g in grads.values())
        waiting -= {n for n, g in grads.items() if g.any()}
        optimizer.step()
        if not waiting:
            break
    assert not waiting


@trained
def test_the_loss_falls_on_signals_with_structure(name):
    method = build(name).train()
    optimizer = torch.optim.AdamW([p for p in method.parameters() if p.requires_grad], lr=3e-3)
    losses = []
    for step in range(30):
        optimizer.zero_grad()
        total = method.total(method.loss(some(method, 8), draws(step)))
        total.backward()
        optimizer.step()
        losses.append(float(total.detach()))
    assert sum(losses[-6:]) < 0.9 * sum(losses[:6]), losses


@trained
def test_one_seed_gives_one_training(name):
    found = []
    for _ in range(2):
        method = build(name, seed=4).train()
        torch.manual_seed(7)  # LoRA's dropout
        method.total(method.loss(some(method, 4), draws(5))).backward()
        found.append([p.grad for p in method.parameters() if p.grad is not None])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))
    method = build(name, seed=4).train()
    torch.manual_seed(7)
    method.total(method.loss(some(method, 4), draws(6))).backward()
    grads = [p.grad for p in method.parameters() if p.grad is not None]
    assert len(grads) != len(found[0]) or not all(map(torch.equal, grads, found[0]))


@every
def test_every_subset_embeds_one_window_or_seven(name):
    method = build(name)
    for subset in all_subsets(method.modalities):
        signals = waves(7, subset)
        seven = method.embed(signals)
        one = method.embed({m: x[3:4] for m, x in signals.items()})
        assert seven.ndim == 2
        assert len(seven) == 7
        assert torch.isfinite(seven).all()
        assert not seven.requires_grad
        torch.testing.assert_close(one, seven[3:4], rtol=1e-4, atol=1e-5)


@every
def test_comparable_methods_give_every_subset_the_same_width(name):
    method = build(name)
    widths = {method.embed(waves(2, s)).shape[1] for s in all_subsets(method.modalities)}
    assert (len(widths) == 1) == (method.comparable or len(method.modalities) == 1)


@every
def test_the_order_of_the_dictionary_does_not_matter(name):
    method = build(name)
    for subset in all_subsets(method.modalities):
        signals = waves(2, subset)
        turned = {m: signals[m] for m in reversed(subset)}
        assert torch.equal(method.embed(signals), method.embed(turned))


@every
def test_fusing_a_part_of_what_was_encoded_is_embedding_that_part(name):
    """An absent modality cannot influence: `embed_subsets` relies on it."""
    method = build(name).eval()
    signals = some(method, 3)
    encoded = method.encode(signals)
    for subset in all_subsets(method.modalities):
        with torch.no_grad():
            fused = method.fuse({m: encoded[m] for m in subset})
        assert torch.equal(fused, method.embed({m: signals[m] for m in subset}))


@every
def test_embedding_nothing_or_something_unknown_is_refused(name):
    method = build(name)
    with pytest.raises(PhysioError, match="no modality"):
        method.embed({})
    with pytest.raises(PhysioError, match="unknown modality"):
        method.embed({"z": torch.zeros(1, 900)})


@every
def test_saved_weights_give_the_same_embedding_bit_for_bit(name, tmp_path):
    method, other = build(name, seed=1), build(name, seed=2)
    method.set_scaling({m: (0.1, 0.7) for m in method.modalities})
    signals = some(method, 3)
    if name in TRAINED:  # away from the start, batch-norms too
        method.total(method.loss(some(method, 4), draws())).backward()
        with torch.no_grad():
            for p in method.parameters():
                if p.grad is not None:
                    p.sub_(0.01 * p.grad)
        assert not torch.equal(method.embed(signals), other.embed(signals))
    save_weights(tmp_path / "w.safetensors", method, {"name": name})
    assert load_weights(other, tmp_path / "w.safetensors") == {"name": name}
    assert torch.equal(method.embed(signals), other.embed(signals))
