"""Defects of published code, each kept out by a check that a planted copy of it fails."""

import pytest
import torch
from checks import (
    check_a_step_leaves_the_encoders_frozen,
    check_encoders_are_as_given,
    check_every_term_trains_what_it_should,
    check_names_decide,
    check_restorer_of_each_name,
    check_restorers_read_their_own_places,
)
from planted import (
    DetachesDecoders,
    DetachesEncoders,
    EncodesByPosition,
    ReinitialisesEncoders,
    RestoresByPosition,
    SlicesRestorationInput,
    TrainsFrozenEncoders,
)
from tiny import ENCODER, FUSION, NAMES, RATE_HZ, SAMPLES, physiome, waves

from physiome.config.model import EncoderSpec
from physiome.config.systems.physiome import PhysioMESpec
from physiome.methods.neuronet import DPNeuroNet
from physiome.methods.physiome import PhysioME
from physiome.training.checkpoint import load_weights, read_weights, save_weights

DEFECTS = [
    (check_every_term_trains_what_it_should, DetachesEncoders),
    (check_every_term_trains_what_it_should, DetachesDecoders),
    (check_restorer_of_each_name, RestoresByPosition),
    (check_names_decide, EncodesByPosition),
    (check_restorers_read_their_own_places, SlicesRestorationInput),
    (check_a_step_leaves_the_encoders_frozen, TrainsFrozenEncoders),
]


@pytest.mark.slow
@pytest.mark.parametrize(("check", "defective"), DEFECTS, ids=lambda part: part.__name__)
def test_the_check_passes_and_catches_the_planted_defect(check, defective):
    check(physiome())
    with pytest.raises(AssertionError):
        check(physiome(defective))


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    """Files of pretrained encoders, one per modality."""
    folder = tmp_path_factory.mktemp("encoders")
    for i, name in enumerate(NAMES):
        torch.manual_seed(i)
        method = DPNeuroNet(EncoderSpec(**ENCODER), name, SAMPLES, RATE_HZ)
        with torch.no_grad():
            for tensor in method.state_dict().values():
                tensor.add_(0.125) if tensor.is_floating_point() else tensor.add_(3)
        save_weights(folder / f"{name}.safetensors", method, {"name": name})
    return folder


def build_on(pretrained, cls):
    """A PhysioME on encoders loaded from the files, and the files' own tensors."""
    encoders, given = {}, {}
    for name in NAMES:
        method = DPNeuroNet(EncoderSpec(**ENCODER), name, SAMPLES, RATE_HZ)
        load_weights(method, pretrained / f"{name}.safetensors")
        encoders[name] = method.encoder
        tensors, _ = read_weights(pretrained / f"{name}.safetensors")
        given |= {
            f"{name}.{key.removeprefix('encoder.')}": tensor
            for key, tensor in tensors.items()
            if key.startswith("encoder.")
        }
    return cls(PhysioMESpec(**FUSION), encoders), given


def test_a_fresh_model_holds_the_checkpoints_encoders_bit_for_bit(pretrained):
    method, given = build_on(pretrained, PhysioME)
    check_encoders_are_as_given(given, method)
    defective, given = build_on(pretrained, ReinitialisesEncoders)
    with pytest.raises(AssertionError, match="changed by construction"):
        check_encoders_are_as_given(given, defective)


def test_a_fresh_models_tokens_are_those_of_the_pretrained_encoders(pretrained):
    method, _ = build_on(pretrained, PhysioME)
    signals = waves(2)
    encoded = method.eval().encode(signals)
    for name in NAMES:
        alone = DPNeuroNet(EncoderSpec(**ENCODER), name, SAMPLES, RATE_HZ).eval()
        load_weights(alone, pretrained / f"{name}.safetensors")
        torch.testing.assert_close(encoded[name], alone.encoder(signals[name]))


def test_a_fresh_models_encoders_are_frozen_before_anyone_calls_train(pretrained):
    method, _ = build_on(pretrained, PhysioME)
    assert not any(encoder.training for encoder in method.encoders.values())


def test_the_two_kinds_of_projection_share_no_weights():
    method = physiome()
    heads = [method.project_fused, *method.project.values()]
    parameters = [id(p) for head in heads for p in head.parameters()]
    assert len(parameters) == len(set(parameters))
