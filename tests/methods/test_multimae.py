"""MultiMAE: sizes, what trains what, and what a missing modality does."""

import pytest
import torch
from checks import calls_of, reached
from descent import check_a_step_downhill_lowers, fixed
from small import SECTIONS
from tiny import NAMES, draws, inputs, waves

from physiome.config.systems.multimae import MultiMAESpec
from physiome.errors import ConfigError
from physiome.methods.multimae import MultiMAE
from physiome.nn.multimae import CrossAttention, ImageDecoder
from physiome.subsets import all_subsets

SMALL = SECTIONS["multimae"]
N = 16  # patches of a modality


def multimae(seed=0, names=NAMES, **changes) -> MultiMAE:
    torch.manual_seed(seed)
    return MultiMAE(MultiMAESpec.parse({**SMALL, **changes}), inputs(names)).train()


def show(method: MultiMAE, *patches: int) -> None:
    """From now on, every sample shows exactly these patches."""
    method.draw_visible = lambda given, rng: torch.tensor(patches).expand(  # type: ignore
        len(next(iter(given.values()))), -1
    )


def test_a_decoder_asks_for_its_own_modalitys_patches_whatever_others_there_are():
    decoder = multimae().decoders["c"]
    visible, encoded = torch.tensor([[0, N, N + 2]]), torch.randn(1, 4, SMALL["width"])
    with torch.no_grad():
        for present in (["a", "c"], ["b", "c"], ["a", "c", "b"]):
            (((queries, _), _),) = calls_of(
                decoder.cross, lambda given=present: decoder(encoded, visible, given)
            )
            expected = decoder.mask_token.repeat(N, 1)
            expected[[0, 2]] = decoder.enter(encoded)[0, 2:]  # those shown of the second, c
            expected += decoder.positions + decoder.modality_tokens["c"]
            torch.testing.assert_close(queries[0], expected)


def test_the_default_size_is_the_small_vision_transformer_on_96_of_576_patches():
    with torch.device("meta"):
        method = MultiMAE(MultiMAESpec(), inputs(length_s=30.0))
    d, blocks = 384, 12
    block = 4 * d * (d + 1) + 2 * 4 * d * d + 5 * d + 4 * d  # attention, MLP, two norms
    assert sum(p.numel() for p in method.encoder.parameters()) == blocks * block + 2 * d
    assert round(blocks * block / 1e6) == 21
    assert (method.n, method.spec.visible) == (192, 96)
    assert method.enter["a"].weight.shape == (384, 64)
    assert method.pixel_heads["a"].weight.shape == (64, 256)
    decoder = method.decoders["a"]
    assert isinstance(decoder, ImageDecoder)
    assert (decoder.cross.heads, len(decoder.transformer.blocks)) == (8, 2)


def test_the_encoder_sees_the_global_token_and_exactly_the_visible_patches():
    method = multimae()
    (call,) = calls_of(method.encoder, lambda: method.loss(waves(), draws()))
    assert call[0][0].shape == (6, 1 + 8, 64)
    assert torch.equal(call[0][0][:, 0], method.global_token.detach().expand(6, -1))


def test_a_visible_patch_enters_with_the_embedding_of_its_modality_and_its_position():
    method, signals = multimae(), waves(2)
    show(method, 3, 2 * N + 9)
    ((given, _),) = calls_of(method.encoder, lambda: method.loss(signals, draws()))
    patches = method.patches(signals)
    with torch.no_grad():
        first = method.enter["a"](patches["a"][:, 3]) + method.positions[3]
        second = method.enter["c"](patches["c"][:, 9]) + method.positions[9]
    torch.testing.assert_close(given[0][:, 1:], torch.stack([first, second], dim=1))


def test_the_loss_trains_every_parameter():
    method = multimae(visible=24)
    found = reached(method, method.loss(waves(), draws())["pixels"])
    assert found == {name for name, _ in method.named_parameters()}


def test_a_modality_that_shows_no_patch_trains_no_embedding_but_its_decoder():
    method = multimae()
    show(method, 0, 5, 2 * N + 1)  # of a and c
    found = reached(method, method.loss(waves(), draws())["pixels"])
    assert not {name for name in found if name.startswith("enter.b.")}
    for name in (
        "enter.a.weight",
        "enter.c.weight",
        "decoders.b.mask_token",
        "decoders.b.cross.kv.weight",
        "pixel_heads.b.weight",
        "global_token",
    ):
        assert name in found, name


def test_only_masked_patches_count_and_a_hidden_patch_cannot_be_seen():
    method = multimae()
    show(method, 0, 5, 2 * N + 1)
    patches = {m: torch.randn(3, N, 16, generator=draws(i)) for i, m in enumerate(NAMES)}
    visible = method.draw_visible(patches, draws())
    before = method.rebuild(patches, visible)

    def loss_with(place):
        changed = {**patches, "a": patches["a"].clone()}
        changed["a"][:, place] += 10.0
        return method.pixel_loss(before, changed, visible)

    unchanged = method.pixel_loss(before, patches, visible)
    assert torch.equal(loss_with(5), unchanged)
    assert not torch.isclose(loss_with(6), unchanged)
    hidden = {**patches, "b": patches["b"] + 10.0}
    after = method.rebuild(hidden, visible)
    assert all(torch.equal(before[m], after[m]) for m in NAMES)


def test_the_loss_is_the_sum_over_modalities_of_the_masked_error():
    method = multimae()
    show(method, *range(N))  # all of a: nothing of it is left to rebuild
    with torch.no_grad():
        for head, value in zip(method.pixel_heads.values(), (100.0, 2.0, 3.0), strict=True):
            for p, fill in zip(head.parameters(), (0.0, value), strict=True):  # weight, bias
                p.fill_(fill)
    patches = {m: torch.zeros(2, N, 16) for m in NAMES}
    visible = method.draw_visible(patches, draws())
    loss = method.pixel_loss(method.rebuild(patches, visible), patches, visible)
    assert float(loss.detach()) == 4.0 + 9.0


def test_a_decoder_asks_with_its_own_tokens_and_looks_at_all_visible_ones():
    """Query and context of b hold the entered tokens and the codes of exactly their places."""
    method = multimae()
    decoder = method.decoders["b"]
    assert isinstance(decoder, ImageDecoder)
    show(method, 3, N + 2, 2 * N)
    entered = calls_of(decoder.enter, lambda: method.loss(waves(2), draws()))[0][1]
    ((queries, context), _) = calls_of(decoder.cross, lambda: method.loss(waves(2), draws()))[0]
    codes = {m: decoder.positions + decoder.modality_tokens[m].detach() for m in NAMES}
    expected = (decoder.mask_token.detach() + codes["b"]).repeat(2, 1, 1)
    expected[:, 2] = entered[:, 2] + codes["b"][2]
    torch.testing.assert_close(queries, expected)
    places = torch.stack([codes["a"][3], codes["b"][2], codes["c"][0]])
    torch.testing.assert_close(context[:, 1:], entered[:, 1:] + places)
    assert torch.equal(context[:, 0], entered[:, 0])


def test_cross_attention_agrees_with_torchs_own():
    torch.manual_seed(0)
    ours, theirs = CrossAttention(16, 4), torch.nn.MultiheadAttention(16, 4, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.q.weight, ours.kv.weight]))
        theirs.in_proj_bias.copy_(torch.cat([ours.q.bias, ours.kv.bias]))
        theirs.out_proj.load_state_dict(ours.proj.state_dict())
    queries, context = torch.randn(2, 5, 16), torch.randn(2, 7, 16)
    given, seen = ours.norm_queries(queries), ours.norm_context(context)
    torch.testing.assert_close(ours(queries, context), theirs(given, seen, seen)[0])


@pytest.mark.parametrize("present", all_subsets(NAMES))
def test_a_batch_that_lacks_modalities_trains_on_those_it_has(present):
    method = multimae()
    found = reached(method, method.loss(waves(6, present), draws())["pixels"])
    for m in NAMES:
        for part in ("enter", "pixel_heads", "decoders"):
            hit = any(name.startswith(f"{part}.{m}.") for name in found)
            assert hit == (m in present), (part, m)


def test_one_modality_with_fewer_patches_than_the_budget_shows_them_all():
    method = multimae(visible=24)
    terms = method.loss(waves(4, "b"), draws())
    assert float(terms["pixels"].detach()) == 0.0
    assert method.draw_visible({"b": torch.zeros(4, N, 16)}, draws()).shape == (4, N)


def test_a_budget_of_all_patches_is_refused_as_nothing_would_be_left_to_rebuild():
    assert multimae(visible=3 * N - 1).n == N
    with pytest.raises(ConfigError, match=r"48 visible patches leave none .* 3 modalities have 16"):
        multimae(visible=3 * N)


@pytest.mark.parametrize("embedding", ["rows", "mean"])
def test_the_embedding_averages_encoded_patches_of_the_observed(embedding):
    method = multimae(embedding=embedding).eval()
    signals = waves(2, "ac")
    ((_, encoded),) = calls_of(method.encoder, lambda: method.embed(signals))
    assert encoded.shape == (2, 1 + 2 * N, 64)
    rows = [  # patches 4 r to 4 r + 3 of either modality are row r
        torch.stack([encoded[:, 1 + m * N + 4 * r + c] for m in (0, 1) for c in range(4)]).mean(0)
        for r in range(4)
    ]
    expected = torch.cat(rows, dim=1) if embedding == "rows" else torch.stack(rows).mean(dim=0)
    torch.testing.assert_close(method.embed(signals), expected)


class Flat(MultiMAE):
    """Its encoder passes tokens on, so that an embedding shows what the read-out does to them."""

    def encode_tokens(self, tokens):
        return torch.cat([tokens[:, :1], tokens], dim=1)


def embedding_of(tokens: torch.Tensor, **changes) -> torch.Tensor:
    """Of a window whose encoded patches of a are the given ones, (N, 64)."""
    method = Flat(MultiMAESpec.parse({**SMALL, **changes}), inputs())
    return method.fuse({"a": tokens[None]})[0]


def check_frequency_counts_and_time_does_not(**changes) -> None:
    torch.manual_seed(0)
    grid = torch.randn(4, 4, 64)  # rows of frequency, columns of time
    before = embedding_of(grid.flatten(0, 1), **changes)
    later = embedding_of(grid.roll(1, dims=1).flatten(0, 1), **changes)
    higher = embedding_of(grid.roll(1, dims=0).flatten(0, 1), **changes)
    torch.testing.assert_close(later, before)
    assert (higher - before).abs().max() > 0.1


def test_frequency_counts_in_the_embedding_and_time_does_not():
    check_frequency_counts_and_time_does_not()


def test_a_mean_over_all_patches_loses_frequency():
    with pytest.raises(AssertionError):
        check_frequency_counts_and_time_does_not(embedding="mean")


def test_queries_keys_and_values_start_as_three_matrices_do():
    method = multimae(width=128)
    for block in method.encoder.blocks:
        for part in block.attn.qkv.weight.detach().chunk(3):  # pyright: ignore
            assert float(part.abs().max()) == pytest.approx((6 / 256) ** 0.5, rel=0.01)
    decoder = method.decoders["a"]
    assert isinstance(decoder, ImageDecoder)
    for part in decoder.cross.kv.weight.detach().chunk(2):
        assert float(part.abs().max()) == pytest.approx((6 / 64) ** 0.5, rel=0.01)


def test_a_signal_goes_to_the_embedding_of_its_name():
    method = multimae().eval()
    same = waves(2, "a")["a"]
    alone = [method.embed({m: same}) for m in NAMES]
    assert not torch.allclose(alone[0], alone[1])
    with torch.no_grad():
        for p in method.enter["b"].parameters():
            p.zero_()
    assert torch.equal(method.embed({"a": same}), alone[0])
    assert not torch.allclose(method.embed({"b": same}), alone[1])


def test_the_error_of_a_batch_falls_along_its_gradient():
    method = multimae()
    method.calibrate(waves(20))
    loss = fixed(method, lambda: method.loss(waves(), draws())["pixels"])
    check_a_step_downhill_lowers(method.parameters(), loss)


def test_positions_are_no_parameters():
    names = [name for name, _ in multimae().named_parameters()]
    assert not any("positions" in name for name in names)


def test_the_originals_embedding_has_no_footnote_of_departing():
    assert multimae(embedding="mean").departure == ""
    assert "not over frequency" in multimae().departure
