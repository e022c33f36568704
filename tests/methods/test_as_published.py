"""The row "as published": two faults of the public code, switched on and only then there."""

import torch
from checks import drop, reached
from tiny import FUSION, NAMES, draws, neuronet, physiome, waves
from torch import nn

from physiome.config.systems.physiome import PhysioMESpec
from physiome.methods.physiome import PhysioME


def test_gradients_cut_as_published_leave_training_to_the_contrast():
    method = physiome(defects=("detach",))
    terms = method.loss(waves(), draws(3))
    assert not terms["intra"].requires_grad
    assert not terms["missing"].requires_grad
    found = {name.split(".")[0] for name in reached(method, terms["contrast"])}
    assert found <= {"modality_tokens", "fusion", "project_fused", "project"}
    assert {"modality_tokens", "fusion", "project_fused", "project"} <= found


def test_initialised_anew_as_published_the_encoders_forget_what_they_learned():
    given = neuronet(modality="a").encoder.state_dict()
    for defects in ((), ("reinitialise",)):
        built = physiome(defects=defects).encoders["a"].state_dict()
        linear = "transformer.blocks.0.mlp.0.weight"
        convolution = "frame_network.stem.0.weight"
        assert torch.equal(built[linear], given[linear]) == (not defects)
        assert torch.equal(built[convolution], given[convolution])  # convolutions survived


def test_initialised_anew_as_published_norms_start_as_fresh_ones():
    built = {}
    for defects in ((), ("reinitialise",)):
        given = {m: neuronet(modality=m).encoder for m in NAMES}
        for encoder in given.values():
            for part in encoder.modules():
                if isinstance(part, nn.LayerNorm | nn.BatchNorm2d):  # what pretraining made of them
                    nn.init.constant_(part.weight, 0.7)
                    nn.init.constant_(part.bias, 0.7)
        spec = PhysioMESpec(**{**FUSION, "defects": defects})
        built[defects] = PhysioME(spec, given).encoders["a"].state_dict()
    kept, anew = built.values()
    for norm in ("transformer.blocks.0.norm1", "transformer.norm"):
        assert kept[f"{norm}.weight"].eq(0.7).all()
        assert anew[f"{norm}.weight"].eq(1).all()
        assert anew[f"{norm}.bias"].eq(0).all()
    assert anew["frame_network.stem.1.weight"].eq(0.7).all()  # batch-norms survived


def test_published_faults_change_no_value_of_the_loss_but_its_gradient():
    """With equal weights and draws, nothing dropped: detaching is about gradients alone."""
    sound, faulty = physiome(), physiome(defects=("detach",))
    faulty.load_state_dict(sound.state_dict())
    for method in (sound, faulty):
        drop(method, ())
        method.eval()
    one, other = (method.loss(waves(), draws(1)) for method in (sound, faulty))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert sound.modalities == NAMES


def test_the_published_pass_that_learns_drops_nothing_and_trains_every_modality_token():
    method = physiome(defects=("detach",))
    for seed in range(5):
        found = reached(method, method.total(method.loss(waves(), draws(seed))))
        assert {f"modality_tokens.{m}" for m in NAMES} <= found
        assert "mask_token" not in found


def test_the_published_restorers_stay_as_they_were_made_mean_token_included():
    for defects, moves in (((), True), (("detach",), False)):
        method = physiome(defects=defects)
        method.loss(waves(), draws())
        method.after_step()
        assert bool(method.restorers["b"].mean.any()) == moves
