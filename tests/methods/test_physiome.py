"""What PhysioME computes: places, passes, drops, terms and variants."""

import pytest
import torch
from checks import calls_of, drop
from tiny import NAMES, RATE_HZ, N, draws, physiome, waves

from physiome.config.model import EncoderSpec
from physiome.config.systems.physiome import PhysioMESpec
from physiome.errors import PhysioError
from physiome.methods.physiome import PhysioME
from physiome.nn.losses import nt_xent
from physiome.nn.masking import n_kept
from physiome.nn.neuronet import ModalityEncoder
from physiome.subsets import all_subsets

SUBSETS = all_subsets(NAMES)
VARIANTS = ("decoder", "masked", "memory")
by_subset = pytest.mark.parametrize("subset", SUBSETS, ids="+".join)


def marked(method: PhysioME) -> PhysioME:
    """The model with tokens that tell where they come from.

    z of an observed modality: 10, 20, 30; the mask token: 1; a restored modality: 100, 200, 300,
    which its embedding hands on doubled.
    """
    with torch.no_grad():
        method.positions.zero_()
        if method.spec.restoration != "memory":
            method.mask_token.fill_(1.0)
        for i, m in enumerate(NAMES):
            method.modality_tokens[m].zero_()
            method.enter[m] = Marking(10.0 * (i + 1))
            if method.spec.restoration == "memory":
                method.memory[m].fill_(0.1 * (i + 1))
            elif method.spec.restoration == "decoder":
                method.restorers[m].leave.weight.zero_()
                method.restorers[m].leave.bias.fill_(100.0 * (i + 1))
    return method.eval()


class Marking(torch.nn.Module):
    """Stands for an embedding MLP: a constant for signals' tokens, restored ones doubled."""

    def __init__(self, mark: float):
        super().__init__()
        self.mark = mark

    def forward(self, x):
        return 2.0 * x if (x >= 100.0).all() else torch.full_like(x, self.mark)


def places(tokens: torch.Tensor) -> list[float]:
    """The one value at each modality's places of tokens (B, 3 N, D)."""
    values = [part.unique().tolist() for part in tokens.split(N, dim=1)]
    assert all(len(v) == 1 for v in values)
    return [round(v[0], 4) for v in values]


@by_subset
def test_every_modality_enters_the_fusion_at_its_own_places(subset):
    method, signals = marked(physiome()), waves(2, subset)
    calls = [
        places(arguments[0])
        for arguments, _ in calls_of(method.fusion, lambda: method.embed(signals))
    ]
    observed = {m: 10.0 * (i + 1) for i, m in enumerate(NAMES) if m in subset}
    first = [observed.get(m, 1.0) for m in NAMES]
    second = [observed.get(m, 200.0 * (i + 1)) for i, m in enumerate(NAMES)]
    assert calls == ([first] if subset == NAMES else [first, second])


@by_subset
def test_without_restoration_the_stand_ins_are_mask_tokens_in_one_pass(subset):
    method = marked(physiome(restoration="masked"))
    calls = calls_of(method.fusion, lambda: method.embed(waves(2, subset)))
    expected = [10.0 * (i + 1) if m in subset else 1.0 for i, m in enumerate(NAMES)]
    assert [places(arguments[0]) for arguments, _ in calls] == [expected]


@by_subset
def test_with_memory_each_missing_modality_has_its_own_bank(subset):
    method = marked(physiome(restoration="memory"))
    calls = calls_of(method.fusion, lambda: method.embed(waves(2, subset)))
    expected = [(10.0 if m in subset else 0.1) * (i + 1) for i, m in enumerate(NAMES)]
    assert [places(arguments[0]) for arguments, _ in calls] == [pytest.approx(expected)]


def test_tokens_carry_their_position_and_their_modality():
    method = physiome().eval()
    e = torch.zeros(1, N + 1, 32)
    for m in NAMES:
        coded = method.enter_tokens(m, e) - method.enter[m](e[:, 1:])
        torch.testing.assert_close(coded[0], method.positions + method.modality_tokens[m])


def test_the_class_token_does_not_enter_the_fusion():
    method = physiome().eval()
    encoded = method.encode(waves(2))
    changed = {m: torch.cat([e[:, :1] + 9.0, e[:, 1:]], dim=1) for m, e in encoded.items()}
    assert torch.equal(method.fuse(changed), method.fuse(encoded))


def test_the_embedding_is_the_mean_of_all_fused_tokens():
    method = physiome().eval()
    for subset in SUBSETS:
        signals = waves(3, subset)
        calls = calls_of(method.fusion, lambda signals=signals: method.embed(signals))
        tokens = calls[-1][1]
        assert tokens.shape == (3, 3 * N, 32)
        torch.testing.assert_close(method.embed(signals), tokens.mean(dim=1))


def test_embeddings_do_not_depend_on_the_rest_of_the_batch():
    method, signals = physiome(), waves(7)
    for subset in SUBSETS:
        together = method.embed({m: signals[m] for m in subset})
        for i in (0, 6):
            alone = method.embed({m: signals[m][i : i + 1] for m in subset})
            torch.testing.assert_close(alone, together[i : i + 1], rtol=1e-4, atol=1e-5)


def test_each_modality_matters_to_the_subsets_that_hold_it():
    method, signals = physiome(), waves(3)
    for m in NAMES:
        changed = {**signals, m: signals[m].flip(0)}
        for subset in SUBSETS:
            before, after = (
                method.embed({name: batch[name] for name in subset}) for batch in (signals, changed)
            )
            assert torch.equal(before, after) == (m not in subset), (m, subset)


@pytest.mark.parametrize("restoration", VARIANTS)
def test_embedding_nothing_or_something_unknown_is_refused(restoration):
    method = physiome(restoration=restoration)
    with pytest.raises(PhysioError, match="no modality observed"):
        method.embed({})
    with pytest.raises(PhysioError, match="unknown modality 'eeg'"):
        method.embed({"a": torch.zeros(1, 900), "eeg": torch.zeros(1, 900)})


def test_embedding_leaves_training_mode_and_batch_norms_as_they_were():
    method = physiome()
    before = {name: t.clone() for name, t in method.state_dict().items()}
    method.embed(waves(4))
    assert method.training
    assert method.enter["a"].norm.training
    assert not method.encoders["a"].training
    assert all(torch.equal(t, before[name]) for name, t in method.state_dict().items())


# Terms


def test_terms_have_the_values_of_a_slow_calculation():
    method, signals = physiome(), waves()
    drop(method, "b")
    method.eval()
    for i, m in enumerate(NAMES):
        with torch.no_grad():
            for part in (method.decoders[m], method.restorers[m]):
                part.leave.weight.zero_()
                part.leave.bias.fill_(0.5 * (i + 1))
    terms: dict[str, torch.Tensor] = {}
    kept = {
        m: calls_of(method.decoders[m], lambda: terms.update(method.loss(signals, draws())))
        for m in ("a", "c")
    }
    encoded = method.encode(signals)
    errors = []
    for i, m in enumerate(NAMES):
        if m == "b":
            expected = (1.0 - encoded[m][:, 1:]).square().mean()
            torch.testing.assert_close(terms["missing"], expected)
            continue
        ((_, index),) = [arguments for arguments, _ in kept[m]]
        assert index.shape == (6, n_kept(N, method.spec.mask_ratio))
        error = [
            (0.5 * (i + 1) - encoded[m][row, 1 + at]).square().mean()
            for row in range(6)
            for at in set(range(N)) - set(index[row].tolist())
        ]
        errors.append(torch.stack(error).mean())
    torch.testing.assert_close(terms["intra"], torch.stack(errors).mean())


def test_the_contrast_is_between_each_modality_and_the_fused_mean():
    method, signals = physiome(), waves()
    drop(method, "b")
    method.eval()
    terms: dict[str, torch.Tensor] = {}
    ((_, fused),) = calls_of(method.fusion, lambda: terms.update(method.loss(signals, draws())))
    one = torch.nn.functional.normalize  # pooled vectors have length 1
    whole = method.project_fused(one(fused.mean(dim=1), dim=1))
    encoded = method.encode(signals)
    expected = [
        nt_xent(method.project[m](one(encoded[m].mean(dim=1), dim=1)), whole, 0.1) for m in NAMES
    ]
    torch.testing.assert_close(terms["contrast"], torch.stack(expected).mean())


def test_a_modality_that_is_really_absent_has_no_target():
    method = physiome()
    signals = waves(6, ("a", "b"))
    drop(method, "b")
    terms = method.loss(signals, draws())
    assert all(torch.isfinite(t) for t in terms.values())
    method.eval()
    (restored,) = calls_of(method.restorers["b"], lambda: method.loss(signals, draws()))
    expected = (restored[1] - method.encode(signals)["b"][:, 1:]).square().mean()
    torch.testing.assert_close(method.loss(signals, draws())["missing"], expected)
    assert not calls_of(method.restorers["c"], lambda: method.loss(signals, draws()))


@pytest.mark.parametrize("present", [("c",), ("a", "c")], ids="+".join)
@pytest.mark.parametrize("restoration", VARIANTS)
def test_a_batch_that_lacks_modalities_trains(present, restoration):
    method = physiome(restoration=restoration)
    for seed in range(4):
        method.zero_grad()
        total = method.total(method.loss(waves(4, present), draws(seed)))
        total.backward()
        assert torch.isfinite(total)
        stand_in = method.memory["b"] if restoration == "memory" else method.mask_token
        assert stand_in.grad.abs().sum() > 0
        assert all(p.grad is None for p in method.enter["b"].parameters())


def test_weights_of_the_terms_are_the_configured_ones():
    terms = {"intra": torch.tensor(1.0), "missing": torch.tensor(10.0)}
    terms |= {"contrast": torch.tensor(100.0)}
    changed = physiome(weights={"intra": 2.0, "missing": 0.5, "contrast": 1.0})
    assert float(physiome().total(terms)) == 111.0
    assert float(changed.total(terms)) == 107.0


# Variants


@pytest.mark.parametrize("restoration", ["masked", "memory"])
def test_variants_restore_nothing(restoration):
    method = physiome(restoration=restoration)
    assert not hasattr(method, "restorers")
    assert set(method.weights) == {"intra", "contrast"}
    for seed in range(5):
        terms = method.loss(waves(), draws(seed))
        assert set(terms) == {"intra", "contrast", "contrast_accuracy"}
        assert torch.isfinite(method.total(terms))


def test_a_memory_bank_is_used_and_trained_only_while_its_modality_is_missing():
    method, signals = physiome(restoration="memory"), waves()
    assert not hasattr(method, "mask_token")
    drop(method, "b")
    method.total(method.loss(signals, draws())).backward()
    assert method.memory["b"].grad.abs().sum() > 0
    assert method.memory["a"].grad is None
    before = {s: method.embed({m: signals[m] for m in s}) for s in SUBSETS}
    with torch.no_grad():
        method.memory["b"].normal_(generator=draws())
    for subset, embedding in before.items():
        after = method.embed({m: signals[m] for m in subset})
        assert torch.equal(embedding, after) == ("b" in subset)


# LoRA


def test_lora_adds_eight_times_its_product():
    layer = physiome().eval().encoders["a"].transformer.blocks[0].attn.proj
    a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    with torch.no_grad():
        b.normal_(generator=draws())
    x = torch.randn(5, 32, generator=draws(1))
    added = layer(x) - layer.base_layer(x)
    torch.testing.assert_close(added, 8.0 * (x @ a.T @ b.T), rtol=1e-4, atol=1e-4)


def test_lora_dropout_is_awake_in_training_alone():
    method = physiome(lora={"rank": 4, "alpha": 16, "dropout": 0.5})
    with torch.no_grad():
        for name, p in method.named_parameters():
            if "lora_B" in name:
                p.normal_()
    x = waves(2)
    first, second = method.encode(x)["a"], method.encode(x)["a"]
    assert not torch.equal(first, second)
    method.eval()
    assert torch.equal(method.encode(x)["a"], method.encode(x)["a"])


@pytest.mark.slow
def test_lora_of_full_size_encoders_has_the_published_size():
    encoder = ModalityEncoder(EncoderSpec(frame_s=4.0, step_s=1.0), 3000, RATE_HZ)
    small = {"depth": 1, "decoder_depth": 1, "restore_depth": 1, "restore_width": 64}
    method = PhysioME(PhysioMESpec(**small), {"a": encoder})
    sizes = {n: p.numel() for n, p in method.named_parameters() if "lora_" in n}
    assert sum(sizes.values()) == 24_576
    assert len(sizes) == 12  # attention outputs of six blocks, and nothing else
    assert all("attn.proj" in name for name in sizes)
