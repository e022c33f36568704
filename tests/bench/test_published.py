"""The published arrangement computes what ours computes, or its speed would say nothing."""

import pytest
import torch
from bench.published import Published, nt_xent_of_pairs
from bench.published_frames import frame_features, same_modules

from physiome.config.model import EncoderSpec
from physiome.methods.neuronet import DPNeuroNet
from physiome.nn.losses import nt_xent

SPEC = EncoderSpec(
    frame_s=3.0,
    step_s=2.0,
    channels=(4, 4, 6, 6),
    width=16,
    depth=1,
    heads=2,
    decoder_width=8,
    decoder_depth=1,
    decoder_heads=2,
    projection=(12, 8),
    mask_ratio=0.6,
)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return DPNeuroNet(SPEC, "eeg", 1500, 100.0).eval()


def gradients(model, loss):
    model.zero_grad()
    model.total(loss({"eeg": torch.randn(4, 1500, generator=seeded())}, seeded())).backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def seeded():
    return torch.Generator().manual_seed(3)


@pytest.mark.slow
def test_terms_are_equal(model):
    batch = {"eeg": torch.randn(4, 1500)}
    ours = model.loss(batch, seeded())
    for name, term in Published(model).loss(batch, seeded()).items():
        torch.testing.assert_close(term, ours[name], rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_gradients_are_equal(model):
    ours, slow = gradients(model, model.loss), gradients(model, Published(model).loss)
    assert ours.keys() == slow.keys()
    for name, gradient in ours.items():
        torch.testing.assert_close(slow[name], gradient, rtol=1e-3, atol=1e-5, msg=name)


@pytest.mark.parametrize("frames", [frame_features, same_modules])
def test_frame_features_are_equal(model, frames):
    network, x = model.encoder.frame_network, torch.randn(2, 1500)
    torch.testing.assert_close(frames(network, x), network(x), rtol=1e-5, atol=1e-5)


def test_contrast_of_pairs_is_the_contrast():
    a, b = torch.randn(5, 8), torch.randn(5, 8)
    torch.testing.assert_close(nt_xent_of_pairs(a, b, 0.1), nt_xent(a, b, 0.1))
