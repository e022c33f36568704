"""Image backbones as encoders: sizes, tokens, LoRA, and what the contrast trains."""

import pytest
import torch
from checks import reached
from peft import LoraConfig, inject_adapter_in_model
from small import encoder_of
from tiny import FUSION, RATE_HZ, SAMPLES, draws, waves

from physiome.config.encoder import encoder_spec
from physiome.config.systems.physiome import PhysioMESpec
from physiome.errors import ConfigError
from physiome.methods.backbones import BackboneEncoder, EfficientNetB0, ResNet18, SwinT, ViTS16
from physiome.methods.physiome import PhysioME
from physiome.nn.augment import two_views
from physiome.nn.losses import nt_xent
from physiome.registry import ENCODERS

ALL = [ResNet18, EfficientNetB0, ViTS16, SwinT]
NAMED = {ENCODERS[name].load(): name for name in ENCODERS}
every = pytest.mark.parametrize("cls", ALL)


def build(cls: type[BackboneEncoder], **changes) -> BackboneEncoder:
    torch.manual_seed(0)
    spec = encoder_spec({**encoder_of(NAMED[cls]), **changes})
    method = cls(spec, "a", SAMPLES, RATE_HZ)
    method.calibrate(waves(16, "a"))
    return method.train()


@pytest.mark.parametrize(
    ("cls", "millions", "n"),
    [(ResNet18, 11.17, 12), (EfficientNetB0, 4.01, 12), (ViTS16, 21.41, 48), (SwinT, 27.50, 12)],
)
def test_at_real_size_they_are_the_models_they_are_named_after(cls, millions, n):
    with torch.device("meta"):
        encoder = cls(encoder_spec({"name": NAMED[cls]}), "a", 3000, 100.0).encoder
        tokens = encoder.leave(encoder.tokens(torch.empty(2, 1, 96, 128)))
    assert sum(p.numel() for p in encoder.body.parameters()) / 1e6 == pytest.approx(millions, 1e-3)
    assert (encoder.n, encoder.width) == (n, 512)
    assert tokens.shape == (2, n + 1, 512)


@every
def test_tokens_have_the_stated_number_and_width(cls):
    method = build(cls).eval()
    tokens = method.encode(waves(3, "a"))["a"]
    assert tokens.shape == (3, method.encoder.n + 1, method.encoder.width)
    mean = tokens[:, 1:].mean(dim=1)
    assert torch.allclose(tokens[:, 0], mean, atol=1e-5) == (cls is not ViTS16)
    torch.testing.assert_close(method.embed(waves(3, "a")), tokens[:, 0].detach())


@every
def test_the_contrast_trains_every_parameter(cls):
    method = build(cls)
    found = reached(method, method.loss(waves(8, "a"), draws())["across"])
    assert found == {name for name, _ in method.named_parameters()}


@every
def test_the_term_is_the_contrast_between_both_augmented_views(cls):
    method, x = build(cls), waves(4, "a")["a"]
    augment = method.spec.augment
    views = two_views(x, draws(3), augment.probability, augment.crop, augment.segments)
    torch.manual_seed(0)  # dropout of the backbones
    first, second = (method.projection(method.encoder(view)[:, 0]) for view in views)
    torch.manual_seed(0)
    terms = method.loss({"a": x}, draws(3))
    assert set(method.weights) == {"across"}
    assert set(terms) == {"across", "across_accuracy"}
    torch.testing.assert_close(terms["across"], nt_xent(first, second, method.spec.temperature))


@every
def test_lora_adapts_the_last_layers_and_all_its_factors_learn(cls):
    encoder = build(cls).encoder.requires_grad_(False).eval()
    x = waves(3, "a")["a"]
    before = encoder(x)
    config = LoraConfig(
        r=2, target_modules=encoder.lora_targets, init_lora_weights="gaussian", use_rslora=True
    )
    adapted = inject_adapter_in_model(config, encoder)
    assert torch.equal(adapted(x), before)  # it starts at zero
    factors = {n: p for n, p in adapted.named_parameters() if p.requires_grad}
    assert factors
    assert all("lora_" in name for name in factors)
    with torch.no_grad():
        for name, p in factors.items():
            if "lora_B" in name:
                p.normal_(std=0.1)
    adapted(x).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in factors.values())


@pytest.mark.parametrize(
    ("cls", "layers"), [(ResNet18, 5), (EfficientNetB0, 3), (ViTS16, 12), (SwinT, 12)]
)
def test_lora_finds_its_layers_at_real_size(cls, layers):
    with torch.device("meta"):
        encoder = cls(encoder_spec({"name": NAMED[cls]}), "a", 3000, 100.0).encoder
        config = LoraConfig(r=4, target_modules=encoder.lora_targets)
        adapted = inject_adapter_in_model(config, encoder)
    found = {n.rsplit(".lora_A", 1)[0] for n, _ in adapted.named_parameters() if ".lora_A" in n}
    assert len(found) == layers
    if cls is ResNet18:
        assert all(".stages.3." in name for name in found)
    if cls is EfficientNetB0:
        assert all(".blocks.15." in name or name.endswith("top_conv") for name in found)


@every
def test_only_the_scale_is_taken_from_the_scaling_and_calibration_sets_the_statistics(cls):
    method = build(cls)
    method.set_scaling({"a": (5.0, 0.5)})
    assert float(method.encoder.image.scale) == 0.5
    method.calibrate(waves(16, "a"))
    image = method.encoder.image(waves(16, "a")["a"])
    torch.testing.assert_close(image.mean(dim=(0, 2)), torch.zeros(32), atol=1e-4, rtol=0)
    assert method.calibrated


def test_efficientnet_starts_from_weights_that_tell_windows_apart():
    method = build(EfficientNetB0)
    embeddings = method.encoder(waves(8, "a")["a"])[:, 0].detach()
    # Over eight seeds of weights and signals 0.318, standard deviation 0.019.
    assert float(embeddings.std(dim=0).mean()) > 0.05


@pytest.mark.parametrize(
    ("cls", "changes", "says"),
    [
        (EfficientNetB0, {"image": {"n_fft": 64, "bins": 24, "frames": 32}}, "32 x 32"),
        (SwinT, {"window": 5}, "exceeds the last stage's grid of 4 x 4"),
    ],
)
def test_images_that_do_not_suit_a_backbone_are_refused(cls, changes, says):
    with pytest.raises(ConfigError, match=says):
        build(cls, **changes)


def test_a_fusion_of_one_token_each_is_refused_as_none_could_be_masked():
    encoders = {"a": build(EfficientNetB0).encoder}
    assert encoders["a"].n == 1
    with pytest.raises(ConfigError, match="one token of a window, of which none can be masked"):
        PhysioME(PhysioMESpec(**FUSION), encoders)
