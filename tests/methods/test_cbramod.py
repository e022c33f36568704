"""CBraMod fusion: what is masked, what that trains, and what a missing modality does."""

from dataclasses import replace

import pytest
import torch
from checks import calls_of, reached
from published_layout import Published
from small import SECTIONS
from tiny import NAMES, SAMPLES, draws, inputs, waves

from physiome.config.systems.cbramod import CBraModSpec
from physiome.errors import ConfigError, PhysioError
from physiome.methods import cbramod
from physiome.methods.cbramod import CBraModFusion, lead_mask, patch_mask, span_mask
from physiome.subsets import all_subsets

SMALL = SECTIONS["cbramod"]
N = 18  # patches: twice 900 samples, 100 each


def fusion(seed=0, names=NAMES, **changes) -> CBraModFusion:
    torch.manual_seed(seed)
    return CBraModFusion(CBraModSpec.parse({**SMALL, **changes}), inputs(names)).train()


@pytest.fixture
def fixed_mask(monkeypatch):
    """Masks patches 2 and 5 of every row, and nothing else."""

    def mask(batch, n, ratio, rng):
        found = torch.zeros(batch, n, dtype=torch.bool)
        found[:, [2, 5]] = True
        return found

    monkeypatch.setattr(cbramod, "patch_mask", mask)
    monkeypatch.setattr(cbramod, "span_mask", mask)


def test_the_loss_trains_everything():
    method = fusion()
    assert reached(method, method.loss(waves(), draws())["masked"]) == {
        name for name, _ in method.named_parameters()
    }


def test_the_mask_is_zero_and_nothing_to_be_learned(fixed_mask):
    method = fusion()
    signals = waves()
    for m in NAMES:
        ((given, _),) = calls_of(method.encoders[m], lambda: method.loss(signals, draws()))
        expected = method.patches(m, signals[m])
        expected[:, [2, 5]] = 0.0
        assert torch.equal(given[0], expected)
    assert not any("mask" in name for name, _ in method.named_parameters())


def test_the_output_layer_learns_from_masked_patches_only(fixed_mask):
    method, kept = fusion(), []

    def keep(module, given, output):
        output.retain_grad()
        kept.append(output)

    method.outputs["a"].register_forward_hook(keep)
    method.loss(waves(names="a"), draws())["masked"].backward()
    per_patch = kept[0].grad.abs().sum(dim=(0, 2))
    assert per_patch[[2, 5]].all()
    assert float(per_patch.sum()) == float(per_patch[[2, 5]].sum())


def test_what_is_predicted_are_scaled_raw_patches_at_the_higher_rate(fixed_mask):
    method = fusion(names="a")
    method.set_scaling({"a": (2.0, 4.0)})
    with torch.no_grad():
        for p in method.outputs["a"].parameters():
            p.zero_()
    x = waves(names="a")["a"]
    patches = method.patches("a", 2.0 + 4.0 * x)
    assert patches.shape == (len(x), N, 100)
    torch.testing.assert_close(patches.flatten(1)[:, ::2], x, rtol=0, atol=2e-3)
    error = patches[:, [2, 5]].square().mean()
    found = method.loss({"a": 2.0 + 4.0 * x}, draws())["masked"]
    torch.testing.assert_close(found.detach(), error)


def test_masked_samples_are_targets_and_never_inputs(fixed_mask):
    method = fusion(names="a", dropout=0.0)
    x = waves(names="a")["a"]
    other = x.clone()
    other[:, 110:140] += 3.0  # well inside patch 2, which is samples 100 to 149
    (one,), (two,) = (
        calls_of(method.outputs["a"], lambda x=x: method.loss({"a": x}, draws()))
        for x in (x, other)
    )
    # The filter's tails reach the neighbours, the samples themselves nothing.
    assert float((one[1] - two[1]).abs().max()) < 0.1 * float(one[1].std())
    assert not torch.equal(
        method.loss({"a": x}, draws())["masked"], method.loss({"a": other}, draws())["masked"]
    )


def test_a_lead_that_is_not_there_is_nothing_to_be_predicted(fixed_mask):
    torch.manual_seed(0)
    spec = CBraModSpec.parse({**SMALL, "between": 0.0})
    method = CBraModFusion(spec, replace(inputs("a"), leads={"a": 3})).eval()
    leads = torch.stack([waves(4, "a", seed)["a"] for seed in range(3)], dim=1)
    leads[1, 1] = leads[2, :2] = torch.nan
    terms: dict[str, torch.Tensor] = {}
    ((_, predicted),) = calls_of(
        method.outputs["a"], lambda: terms.update(method.loss({"a": leads}, draws()))
    )
    errors = [
        (predicted[row, lead, place] - method.patches("a", leads)[row, lead, place]).square().mean()
        for row, lead in (~leads[..., 0].isnan()).nonzero().tolist()
        for place in (2, 5)
    ]
    assert len(errors) == 2 * (12 - 3)
    torch.testing.assert_close(terms["masked"], torch.stack(errors).mean())


def test_single_patches_are_masked_on_their_own_at_the_ratio():
    mask = patch_mask(4000, N, 0.5, draws())
    assert mask.float().mean() == pytest.approx(0.5, abs=0.01)
    together = (mask[:, :-1] == mask[:, 1:]).float().mean()
    assert together == pytest.approx(0.5, abs=0.01)  # neighbours agree as often as not
    assert mask.sum(dim=1).float().var() == pytest.approx(N / 4, rel=0.1)
    assert patch_mask(500, 3, 0.01, draws()).any(dim=1).all()  # always something to predict


def test_a_span_is_contiguous_of_half_the_patches_and_anywhere():
    mask = span_mask(4000, N, 0.5, draws())
    assert torch.equal(mask.sum(dim=1), torch.full((4000,), 9))
    starts = mask.float().argmax(dim=1)
    inside = torch.arange(N) - starts[:, None]
    assert torch.equal(mask, (inside >= 0) & (inside < 9))
    counts = torch.bincount(starts, minlength=10)
    assert len(counts) == 10
    assert float(counts.min()) > 0.75 * 400


@pytest.mark.parametrize(("ratio", "masked"), [(0.5, [2, 1, 2, 3]), (0.9, [3, 1, 2, 5])])
def test_whole_leads_are_masked_by_the_ratio_and_one_of_those_there_is_left(ratio, masked):
    there = torch.tensor([[1, 1, 0, 1, 1, 0], [0, 1, 1, 0, 0, 0], [1, 1, 1, 0, 0, 0], [1] * 6])
    seen = there.bool().repeat(500, 1)
    mask = lead_mask(seen, N, ratio, draws())
    whole = mask.all(dim=2)
    assert torch.equal(mask, whole[..., None].expand_as(mask))
    assert not (whole & ~seen).any()
    assert torch.equal(whole.sum(dim=1), torch.tensor(masked).repeat(500))
    of_each = whole.view(500, 4, 6).float().mean(dim=0)  # every lead that is there as often
    expected = there * torch.tensor(masked)[:, None] / there.sum(dim=1, keepdim=True)
    torch.testing.assert_close(of_each, expected, rtol=0, atol=0.11)  # five deviations


def test_of_the_only_lead_of_a_row_a_span_is_masked():
    seen = torch.tensor([[False, True, False]]).repeat(50, 1)
    mask = lead_mask(seen, N, 0.5, draws())
    assert not mask[:, [0, 2]].any()
    assert torch.equal(mask[:, 1].sum(dim=1), torch.full((50,), 9))
    assert ((mask[:, 1, 1:] != mask[:, 1, :-1]).sum(dim=1) <= 2).all()


@pytest.mark.parametrize(("between", "expected"), [(0.0, 0.0), (0.5, 0.5), (1.0, 1.0)])
def test_one_draw_decides_for_the_whole_batch_whether_spans_are_masked(between, expected):
    method, signals = fusion(between=between), waves(8)
    kinds = []
    for seed in range(24):
        contiguous = []
        for m in NAMES[:2]:
            ((given, _),) = calls_of(
                method.encoders[m], lambda seed=seed: method.loss(signals, draws(seed))
            )
            masked = (given[0] == 0).all(dim=2)
            edges = (masked[:, :-1] != masked[:, 1:]).sum(dim=1)
            contiguous.append(bool((edges <= 2).all() and (masked.sum(dim=1) == 9).all()))
        assert contiguous[0] == contiguous[1]
        kinds.append(contiguous[0])
    assert sum(kinds) / 24 == pytest.approx(expected, abs=0.3)
    assert (0 < sum(kinds) < 24) == (between == 0.5)


def test_a_batch_that_lacks_a_modality_is_averaged_over_the_others(fixed_mask):
    method = fusion(dropout=0.0)
    signals = waves()
    single = [method.loss({m: signals[m]}, draws())["masked"] for m in NAMES]
    both = method.loss({"a": signals["a"], "c": signals["c"]}, draws())["masked"]
    torch.testing.assert_close(both, (single[0] + single[2]) / 2)
    assert not any(".b." in name for name in reached(method, both))


def test_the_embedding_joins_the_observed_in_the_modalities_order():
    method, signals = fusion(), waves()
    alone = {m: method.embed({m: signals[m]}) for m in NAMES}
    for subset in all_subsets(NAMES):
        found = method.embed({m: signals[m] for m in reversed(subset)})
        assert found.shape == (6, 100 * len(subset))
        torch.testing.assert_close(found, torch.cat([alone[m] for m in subset], dim=1))
        assert torch.equal(found, method.fuse({m: alone[m] for m in reversed(subset)}))
    assert not method.comparable


def test_a_step_of_the_optimiser_moves_every_encoder():
    method = fusion()
    before = {name: p.detach().clone() for name, p in method.named_parameters()}
    optimizer = torch.optim.AdamW(method.parameters(), lr=1e-3)
    method.total(method.loss(waves(), draws())).backward()
    optimizer.step()
    assert all(not torch.equal(p, before[name]) for name, p in method.named_parameters())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rate_hz": 150.0}, "whole multiple"),
        ({"rate_hz": 50.0}, "whole multiple"),
        ({"patch": 70, "channels": 10, "groups": 5, "heads": 2}, "does not divide"),
    ],
)
def test_rates_and_patches_that_do_not_fit_are_refused(changes, words):
    with pytest.raises(ConfigError, match=words):
        fusion(**changes)


def test_attention_starts_as_torchs_own_and_the_rest_he_normal():
    """The published layers are torch's attention, of which only the output is drawn anew."""
    method = fusion(patch=200, channels=25, kernel=49, stride=25, heads=8)
    torch.manual_seed(0)
    theirs = torch.nn.MultiheadAttention(100, 4)
    for block in list(method.encoders["a"].children())[1:]:
        time, leads = block.attention.over_time, block.attention
        for weight in (time.qkv.weight, leads.value.weight):
            expected = float(theirs.in_proj_weight.detach().abs().max())
            assert float(weight.detach().abs().max()) == pytest.approx(expected, rel=0.01)
        for layer in (time.proj, leads.proj):
            assert float(layer.weight.detach().std()) == pytest.approx((2 / 100) ** 0.5, rel=0.05)
        assert not any(p.any() for n, p in leads.named_parameters() if n.endswith("bias"))


def test_windows_of_both_tasks_give_the_published_patches():
    for length_s, n in ((30.0, 30), (60.0, 60)):
        fed = inputs(["a"], length_s=length_s)
        method = CBraModFusion(CBraModSpec(depth=1), fed)
        assert method.patches("a", torch.zeros(1, fed.window.samples)).shape == (1, n, 200)
    assert N * SMALL["patch"] == SAMPLES * 2


@pytest.fixture
def published(tmp_path):
    """A file in the published layout, of a small network."""
    torch.manual_seed(1)
    torch.save(Published(CBraModSpec.parse(SMALL)).state_dict(), tmp_path / "w.pth")
    return str(tmp_path / "w.pth")


def test_training_begins_with_published_weights_at_their_scale(published):
    method = fusion(published={"a": published})
    method.set_scaling({m: (3.0, 7.0) for m in NAMES})
    fresh = {n: p.clone() for n, p in method.named_parameters()}
    method.begin()
    changed = {
        n.split(".")[1] for n, p in method.named_parameters() if not torch.equal(p, fresh[n])
    }
    assert changed == {"a"}
    scales = {m: (float(s.offset), float(s.scale)) for m, s in method.scalings.items()}
    assert scales == {"a": (0.0, 100.0), "b": (3.0, 7.0), "c": (3.0, 7.0)}


def test_frozen_encoders_stay_as_published_and_the_others_train(published):
    method = fusion(published={"a": published}, frozen=("a",))
    method.begin()
    trained = reached(method, method.loss(waves(), draws())["masked"])
    assert {n.split(".")[1] for n in trained} == {"b", "c"}
    found = method.loss(waves(names="a"), draws())["masked"]
    assert not found.requires_grad
    assert float(found) == 0.0
    alone = fusion(names="a", published={"a": published}, frozen=("a",))
    with pytest.raises(PhysioError, match="every encoder is frozen"):
        alone.loss(waves(names="a"), draws())


def test_only_what_is_published_can_be_frozen():
    with pytest.raises(ConfigError, match="'b' has no published weights"):
        fusion(published={"a": "w.pth"}, frozen=("b",))
