"""NeuroNet and DP-NeuroNet against slow calculations, one pass at a time."""

import pytest
import torch
from checks import calls_of
from tiny import N, draws, neuronet, waves

from physiome.methods.neuronet import DPNeuroNet, NeuroNet
from physiome.nn.augment import two_views
from physiome.nn.losses import nt_xent
from physiome.nn.masking import n_kept, random_kept


def slow_pass(method: NeuroNet, x, kept):
    """One masked pass of one view: its reconstruction loss and its projected class tokens."""
    features = method.encoder.features(x)
    tokens = method.encoder.tokens(features, kept)
    decoded = method.decoder(tokens[:, 1:], kept)
    errors = [
        (decoded[row, at] - features[row, at]).square().mean()
        for row in range(len(x))
        for at in set(range(N)) - set(kept[row].tolist())
    ]
    return torch.stack(errors).mean(), method.projection(tokens[:, 0])


def test_neuronet_averages_two_passes_and_contrasts_them():
    method, x = neuronet(NeuroNet).eval(), waves(4, "a")["a"]
    terms = method.loss({"a": x}, draws(3))
    kept = random_kept(8, N, n_kept(N, 0.5), draws(3))
    (first, one), (second, two) = (slow_pass(method, x, k) for k in kept.chunk(2))
    torch.testing.assert_close(terms["masked"], (first + second) / 2)
    torch.testing.assert_close(terms["within"], nt_xent(one, two, 0.1))
    assert set(method.weights) == {"masked", "within"}


def test_dp_neuronet_sums_over_passes_and_halves_over_views():
    method, x = neuronet(DPNeuroNet).eval(), waves(4, "a")["a"]
    for seed in range(3):
        terms = method.loss({"a": x}, draws(seed))
        rng = draws(seed)
        views = two_views(x, rng, 0.9, "stretch", 5)
        kept = random_kept(16, N, n_kept(N, 0.5), rng).chunk(4)
        # Masks in the batch's order: both views' first passes, then both views' second passes.
        losses, classes = zip(
            *(slow_pass(method, views[i % 2], kept[i]) for i in range(4)), strict=True
        )
        torch.testing.assert_close(terms["masked"], torch.stack(losses).sum() / 2)
        within = nt_xent(classes[0], classes[2], 0.1) + nt_xent(classes[1], classes[3], 0.1)
        torch.testing.assert_close(terms["within"], within / 2)
        torch.testing.assert_close(terms["across"], nt_xent(classes[0], classes[1], 0.1))
    assert set(method.weights) == {"masked", "within", "across"}


@pytest.mark.parametrize(("cls", "views"), [(NeuroNet, 1), (DPNeuroNet, 2)])
def test_batch_norms_see_one_view_and_one_pass_at_a_time(cls, views):
    method, signals = neuronet(cls), waves(4, "a")
    for part, calls in ((method.encoder.frame_network, views), (method.projection, 2 * views)):
        found = calls_of(part, lambda: method.loss(signals, draws()))
        assert [len(given) for (given,), _ in found] == [4] * calls


@pytest.mark.parametrize("cls", [NeuroNet, DPNeuroNet])
def test_the_total_weighs_the_terms_and_leaves_out_what_is_only_logged(cls):
    method = neuronet(cls, weights={"masked": 2.0, "within": 3.0, "across": 5.0})
    terms = method.loss(waves(4, "a"), draws())
    expected = 2.0 * terms["masked"] + 3.0 * terms["within"] + 5.0 * terms.get("across", 0.0)
    torch.testing.assert_close(method.total(terms), expected)


def test_feature_variance_is_zero_for_a_collapsed_frame_network():
    method = neuronet()
    assert method.loss(waves(4, "a"), draws())["feature_variance"] > 1e-6
    with torch.no_grad():
        method.encoder.frame_network.head[2].weight.zero_()
    terms = method.loss(waves(4, "a"), draws())
    assert terms["feature_variance"] == 0
    assert not terms["feature_variance"].requires_grad


def test_the_embedding_is_the_class_token_of_an_unmasked_pass():
    method, x = neuronet().eval(), waves(3, "a")
    encoded = method.encode(x)["a"]
    assert encoded.shape == (3, N + 1, 32)
    assert torch.equal(method.embed(x), encoded[:, 0])
    # No sampling: every frame is seen.
    changed = x["a"].clone()
    changed[:, -150:] += 1.0
    assert not torch.equal(method.embed({"a": changed}), method.embed(x))
