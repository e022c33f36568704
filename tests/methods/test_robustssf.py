"""RobustSsF: what each term trains, the schedule of masks, and what a missing modality does."""

from collections import Counter
from fnmatch import fnmatch

import pytest
import torch
from checks import calls_of, reached
from small import SECTIONS
from tiny import NAMES, draws, inputs, waves

from physiome.config.systems.robustssf import RobustSsFSpec
from physiome.errors import ConfigError
from physiome.methods.base import Progress
from physiome.methods.robustssf import RobustSsF
from physiome.nn.robustssf import Conv, Fusion, LevelDecoder, LevelEncoder
from physiome.subsets import all_subsets

SMALL = SECTIONS["robustssf"]
WIDTHS = (4, 8, 8, 16)
SEPARATE, DIRECT = Progress(0, 100, 9, 10), Progress(10, 100, 9, 10)
COMPLETE, DRAWN = Progress(50, 100, 0, 10), Progress(50, 100, 9, 10)


def build(moment=DRAWN, names=NAMES, **changes) -> RobustSsF:
    torch.manual_seed(0)
    method = RobustSsF(RobustSsFSpec(**{**SMALL, **changes}), inputs(names)).train()
    method.progress = moment
    return method


def test_a_coarsest_level_that_cannot_be_halved_is_refused():
    with pytest.raises(ValueError, match="the last, 15, is odd"):
        build(widths=(4, 8, 8, 15))
    build(widths=(5, 7, 9, 14)).loss(waves(2), draws())


def force(method: RobustSsF, *scenario: str) -> RobustSsF:
    """From now on the scenario decoder sees exactly these, its couple the others."""
    method._draw = lambda present, rng: (scenario, tuple(m for m in present if m not in scenario))
    return method


@pytest.mark.parametrize(
    ("term", "trains", "not_trains"),
    [
        (
            "separate",
            ["encoders.?.*", "separate.*"],
            ["scenario.*", "couple.*", "full.*", "coupling.*"],
        ),
        (
            "fuse",
            ["encoders.?.*", "scenario.*", "couple.*", "full.*"],
            ["separate.*", "coupling.*"],
        ),
        (
            "coupling",
            ["encoders.?.*", "scenario.*", "couple.*", "full.*", "coupling.*"],
            ["separate.*"],
        ),
    ],
)
def test_each_term_trains_its_own_parts(term, trains, not_trains):
    method = force(build(), "a", "b")
    found = reached(method, method.loss(waves(), draws())[term])
    names = {name for name, _ in method.named_parameters()}
    for pattern in trains:
        group = {n for n in names if fnmatch(n, pattern)}
        assert group
        assert group <= found, pattern
    assert not {n for n in found for pattern in not_trains if fnmatch(n, pattern)}


def test_at_first_only_encoders_and_the_separate_decoder_train():
    method = build(SEPARATE)
    terms = method.loss(waves(), draws())
    assert set(terms) == set(build().loss(waves(), draws()))
    for name in ("fuse", "coupling"):
        assert float(terms[name]) == 0.0
        assert not terms[name].requires_grad
    found = reached(method, method.total(terms))
    assert {name.split(".")[0] for name in found} == {"encoders", "separate"}


@pytest.mark.parametrize(("moment", "direct"), [(DIRECT, True), (COMPLETE, True), (DRAWN, False)])
def test_where_both_see_everything_outputs_are_coupled_without_the_convolution(moment, direct):
    method = build(moment)
    scenario, couple, full = (
        calls_of(part, lambda: method.loss(waves(), draws()))[0][1]
        for part in (method.scenario, method.couple, method.full)
    )
    expected = (scenario - full).square().mean() + (couple - full).square().mean()
    found = method.loss(waves(), draws())["coupling"]
    assert torch.allclose(found, expected) == direct
    trained = {name.split(".")[0] for name in reached(method, found)}
    assert ("coupling" in trained) != direct
    assert {"encoders", "scenario", "couple", "full"} <= trained


def test_masks_are_complements_drawn_uniformly_from_the_proper_subsets():
    method, rng = build(), draws()
    drawn = Counter()
    for _ in range(3000):
        scenario, couple = method._draw(NAMES, rng)
        assert sorted(scenario + couple) == sorted(NAMES)
        drawn[scenario] += 1
    assert set(drawn) == set(all_subsets(NAMES)[1:])
    assert all(abs(n - 500) < 100 for n in drawn.values()), drawn  # five standard deviations


@pytest.mark.parametrize("moment", [DIRECT, COMPLETE, Progress(99, 100, 1, 10)])
def test_early_epochs_and_first_steps_see_everything(moment):
    assert build(moment)._draw(NAMES, draws()) == (NAMES, NAMES)


def test_the_schedule_changes_at_the_shares_that_the_settings_name():
    def complete(epoch, step):
        method = build(Progress(epoch, 100, step, 10))
        return all(method._draw(NAMES, draws(seed)) == (NAMES, NAMES) for seed in range(5))

    assert [complete(epoch, 9) for epoch in (19, 20)] == [True, False]
    assert [complete(50, step) for step in (1, 2)] == [True, False]


def test_the_other_decoders_train_from_the_very_epoch_that_the_settings_name():
    for epoch, trains in ((1, False), (2, True)):
        method = build(Progress(epoch, 10, 0, 10), separate_until=0.2)
        assert method.loss(waves(2), draws())["fuse"].requires_grad == trains


def test_masks_are_drawn_from_what_the_batch_has():
    method, rng = build(), draws()
    assert {method._draw(("a", "c"), rng)[0] for _ in range(50)} == {("a",), ("c",)}
    assert method._draw(("b",), rng) == (("b",), ("b",))


@pytest.mark.parametrize("present", all_subsets(NAMES))
def test_a_batch_may_lack_modalities(present):
    method = build()
    terms = method.loss(waves(4, present), draws())
    assert all(torch.isfinite(t) for t in terms.values())
    found = reached(method, method.total(terms))
    assert {n.split(".")[1] for n in found if n.startswith("encoders.")} == set(present)


def test_what_is_said_of_a_modality_that_the_batch_lacks_is_no_error():
    method = build(coupling=0.0)
    batch = waves(4, ("a", "c"))
    before = method.loss(batch, draws())["fuse"]
    for change, same in ((NAMES.index("b"), True), (NAMES.index("c"), False)):
        with torch.no_grad():
            for decoder in (method.scenario, method.couple, method.full):
                bias = decoder.decoder.leave.bias
                assert bias is not None
                bias[change] += 3.0
        assert torch.equal(method.loss(batch, draws())["fuse"], before) == same


def test_decoders_see_their_own_modalities_only():
    method, signals = force(build(), "a"), waves()
    for changed in NAMES:
        other = {**signals, changed: signals[changed].flip(1)}
        for decoder, sees in ((method.scenario, "a"), (method.couple, "bc"), (method.full, "abc")):
            ((_, one),) = calls_of(decoder, lambda: method.loss(signals, draws()))
            ((_, two),) = calls_of(decoder, lambda batch=other: method.loss(batch, draws()))
            assert torch.equal(one, two) == (changed not in sees)


def test_the_full_set_is_embedded_by_the_full_decoder_and_the_rest_by_the_scenario_decoder():
    method = build()
    for subset in all_subsets(NAMES):
        used = {
            name
            for name in ("scenario", "couple", "full")
            if calls_of(
                getattr(method, name).fusion,
                lambda given=subset: method.embed(waves(2, given)),
            )
        }
        assert used == {"full" if subset == NAMES else "scenario"}


def test_embeddings_of_one_window_do_not_depend_on_the_others():
    method, signals = build(), waves(5)
    whole = method.embed(signals)
    alone = method.embed({m: x[2:3] for m, x in signals.items()})
    torch.testing.assert_close(alone, whole[2:3], rtol=1e-4, atol=1e-4)


def test_a_missing_modality_is_zero_behind_its_encoder():
    torch.manual_seed(0)
    fusion = Fusion(NAMES, 8, 0.2)
    x = torch.randn(2, 8, 4, 4)
    zero = torch.zeros_like(x)
    assert torch.equal(fusion({"b": x}), fusion({"a": zero, "b": x, "c": zero}))
    assert not torch.allclose(fusion({"b": x}), fusion({"a": x}))


def test_a_gate_weighs_every_modality_once_per_window_by_the_means_of_all():
    torch.manual_seed(0)
    fusion = Fusion(NAMES, 8, 0.2)
    given = {m: torch.randn(2, 8, 4, 4) for m in NAMES}
    (((seen,), weights),) = calls_of(fusion.gate, lambda: fusion(given))
    means = [given[m].mean(dim=(2, 3)) for m in NAMES]
    torch.testing.assert_close(seen, torch.cat(means, dim=1))
    arguments = []
    fusion.gated.register_forward_pre_hook(lambda _, given: arguments.extend(given))
    fusion(given)
    assert weights.shape == (2, 3)
    assert ((weights > 0) & (weights < 1)).all()
    expected = sum(weights[:, i, None, None, None] * given[m] for i, m in enumerate(NAMES))
    torch.testing.assert_close(arguments[0], expected)


def test_at_real_size_the_coarsest_level_is_128_x_12_x_16():
    found = LevelEncoder(RobustSsFSpec().widths, 0.2)(torch.randn(1, 96, 128))
    assert found.shape == (1, 128, 12, 16)
    decoder = LevelDecoder(RobustSsFSpec().widths, 3, 0.2, (96, 128))
    assert decoder.sizes == [(24, 32), (48, 64), (96, 128)]
    assert decoder(found).shape == (1, 3, 96, 128)


def check_an_image_is_rebuilt_from_the_coarsest_level_alone(decode) -> None:
    """What two windows exchange at the coarsest level, their images exchange.

    Args:
        decode: what a decoder makes of (image, coarsest level).
    """
    torch.manual_seed(0)
    encoder, images = LevelEncoder(WIDTHS, 0.2), torch.randn(2, 16, 16)
    with torch.no_grad():
        coarsest = encoder(images)
        before, after = decode(images, coarsest), decode(images, coarsest.flip(0))
    torch.testing.assert_close(after, before.flip(0))
    assert not torch.allclose(after, before)


def test_an_image_is_rebuilt_from_the_coarsest_level_alone():
    decoder = LevelDecoder(WIDTHS, 1, 0.2, (16, 16))
    check_an_image_is_rebuilt_from_the_coarsest_level_alone(lambda _, coarsest: decoder(coarsest))


def test_a_decoder_that_is_shown_the_image_is_found():
    decoder = LevelDecoder(WIDTHS, 1, 0.2, (16, 16))
    with pytest.raises(AssertionError):
        check_an_image_is_rebuilt_from_the_coarsest_level_alone(
            lambda images, coarsest: decoder(coarsest) + images[:, None]
        )


def check_the_level_of_a_window_is_kept(norm: torch.nn.Module) -> None:
    """Two flat images of unlike level stay unlike behind a convolution and its norm.

    Args:
        norm: of (B, H, W, 8).
    """
    torch.manual_seed(0)
    conv = Conv(1, 8, 0.2)
    conv[1] = norm
    levels = torch.tensor([0.5, 1.0])[:, None, None, None].expand(2, 1, 4, 4)
    low, high = conv(levels).active()
    assert (high - low).abs().max() > 1e-2


def test_the_level_of_a_window_is_kept():
    check_the_level_of_a_window_is_kept(torch.nn.LayerNorm(8))


def test_a_norm_that_takes_the_level_away_is_found():
    with pytest.raises(AssertionError):
        check_the_level_of_a_window_is_kept(InstanceNorm(8))


class InstanceNorm(torch.nn.InstanceNorm2d):
    """Of (B, H, W, C)."""

    def forward(self, input):
        return super().forward(input.movedim(-1, 1)).movedim(1, -1)


def test_frequency_counts_in_the_embedding_and_time_does_not():
    method = build()
    method.full.fusion = First()
    level = torch.randn(1, 16, 2, 2, generator=draws())
    before, later, higher = (
        method.fuse({m: x for m in NAMES}) for x in (level, level.flip(3), level.flip(2))
    )
    torch.testing.assert_close(later, before)
    assert not torch.allclose(higher, before, atol=0.1)


class First(torch.nn.Module):
    """Fuses by ignoring all but the first."""

    def forward(self, given):
        return next(iter(given.values()))


def test_odd_images_decode_to_their_own_size_and_small_ones_are_refused():
    method = build(image={"n_fft": 64, "bins": 17, "frames": 13})
    ((_, output),) = calls_of(method.full, lambda: method.loss(waves(2), draws()))
    assert output.shape == (2, 3, 17, 13)
    with pytest.raises(ConfigError, match="must exceed 8"):
        build(image={"n_fft": 64, "bins": 8, "frames": 16})


def test_one_optimiser_step_moves_every_part():
    method = build()
    before = {n: p.detach().clone() for n, p in method.named_parameters()}
    optimizer = torch.optim.Adam(method.parameters(), lr=1e-3, amsgrad=True)
    method.total(method.loss(waves(), draws())).backward()
    optimizer.step()
    moved = {n.split(".")[0] for n, p in method.named_parameters() if not torch.equal(p, before[n])}
    assert moved == {n.split(".")[0] for n in before}
