"""SynthSleepNet: seven models on shared frozen encoders, each with LoRA factors of its own."""

import pytest
import torch
from checks import calls_of, reached
from tiny import FUSION, NAMES, draws, neuronet, waves

from physiome.config.systems.synthsleepnet import SynthSleepNetSpec
from physiome.errors import PhysioError
from physiome.methods.neuronet import NeuroNet
from physiome.methods.synthsleepnet import DedicatedSynthSleepNet
from physiome.nn.lora import adapter_parameters
from physiome.subsets import all_subsets, subset_name

SPEC = SynthSleepNetSpec(**{k: v for k, v in FUSION.items() if not k.startswith("restore")})
SUBSETS = [subset_name(s) for s in all_subsets(NAMES)]


def synthsleepnet(seed=0):
    encoders = {m: neuronet(NeuroNet, m, seed + i).encoder for i, m in enumerate(NAMES)}
    torch.manual_seed(seed)
    return DedicatedSynthSleepNet(SPEC, encoders)


def own(names, subset):
    """Parameters, by name, of one subset's model or of its adapters."""
    return {n for n in names if f"models.{subset}." in n or n.endswith(f".{subset}.weight")}


@pytest.mark.parametrize("subset", SUBSETS)
@pytest.mark.parametrize("term", ["intra", "contrast"])
def test_a_term_of_one_subset_trains_its_model_and_its_adapters_and_nothing_else(subset, term):
    method = synthsleepnet()
    found = reached(method, method.loss(waves(), draws())[f"{subset}/{term}"])
    assert found
    assert found == own(found, subset)
    for m in subset.split("+"):
        assert any(f"encoders.{m}." in n and "lora_B" in n for n in found)
        assert any(f"decoders.{m}." in n for n in found) == (term == "intra")
        assert any(f"project.{m}." in n for n in found) == (term == "contrast")


def test_switching_adapters_leaves_all_of_them_trainable():
    method = synthsleepnet()
    before = {n for n, p in method.named_parameters() if p.requires_grad}
    method.loss(waves(), draws())
    method.embed(waves(2))
    assert {n for n, p in method.named_parameters() if p.requires_grad} == before
    for m in NAMES:
        for subset in SUBSETS:
            count = len(adapter_parameters(method.encoders[m], subset))
            assert count == (2 if m in subset.split("+") else 0)  # two factors in one block


def test_encoders_are_as_given_and_stay_so():
    given = {m: neuronet(NeuroNet, m, i).encoder.state_dict() for i, m in enumerate(NAMES)}
    method = synthsleepnet().train()
    optimizer = torch.optim.AdamW([p for p in method.parameters() if p.requires_grad], lr=1e-2)
    method.total(method.loss(waves(), draws())).backward()
    optimizer.step()
    for m in NAMES:
        now = method.encoders[m].state_dict()
        kept = {n.replace("base_layer.", ""): t for n, t in now.items() if "lora_" not in n}
        assert set(kept) == set(given[m])
        assert all(torch.equal(kept[name], tensor) for name, tensor in given[m].items())


def test_frame_networks_run_once_for_all_seven_models():
    method = synthsleepnet()
    for m in NAMES:
        assert (
            len(calls_of(method.encoders[m].frame_network, lambda: method.loss(waves(), draws())))
            == 1
        )


def test_one_models_weights_do_not_touch_anothers_embedding():
    method = synthsleepnet()
    before = {s: method.embed(waves(2, s.split("+"))) for s in SUBSETS}
    with torch.no_grad():
        for name, p in method.named_parameters():
            if name in own([name], "a+b"):
                p.add_(torch.randn(p.shape, generator=draws()) * 0.1)
    for s in SUBSETS:
        same = torch.equal(method.embed(waves(2, s.split("+"))), before[s])
        assert same == (s != "a+b")


def test_a_batch_trains_the_models_whose_modalities_it_really_has():
    method = synthsleepnet()
    terms = method.loss(waves(4, ["a", "c"]), draws())
    assert {name.split("/")[0] for name in terms} == {"a", "c", "a+c"}


def test_each_clipped_group_is_one_model_with_its_adapters():
    method = synthsleepnet()
    names = {id(p): n for n, p in method.named_parameters()}
    for subset, group in zip(SUBSETS, method.clip_groups(), strict=True):
        found = {names[id(p)] for p in group}
        assert found == own(names.values(), subset)


def test_chosen_subsets_get_a_model_and_others_are_refused():
    encoders = {m: neuronet(NeuroNet, m, i).encoder for i, m in enumerate(NAMES)}
    method = DedicatedSynthSleepNet(SPEC, encoders, [NAMES, ("b",)])
    assert set(method.models) == {"a+b+c", "b"}
    assert method.refuses(("a",)) == "no model of it was trained (2 subsets have one)"
    assert not method.refuses(("b",))
    with pytest.raises(PhysioError, match="cannot embed a - no model of it"):
        method.embed(waves(2, ["a"]))
    assert {term.split("/")[0] for term in method.loss(waves(), draws())} == {"a+b+c", "b"}
