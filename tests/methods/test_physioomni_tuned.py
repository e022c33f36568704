"""PhysioOmni's supervised stage: terms, missing modalities, fine-tuned encoders."""

import pytest
import torch
from checks import reached
from descent import check_a_step_downhill_lowers, fixed
from test_physioomni import SMALL
from tiny import NAMES, draws, inputs, waves

from physiome.config.systems.physioomni import PhysioOmniSpec
from physiome.errors import PhysioError
from physiome.methods.physioomni import PhysioOmni, Tokenizer
from physiome.methods.physioomni_tuned import Assignment, TunedPhysioOmni
from physiome.subsets import all_subsets

CLASSES = ("x", "y", "z")
LABELS = torch.tensor([0, 1, 2, 2, 1, 0])


def tuned(seed=0, classes=CLASSES, **changes) -> TunedPhysioOmni:
    torch.manual_seed(seed)
    spec, fed = PhysioOmniSpec.parse({**SMALL, **changes}), inputs(classes=classes)
    pretrained = PhysioOmni.build(spec, fed, [Tokenizer(spec, fed)])
    return TunedPhysioOmni.build(spec, fed, [pretrained]).train()


@pytest.mark.parametrize("term", ["align", "fused", "single"])
def test_every_term_trains_the_encoders_too(term):
    method = tuned()
    found = reached(method, method.labelled_loss(waves(), LABELS, draws())[term])
    without = {"align": "classify.", "fused": "prototypes", "single": "prototypes"}[term]
    assert found == {n for n, _ in method.named_parameters() if not n.startswith(without)}


def test_terms_are_those_of_the_published_code():
    method, signals = tuned().eval().requires_grad_(False), waves()
    terms = method.labelled_loss(signals, LABELS, draws())
    features = {m: method.embed({m: signals[m]}) for m in NAMES}
    mean = torch.stack(list(features.values())).mean(dim=0)

    def smoothed(x):
        found = 0.0
        for row, label in zip(method.classify(x).log_softmax(dim=1), LABELS, strict=True):
            found -= float(0.9 * row[label] + 0.1 * row.mean()) / len(LABELS)
        return found

    align = sum((f - method.prototypes[LABELS]).square().mean() for f in features.values())
    assert float(terms["align"]) == pytest.approx(float(align), rel=1e-5)
    assert float(terms["fused"]) == pytest.approx(smoothed(mean), rel=1e-5)
    single = sum(smoothed(f) for f in features.values())
    assert float(terms["single"]) == pytest.approx(single, rel=1e-5)
    assert method.weights == {"align": 1.0, "fused": 0.5, "single": 0.5}


def test_every_token_is_shared_out_over_positions():
    method = tuned(spectral=[])
    assign = method.assign["a"].eval()
    assert isinstance(assign, Assignment)
    tokens = torch.randn(2, 9, 32)
    with torch.no_grad():
        assign.leave.bias.zero_()
        placed = assign(tokens)
        assert placed.shape == (2, 8, 16)
        # All positions of a window together hold every token once.
        torch.testing.assert_close(placed.sum(dim=1), assign.leave(tokens).sum(dim=1))


def test_an_absent_modality_is_left_out_of_loss_and_embedding():
    method, signals = tuned(aligned_dropout=0.0), waves()
    terms = method.labelled_loss({m: signals[m] for m in "ac"}, LABELS, draws())
    assert not any(".b." in name for name in reached(method, method.total(terms)))
    single = [
        method.labelled_loss({m: signals[m]}, LABELS, draws())["single"].detach() for m in "ac"
    ]
    torch.testing.assert_close(terms["single"].detach(), single[0] + single[1])
    alone = {m: method.embed({m: signals[m]}) for m in NAMES}
    for subset in all_subsets(NAMES):
        found = method.embed({m: signals[m] for m in reversed(subset)})
        torch.testing.assert_close(found, torch.stack([alone[m] for m in subset]).mean(dim=0))


def test_a_step_moves_the_encoders_and_nothing_of_earlier_stages_is_kept():
    method = tuned()
    before = {n: p.detach().clone() for n, p in method.named_parameters()}
    assert not any("tokenizer" in n or "mask_token" in n for n in method.state_dict())
    optimizer = torch.optim.AdamW(method.parameters(), lr=1e-3)
    method.total(method.labelled_loss(waves(), LABELS, draws())).backward()
    optimizer.step()
    assert all(not torch.equal(p, before[n]) for n, p in method.named_parameters())


@pytest.mark.parametrize("term", ["align", "fused", "single"])
def test_each_term_falls_along_its_gradient(term):
    method = tuned()
    loss = fixed(method, lambda: method.labelled_loss(waves(), LABELS, draws())[term])
    check_a_step_downhill_lowers(method.parameters(), loss)


def test_the_scaling_of_the_pretrained_encoders_stays():
    method = tuned()
    before = {n: t.clone() for n, t in method.state_dict().items() if "scaling" in n}
    method.set_scaling({m: (1.0, 2.0) for m in NAMES})
    assert len(before) == 6
    assert all(torch.equal(t, method.state_dict()[n]) for n, t in before.items())


def test_it_needs_labels_classes_and_the_stage_before():
    with pytest.raises(PhysioError, match="nothing to train"):
        tuned().loss(waves(), draws())
    with pytest.raises(PhysioError, match="at least two"):
        tuned(classes=())
    with pytest.raises(PhysioError, match="begins with physioomni"):
        TunedPhysioOmni.build(PhysioOmniSpec.parse(SMALL), inputs(classes=CLASSES), [])
