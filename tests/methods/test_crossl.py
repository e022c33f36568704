"""CroSSL: sizes, latent masking, what a masked or missing modality does, the decay of kernels."""

import pytest
import torch
from checks import calls_of, reached
from small import SECTIONS
from tiny import NAMES, SAMPLES, draws, waves
from torch.nn import functional as F

from physiome.config.systems.crossl import CroSSLSpec
from physiome.methods.crossl import CroSSL, Encoder, Layer
from physiome.nn.crossl import vicreg
from physiome.subsets import all_subsets

SMALL = SECTIONS["crossl"]


def small(seed: int = 0, **changes) -> CroSSL:
    torch.manual_seed(seed)
    return CroSSL(CroSSLSpec.parse({**SMALL, **changes}), NAMES).train()


def keep(method: CroSSL, first: str, second: str) -> CroSSL:
    """From now on the views keep exactly these modalities."""
    views = [[float(m in kept) for m in NAMES] for kept in (first, second)]
    mask = torch.tensor(views)[:, None]  # (2, 1, M)
    method.draw_kept = lambda batch, rng: mask.expand(2, batch, len(NAMES))  # type: ignore
    return method


def test_the_published_sizes():
    method = CroSSL(CroSSLSpec(), NAMES)
    for encoder in method.encoders.values():
        assert sum(p.numel() for p in encoder.parameters()) == 56544
    assert sum(p.numel() for p in method.aggregator.parameters()) == 21696
    encoded = method.encode(waves(2))
    assert {m: x.shape for m, x in encoded.items()} == {m: (2, 96) for m in NAMES}
    assert method.fuse(encoded).shape == (2, 32)
    method = CroSSL(CroSSLSpec(embedding="latents"), NAMES)
    assert method.embed(waves(2)).shape == method.embed(waves(2, "b")).shape == (2, 288)


@pytest.mark.parametrize("kernel", [1, 3, 4, 16])
def test_a_layer_keeps_the_length_and_is_centred(kernel):
    layer = Layer(1, 2, kernel)
    x = torch.zeros(1, 1, 1, 50)
    x[..., 25] = 1.0
    reach = layer(x)[0].ne(layer(torch.zeros_like(x))[0]).any(0)[0].nonzero()
    assert layer(x).shape == (1, 2, 1, 50)
    assert reach.min() == 25 - kernel // 2
    assert reach.max() == 25 + (kernel - 1) // 2


def slow(encoder: Encoder, x: torch.Tensor) -> torch.Tensor:
    """Plain one-dimensional convolutions, one window at a time."""
    latents = []
    for window in (x - encoder.scaling.offset) / encoder.scaling.scale:
        y = window[None]  # (C, L)
        for layer in encoder.layers:
            k = layer.conv.weight.shape[-1]
            padded = F.pad(y, ((k - 1) // 2, k // 2))
            y = F.conv1d(padded[None], layer.conv.weight[:, :, 0], layer.conv.bias)[0]
            mean, var = y.mean(0), y.var(0, correction=0)
            y = (y - mean) / (var + 1e-5).sqrt()
            y = y * layer.norm.weight[:, None] + layer.norm.bias[:, None]
            y = torch.where(y > 0, y, layer.slope.weight[:, None] * y)
        latents.append(y.mean(1))
    return torch.stack(latents)


def test_the_encoder_equals_its_slow_twin():
    method = small()
    method.set_scaling({"a": (0.3, 0.5), "b": (0.0, 1.0), "c": (0.0, 1.0)})
    encoder = method.encoders["a"]
    with torch.no_grad():
        for p in encoder.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=draws()))
    x = waves(3)["a"]
    torch.testing.assert_close(encoder(x), slow(encoder, x), rtol=1e-4, atol=1e-5)


def test_latents_survive_with_probability_09_in_each_view():
    kept = CroSSL(CroSSLSpec(), NAMES).draw_kept(200_000, draws())  # (2, B, M)
    assert kept.shape == (2, 200_000, 3)
    assert kept.mean((0, 1)).tolist() == pytest.approx([0.9] * 3, abs=0.003)
    identical = (kept[0] == kept[1]).all(-1).float().mean()
    assert float(identical) == pytest.approx(0.551368, abs=0.005)
    assert float((kept.sum(-1) == 0).float().mean()) == pytest.approx(0.001, abs=3e-4)


def test_the_views_differ_in_nothing_but_which_latents_are_zero():
    method = small()
    drawn = method.draw_kept(6, draws(3)).bool()
    assert not drawn.all()
    ((given, views),) = calls_of(method.aggregator, lambda: method.loss(waves(), draws(3)))
    latents = given[0].unflatten(2, (3, -1))  # (2, B, M, D)
    expected = torch.stack(list(method.encode(waves()).values()), dim=1)
    for view, kept in zip(latents, drawn, strict=True):
        assert torch.equal(view[kept], expected[kept])
        assert not view[~kept].any()
    assert views.shape == (2, 6, 8)
    term = method.loss(waves(), draws(3))["vicreg"]
    assert torch.equal(term, vicreg(views[0], views[1], 10.0, 10.0, 1.0))


def test_the_kernels_term_is_the_sum_of_squared_kernels():
    method = small()
    terms = method.loss(waves(), draws())
    values = {name: float(term.detach()) for name, term in terms.items()}
    kernels = [p for n, p in method.named_parameters() if p.ndim == 4]
    assert len(kernels) == 9
    assert values["kernels"] == pytest.approx(sum(float((k.detach() ** 2).sum()) for k in kernels))
    expected = values["vicreg"] + 1e-4 * values["kernels"]
    assert float(method.total(terms).detach()) == pytest.approx(expected)
    assert reached(method, terms["kernels"]) == {
        n for n, p in method.named_parameters() if p.ndim == 4
    }


@pytest.mark.parametrize(
    ("first", "second", "trained"),
    [("abc", "abc", "abc"), ("ac", "ac", "ac"), ("abc", "ac", "abc"), ("a", "c", "ac")],
)
def test_vicreg_trains_the_aggregator_and_the_encoders_kept_in_some_view(first, second, trained):
    method = keep(small(), first, second)
    found = reached(method, method.loss(waves(), draws())["vicreg"])
    names = {n for n, _ in method.named_parameters()}
    expected = {
        n for n in names if n.startswith(("aggregator.", *(f"encoders.{m}." for m in trained)))
    }
    assert found == expected


def test_views_are_not_detached_from_each_other():
    """The invariance alone trains the encoder of a modality that only one view kept."""
    for one, other in (("abc", "a"), ("a", "abc")):
        method = keep(small(variance=0.0, covariance=0.0), one, other)
        found = reached(method, method.loss(waves(), draws())["vicreg"])
        assert {n.split(".")[1] for n in found if n.startswith("encoders")} == set(NAMES)


def check_an_absent_modality_is_a_masked_one(method: CroSSL) -> None:
    signals = waves()
    for subset in all_subsets(NAMES)[1:]:
        keep(method, "".join(subset), "".join(subset))
        masked = method.loss(signals, draws())["vicreg"]
        absent = method.loss({m: signals[m] for m in reversed(subset)}, draws())["vicreg"]
        assert torch.equal(masked, absent), subset


def test_an_absent_modality_is_a_masked_one():
    check_an_absent_modality_is_a_masked_one(small())


def test_latents_joined_by_position_are_found():
    method = small()

    def by_position(encoded):
        latents = torch.stack(list(encoded.values()), dim=1)
        return F.pad(latents, (0, 0, 0, len(NAMES) - latents.shape[1]))

    method.joined = by_position  # type: ignore
    with pytest.raises(AssertionError):
        check_an_absent_modality_is_a_masked_one(method)


def test_a_batch_without_a_modality_leaves_its_encoder_alone():
    method = small()
    terms = method.loss({m: x for m, x in waves().items() if m != "b"}, draws())
    found = reached(method, method.total(terms))
    assert any(n.startswith("encoders.a.") for n in found)
    assert not any(n.startswith("encoders.b.") for n in found)


@pytest.mark.parametrize("embedding", ["aggregated", "latents"])
def test_a_missing_modality_is_a_zero_latent_at_its_own_place(embedding):
    method = small(embedding=embedding).eval()
    signals = waves(3)
    for subset in all_subsets(NAMES):
        with torch.no_grad():
            parts = [
                method.encoders[m](signals[m]) if m in subset else torch.zeros(3, 16) for m in NAMES
            ]
            expected = torch.cat(parts, dim=1)
            if embedding == "aggregated":
                expected = method.aggregator(expected)
        assert torch.equal(method.embed({m: signals[m] for m in subset}), expected)


def test_one_step_moves_everything():
    method = small()
    before = {n: p.detach().clone() for n, p in method.named_parameters()}
    optimizer = torch.optim.AdamW(method.parameters(), lr=0.01)
    method.total(method.loss(waves(), draws())).backward()
    optimizer.step()
    assert [n for n, p in method.named_parameters() if torch.equal(p, before[n])] == []


def test_scaling_is_each_modalitys_own():
    method = small().eval()
    constants = {"a": (0.0, 2.0), "b": (5.0, 1.0), "c": (1.0, 10.0)}
    plain = method.encode(waves(2))
    method.set_scaling(constants)
    moved = {m: x * constants[m][1] + constants[m][0] for m, x in waves(2).items()}
    for m, latent in method.encode(moved).items():
        torch.testing.assert_close(latent, plain[m], rtol=1e-4, atol=1e-5)
    assert moved["a"].shape == (2, SAMPLES)
