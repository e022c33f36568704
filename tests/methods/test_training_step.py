"""One training step of the encoders equals a plain one that takes each view, and each pass, alone.

In evaluation mode batch-norms do not tell who shares a batch; only training does. So everything
that a step leaves behind is compared: losses, gradients, running statistics.
"""

from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from small import encoder_of
from tiny import RATE_HZ, SAMPLES, N, draws, waves
from torch import Tensor

from physiome.config.encoder import encoder_spec
from physiome.methods.backbones import EfficientNetB0, ResNet18
from physiome.methods.neuronet import DPNeuroNet, NeuroNet
from physiome.nn.augment import two_views
from physiome.nn.losses import nt_xent
from physiome.nn.masking import n_kept, random_kept
from physiome.registry import ENCODERS

B = 5
Step = Callable[..., dict[str, Tensor]]


def build(cls):
    torch.manual_seed(0)
    name = next(name for name, entry in ENCODERS.items() if entry.cls == cls.__name__)
    method = cls(encoder_spec(encoder_of(name)), "a", SAMPLES, RATE_HZ)
    if cls.calibrated:
        method.calibrate(waves(16, "a"))
    for part in method.modules():  # its draws depend on the size of the batch
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    return method.double().train()


def views_of(method, x: Tensor, rng) -> list[Tensor]:
    if isinstance(method, NeuroNet) and not isinstance(method, DPNeuroNet):
        return [x]
    augment = method.spec.augment
    return list(two_views(x, rng, augment.probability, augment.crop, augment.segments))


def alone(encode: Callable, views: list[Tensor]) -> list[Tensor]:
    return [encode(view) for view in views]


def pooled(encode: Callable, views: list[Tensor]) -> list[Tensor]:
    """The fault: one call for all views, so that batch-norms see them together."""
    return list(encode(torch.cat(views)).chunk(len(views)))


def masked_error(predicted: Tensor, target: Tensor, kept: Tensor) -> Tensor:
    errors = [
        (predicted[row, at] - target[row, at]).square().mean()
        for row in range(B)
        for at in set(range(N)) - set(kept[row].tolist())
    ]
    return torch.stack(errors).mean()


def plain_neuronet(method, x, rng, frames: Callable = alone, heads: Callable = alone):
    """Losses of NeuroNet or DP-NeuroNet: a pass is one view under one mask (eq. 16-18, eq. 1)."""
    views = views_of(method, x, rng)
    features = frames(method.encoder.features, views)
    kept = random_kept(2 * len(views) * B, N, n_kept(N, 0.5), rng).chunk(2 * len(views))
    losses, classes = [], []
    for i, k in enumerate(kept):  # first passes of all views, then the second
        f = features[i % len(views)]
        tokens = method.encoder.tokens(f, k)
        losses.append(masked_error(method.decoder(tokens[:, 1:], k), f, k))
        classes.append(tokens[:, 0])
    p, tau = heads(method.projection, classes), method.spec.temperature
    if len(views) == 1:
        return {"masked": (losses[0] + losses[1]) / 2, "within": nt_xent(p[0], p[1], tau)}
    return {
        "masked": torch.stack(losses).sum() / 2,
        "within": (nt_xent(p[0], p[2], tau) + nt_xent(p[1], p[3], tau)) / 2,
        "across": nt_xent(p[0], p[1], tau),
    }


def plain_backbone(method, x, rng, frames: Callable = alone, heads: Callable = alone):
    """The contrast between two views of an image backbone."""
    tokens = [t[:, 0] for t in frames(method.encoder, views_of(method, x, rng))]
    return {"across": nt_xent(*heads(method.projection, tokens), method.spec.temperature)}


PLAIN: list[tuple[type, Step]] = [
    (NeuroNet, plain_neuronet),
    (DPNeuroNet, plain_neuronet),
    (ResNet18, plain_backbone),
    (EfficientNetB0, plain_backbone),
]


def outcome(method, terms: dict[str, Tensor]) -> dict[str, Tensor]:
    """Everything a step leaves behind: losses, gradients, running statistics."""
    torch.stack([terms[name] for name in method.weights]).sum().backward()
    left = {f"loss {name}": terms[name].detach() for name in method.weights}
    left |= {f"gradient of {n}": p.grad for n, p in method.named_parameters() if p.grad is not None}
    return left | {f"buffer {n}": b for n, b in method.named_buffers()}


def differing(cls: type, plain: Step, **changes: Callable) -> list[str]:
    """What differs between a step of the method and one of its plain twin, by name."""
    x = waves(B, "a")["a"].double()
    method = build(cls)
    twin = deepcopy(method)
    found = outcome(method, method.loss({"a": x}, draws(3)))
    expected = outcome(twin, plain(twin, x, draws(3), **changes))
    assert found.keys() == expected.keys()
    return [n for n in found if not torch.allclose(found[n], expected[n], rtol=1e-8, atol=1e-10)]


@pytest.mark.parametrize(("cls", "plain"), PLAIN)
def test_a_step_equals_that_of_views_and_passes_taken_one_by_one(cls, plain):
    assert differing(cls, plain) == []


@pytest.mark.parametrize(
    ("cls", "plain", "where"),
    [
        (DPNeuroNet, plain_neuronet, "frames"),
        (DPNeuroNet, plain_neuronet, "heads"),
        (NeuroNet, plain_neuronet, "heads"),
        (ResNet18, plain_backbone, "frames"),
        (EfficientNetB0, plain_backbone, "heads"),
    ],
)
def test_batch_norms_that_pool_views_or_passes_are_told_apart(cls, plain, where):
    names = differing(cls, plain, **{where: pooled})
    assert any(name.startswith("loss") for name in names)
    assert any(name.startswith("gradient") for name in names)
    assert any("running" in name for name in names)
