"""The contract of a modality with several leads, for every method and encoder.

A lead that is not there is NaN in what a method is given, so that one that reads it all the same
cannot end in a number.
"""

import contract
import pytest
import torch
from small import job_of
from tiny import SAMPLES, draws, waves

from physiome.methods.base import Method, Progress
from physiome.methods.build import build_encoder, build_method, fresh_parents
from physiome.methods.crossl import CroSSL
from physiome.nn.leads import there
from physiome.registry import ENCODERS, METHODS

pytestmark = pytest.mark.slow

LEADS = 3
CASES = [*METHODS, *ENCODERS]
TRAINED = [name for name in CASES if name in ENCODERS or METHODS[name].trains]
every = pytest.mark.parametrize("name", CASES)
trained = pytest.mark.parametrize("name", TRAINED)


def build(name: str, cls: type[Method] | None = None, **encoder: str) -> Method:
    """With three leads of modality a; `encoder` are settings of the modality encoders."""
    torch.manual_seed(0)
    settings = job_of(name).model_copy(update={"leads": {"a": LEADS}})
    settings = settings.model_copy(update={"encoder": {**(settings.encoder or {}), **encoder}})
    if name in ENCODERS:
        return build_encoder(settings, "a")
    method = build_method(settings, fresh_parents(settings))
    if cls is not None:
        method.__class__ = cls
    return method


def some(method: Method, batch: int = 6, seed: int = 0) -> dict[str, torch.Tensor]:
    """Windows of which every one has at least one of three leads of a, and four have not all."""
    signals = waves(batch, method.modalities, seed)
    a = signals["a"][:, None] * torch.tensor([1.0, 0.5, 2.0])[:, None]
    a = a + 0.1 * torch.randn(a.shape, generator=draws(seed + 1))
    a[1::3, 1] = torch.nan
    a[2::3, :2] = torch.nan
    return signals | {"a": a}


def ready(name: str, cls: type[Method] | None = None, **encoder: str) -> Method:
    method = build(name, cls, **encoder)
    method.set_scaling({m: (0.1, 0.7) for m in method.modalities})
    if method.calibrated:
        method.calibrate(some(method, 12, seed=3))
    return method.eval()


def subsets(method: Method) -> list[tuple[str, ...]]:
    return [s for s in contract.taken(method) if "a" in s]


def total_of(name: str, method: Method, step: int = 0) -> torch.Tensor:
    """What a step on six windows minimises."""
    signals, rng = some(method, 6, step), draws(step)
    if name in METHODS and METHODS[name].labels:
        return method.total(method.labelled_loss(signals, torch.arange(6) % 2, rng))
    return torch.stack([found for found, _ in method.objectives(signals, rng)]).sum()


@trained
def test_a_step_is_finite_and_a_gradient_reaches_everything_in_time(name):
    method = ready(name).train()
    parameters = contract.trainable(method)
    optimizer = torch.optim.AdamW(parameters.values(), lr=1e-3)
    waiting = set(parameters)
    for step in range(24):
        method.progress = Progress(1, 2, step % 12, 12)
        torch.manual_seed(step)
        optimizer.zero_grad()
        total = total_of(name, method, step)
        assert torch.isfinite(total)
        total.backward()
        grads = {n: p.grad for n, p in parameters.items() if p.grad is not None}
        assert all(torch.isfinite(g).all() for g in grads.values())
        waiting -= {n for n, g in grads.items() if g.any()}
        optimizer.step()
        method.after_step()
        if not waiting:
            break
    assert not waiting, f"no gradient: {sorted(waiting)[:5]}"


BY_ATTENTION = [("dp_neuronet", {"leads": "attention"}), ("physiome", {"leads": "attention"})]


@pytest.mark.parametrize(("name", "encoder"), [*((name, {}) for name in TRAINED), *BY_ATTENTION])
def test_a_step_in_bf16_is_finite(name, encoder):
    method = ready(name, **encoder).train()
    torch.manual_seed(0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        total = total_of(name, method)
    total.backward()
    assert torch.isfinite(total)
    assert all(p.grad is None or p.grad.isfinite().all() for p in method.parameters())


@every
def test_windows_that_lost_leads_embed_as_they_do_alone(name):
    """Two of three leads lost, or none: neither the batch nor the absent leads have a say."""
    method = ready(name)
    for subset in subsets(method):
        signals = {m: some(method)[m] for m in subset}
        found = method.embed(signals)
        assert torch.isfinite(found).all()
        for row in range(3):
            alone = method.embed({m: x[row : row + 1] for m, x in signals.items()})
            torch.testing.assert_close(found[row : row + 1], alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", sorted(set(CASES) - {"majority"}))
def test_a_lead_that_is_there_has_a_say(name):
    method = ready(name)
    signals = {m: x[:1] for m, x in some(method).items()}
    fewer = signals | {"a": signals["a"].clone()}
    fewer["a"][:, 2] = torch.nan
    assert there(signals["a"]).all()
    assert not torch.equal(method.embed(signals), method.embed(fewer))


def permuted(method: Method, order: torch.Tensor) -> Method:
    """The same method for leads in another order: what it has learned of their names moves too."""
    state = {
        key: value[order] if key.endswith("lead_pool.names") else value
        for key, value in method.state_dict().items()
    }
    method.load_state_dict(state)
    return method


# CBraMod's positional convolution, as published, spans neighbouring leads of the configured order
@pytest.mark.parametrize("name", sorted(set(CASES) - {"cbramod", "cbramod_tuned"}))
def test_the_order_of_the_leads_does_not_matter_beside_their_names(name):
    method, order = ready(name), torch.tensor([2, 0, 1])
    signals = some(method)
    expected = method.embed(signals)
    turned = signals | {"a": signals["a"][:, order]}
    torch.testing.assert_close(
        permuted(method, order).embed(turned), expected, rtol=1e-3, atol=1e-3
    )


# Faults that the contract must find


class ReadsZeros(CroSSL):
    """Takes zeros for what is not there."""

    def encode(self, observed):
        filled = {m: x.nan_to_num() for m, x in observed.items()}
        return super().encode(filled)


class GoesByPlace(CroSSL):
    """Sees the first lead only."""

    def encode(self, observed):
        first = {m: x[:, 0] if x.ndim == 3 else x for m, x in observed.items()}
        return super().encode(first)


def test_zeros_in_the_place_of_lost_leads_are_found():
    """Three zeros beside a lead must be as good as none: here they are not."""
    sound, faulty = ready("crossl"), ready("crossl", ReadsZeros)
    one = {"a": torch.full((1, LEADS, SAMPLES), torch.nan)}
    one["a"][:, 0] = waves(1)["a"]
    single = build_method(job_of("crossl")).eval()
    single.load_state_dict(sound.state_dict())
    expected = single.embed({"a": waves(1)["a"]})
    torch.testing.assert_close(sound.embed(one), expected)
    assert not torch.allclose(faulty.embed(one), expected, atol=1e-3)


def test_a_method_that_goes_by_place_is_found():
    signals = some(ready("crossl"))
    assert not torch.isfinite(ready("crossl", GoesByPlace).embed(signals)).all()


def test_a_batch_is_thinned_where_a_modality_has_more_leads_and_nowhere_else():
    """Without a limit nothing is drawn: trainings of single channels stay what they were."""
    method, rng = ready("crossl"), draws()
    signals = some(method)
    thin = method.thinned(signals, 2, rng)
    assert there(signals["a"]).sum(dim=1).tolist() == [3, 2, 1, 3, 2, 1]
    assert there(thin["a"]).sum(dim=1).tolist() == [2, 2, 1, 2, 2, 1]
    assert thin["b"] is signals["b"]
    for batch, most in ((signals, None), ({"b": signals["b"]}, 2)):
        untouched = draws()
        found = method.thinned(batch, most, untouched)
        assert all(found[m] is batch[m] for m in batch)
        assert torch.equal(untouched.get_state(), draws().get_state())
