"""PhysioOmni's tokenizer and masked code modelling: targets, masks, gradients, what is frozen."""

import math

import pytest
import torch
from checks import calls_of, reached
from small import SECTIONS
from tiny import NAMES, SAMPLES, draws, inputs, waves

from physiome.config.systems.physioomni import PhysioOmniSpec
from physiome.errors import ConfigError, PhysioError
from physiome.methods.physioomni import PhysioOmni, Tokenizer
from physiome.nn.physioomni import PatchEncoder, spectrum

SMALL = SECTIONS["physioomni"]
N = 9  # patches of one second


def tokenizer(seed=0, **changes) -> Tokenizer:
    torch.manual_seed(seed)
    return Tokenizer(PhysioOmniSpec.parse({**SMALL, **changes}), inputs()).train()


def modelling(seed=0, **changes) -> PhysioOmni:
    parents = [tokenizer(seed, **changes)]
    return PhysioOmni.build(PhysioOmniSpec.parse({**SMALL, **changes}), inputs(), parents).train()


def groups(names):
    """`encoders.a.stem...` -> `encoders.a`."""
    return {".".join(name.split(".")[:2]) for name in names}


def state(module):
    return {name: t.clone() for name, t in module.state_dict().items()}


# Stage 1


ENCODING = {f"{part}.{m}" for part in ("encoders", "heads") for m in NAMES}


@pytest.mark.parametrize(
    ("term", "decoders"),
    # Across: others are rebuilt from their own private codes and the anchor's shared ones.
    [("reconstruct", "abc"), ("cross", "bc"), ("commitment", ""), ("orthogonality", "")],
)
def test_each_term_of_the_tokenizer_trains_its_parts(term, decoders):
    method = tokenizer()
    found = groups(reached(method, method.loss(waves(), draws())[term]))
    assert found == ENCODING | {f"decoders.{m}" for m in decoders}


def test_the_terms_together_train_everything():
    method = tokenizer()
    found = reached(method, method.total(method.loss(waves(), draws())))
    assert found == {name for name, _ in method.named_parameters()}


def test_every_modality_is_rebuilt_through_its_own_decoder():
    method = tokenizer()
    sizes = {"a": 100, "b": 51, "c": 100}  # b: a spectrum
    for m in NAMES:
        calls = calls_of(method.decoders[m], lambda: method.loss(waves(), draws()))
        assert len(calls) == (1 if m == "a" else 2)
        assert all(output.shape == (6, N, sizes[m]) for _, output in calls)


def test_across_modalities_only_the_anchors_shared_half_is_exchanged():
    method = tokenizer()
    calls = {}
    for m in NAMES:
        torch.manual_seed(0)  # the codebooks were started by the first of these
        calls[m] = calls_of(method.decoders[m], lambda: method.eval().loss(waves(), draws()))
    anchor = calls["a"][0][0][0]
    for m in "bc":
        own, cross = (given[0] for given, _ in calls[m])
        assert torch.equal(own[..., :8], cross[..., :8])
        assert torch.equal(cross[..., 8:], anchor[..., 8:])
        assert not torch.equal(own[..., 8:], cross[..., 8:])


def test_without_the_anchor_nothing_is_rebuilt_across():
    method = tokenizer()
    terms = method.loss(waves(names="bc"), draws())
    assert float(terms["cross"]) == 0.0
    assert not terms["cross"].requires_grad
    assert not any(".a." in name for name in reached(method, method.total(terms)))


def test_an_absent_modalitys_codebook_does_not_move():
    method = tokenizer()
    method.loss(waves(), draws())
    before = {m: state(method.private[m]) for m in NAMES}
    method.loss(waves(names="ac", seed=1), draws(1))
    moved = {
        m
        for m in NAMES
        if any(not torch.equal(t, before[m][n]) for n, t in method.private[m].state_dict().items())
    }
    assert moved == {"a", "c"}


def test_terms_are_sums_over_modalities():
    method = tokenizer()
    method.loss(waves(), draws())  # starts the codebooks
    method.eval()
    signals = waves(seed=1)
    whole = method.loss(signals, draws())
    single = [method.loss({m: signals[m]}, draws()) for m in NAMES]
    for term in ("reconstruct", "commitment", "orthogonality"):
        torch.testing.assert_close(whole[term], torch.stack([one[term] for one in single]).sum())


def test_targets_are_scaled_waveforms_or_standardised_amplitudes():
    method = tokenizer()
    method.set_scaling({m: (1.0, 2.0) for m in NAMES})
    t = torch.arange(SAMPLES) / 100.0
    x = 1.0 + 2.0 * torch.sin(6.283185 * 7.0 * t)[None]
    torch.testing.assert_close(method.target("a", x).flatten(1), (x - 1.0) / 2.0)
    amplitudes = method.target("b", x)
    assert amplitudes.shape == (1, N, 51)
    assert amplitudes.argmax(dim=2).unique().tolist() == [7]
    assert float(amplitudes.mean()) == pytest.approx(0.0, abs=1e-5)
    assert float(amplitudes.std()) == pytest.approx(1.0, abs=1e-4)
    assert torch.isfinite(spectrum(torch.zeros(1, N, 100))).all()


def test_the_weights_of_the_terms_are_the_published_ones():
    expected = {"reconstruct": 1.0, "cross": 1.0, "commitment": 1.0, "orthogonality": 0.1}
    assert tokenizer().weights == expected


def test_codes_of_a_patch_do_not_depend_on_the_batch_and_start_nothing():
    method = tokenizer()
    x = waves()["a"]
    before = state(method)
    private, shared = method.codes("a", x)
    assert private.shape == shared.shape == (6, N)
    one = method.codes("a", x[2:3])
    assert torch.equal(one[0], private[2:3])
    assert torch.equal(one[1], shared[2:3])
    assert all(torch.equal(t, before[name]) for name, t in method.state_dict().items())


# Stage 2


@pytest.mark.parametrize("term", ["private", "shared"])
def test_masked_modelling_trains_encoders_and_heads_and_never_the_tokenizer(term):
    method = modelling()
    method.loss(waves(), draws())[term].backward()
    for name, p in method.named_parameters():
        if name.startswith("tokenizer."):
            assert not p.requires_grad
            assert p.grad is None
        else:
            assert p.grad is not None
            assert p.grad.any(), name


def test_a_step_leaves_the_tokenizer_bit_for_bit_and_in_evaluation_mode():
    method = modelling()
    method.train()
    assert method.training
    assert not any(part.training for part in method.tokenizer.modules())
    tokens, heads = state(method.tokenizer), state(method.heads)
    optimizer = torch.optim.AdamW([p for p in method.parameters() if p.requires_grad], lr=1e-2)
    method.total(method.loss(waves(), draws())).backward()
    optimizer.step()
    assert all(torch.equal(t, tokens[n]) for n, t in method.tokenizer.state_dict().items())
    assert all(not torch.equal(t, heads[n]) for n, t in method.heads.state_dict().items())


def test_each_modality_masks_its_own_share_of_different_patches():
    method = modelling()
    for m, count in {"a": 5, "b": 5, "c": 7}.items():  # kept: half and 0.3 of nine, rounded down
        places = method.masked(m, 900, draws())
        assert places.shape == (900, count)
        assert all(len(set(row)) == count for row in places.tolist())
        often = torch.bincount(places.flatten(), minlength=N) / 900
        torch.testing.assert_close(often, torch.full((N,), count / N), rtol=0, atol=0.08)


def test_masked_patches_are_not_seen_and_only_they_count(monkeypatch):
    method = modelling()
    places = torch.tensor([[1, 4, 5, 7]])
    monkeypatch.setattr(method, "masked", lambda m, batch, rng: places.expand(batch, -1))
    x = waves()["a"]
    hidden, visible = x.clone(), x.clone()
    hidden[:, 410:590] += 2.0  # within patches 4 and 5
    visible[:, 310:390] += 2.0  # within patch 3
    first, same, other = (
        calls_of(method.heads["a"], lambda x=x: method.loss({"a": x}, draws()))
        for x in (x, hidden, visible)
    )
    assert first[0][1].shape == (6, 4, 32)  # logits of masked patches: 16 private, 16 shared
    assert torch.equal(first[0][1], same[0][1])
    assert not torch.equal(first[0][1], other[0][1])


def test_heads_that_know_nothing_cost_chance():
    method = modelling()
    with torch.no_grad():
        for p in method.heads.parameters():
            p.zero_()
    terms = method.loss(waves(), draws())
    for term in ("private", "shared"):
        assert float(terms[term].detach()) == pytest.approx(math.log(16), abs=1e-5)


def test_the_targets_are_the_tokenizers_codes_at_the_masked_places(monkeypatch):
    method = modelling()
    places = torch.tensor([[2, 6]])
    monkeypatch.setattr(method, "masked", lambda m, batch, rng: places.expand(batch, -1))
    x = waves(3)["c"]
    ((_, logits),) = calls_of(method.heads["c"], lambda: method.loss({"c": x}, draws()))
    terms = method.loss({"c": x}, draws())
    for i, term in enumerate(("private", "shared")):
        codes = method.tokenizer.codes("c", x)[i]
        wanted = [
            -float(logits[row, k, 16 * i : 16 * i + 16].log_softmax(dim=0)[codes[row, place]])
            for row in range(3)
            for k, place in enumerate((2, 6))
        ]
        assert float(terms[term].detach()) == pytest.approx(sum(wanted) / 6, rel=1e-5)


def test_a_batch_that_lacks_modalities_is_averaged_over_the_others(monkeypatch):
    method = modelling()
    monkeypatch.setattr(method, "masked", lambda m, batch, rng: torch.ones(batch, 1).long())
    signals = waves()
    single = {m: method.loss({m: signals[m]}, draws()) for m in NAMES}
    both = method.loss({"a": signals["a"], "c": signals["c"]}, draws())
    for term in ("private", "shared"):
        expected = (single["a"][term] + single["c"][term]) / 2
        torch.testing.assert_close(both[term], expected)
    assert not any(
        ".b." in name or name.endswith(".b") for name in reached(method, method.total(both))
    )


@pytest.mark.parametrize("build", [tokenizer, modelling])
def test_the_embedding_joins_the_observed_in_their_order_or_averages_them(build):
    signals = waves()
    method, averaging = build(), build(embedding="mean")
    alone = {m: method.embed({m: signals[m]}) for m in NAMES}
    assert alone["a"].shape == (6, 32)
    given = {m: signals[m] for m in "ca"}
    torch.testing.assert_close(method.embed(given), torch.cat([alone["a"], alone["c"]], dim=1))
    torch.testing.assert_close(averaging.embed(given), (alone["a"] + alone["c"]) / 2)
    assert not method.comparable


def test_scaling_leaves_the_constants_that_the_tokenizer_was_trained_with():
    method = modelling()
    method.tokenizer.set_scaling({m: (1.0, 2.0) for m in NAMES})
    method.set_scaling({m: (3.0, 4.0) for m in NAMES})
    for m in NAMES:
        assert float(method.tokenizer.encoder(m).scaling.scale) == 2.0
        assert float(method.encoder(m).scaling.scale) == 4.0


# Architecture


def test_the_encoder_has_the_published_sizes():
    spec = PhysioOmniSpec()
    encoder = PatchEncoder(spec, inputs(length_s=30.0).window)
    assert encoder.n == 30
    assert encoder.stem.leave.in_features == 13 * 8
    block = 4 * 200**2 + 12 * 200**2 + 2 * 200  # attention, SwiGLU four times as wide, norms
    rest = 30 * 200 + 200 + 200  # positions, class token, last norm
    found = sum(p.numel() for p in encoder.transformer.parameters())
    assert found == 12 * block + rest
    biases = [n for n, _ in encoder.transformer.named_parameters() if n.endswith("bias")]
    assert not biases


def test_patches_that_do_not_fill_the_window_are_refused():
    with pytest.raises(ConfigError, match="does not divide"):
        tokenizer(patch_s=2.0)


def test_modelling_needs_a_tokenizer():
    with pytest.raises(PhysioError, match="physioomni_tokenizer"):
        PhysioOmni.build(PhysioOmniSpec.parse(SMALL), inputs(), [])


def test_averaged_encoders_have_no_footnote_of_standing_side_by_side():
    assert modelling(embedding="mean").departure == ""
    assert "side by side" in modelling().departure
