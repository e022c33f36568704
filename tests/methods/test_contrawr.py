"""ContraWR: sizes, spectrogram, momentum copy, one model per subset."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from checks import calls_of, reached
from descent import check_a_step_downhill_lowers, fixed
from small import SECTIONS
from tiny import NAMES, RATE_HZ, SAMPLES, WINDOW, draws, inputs, waves

from physiome.config.systems.contrawr import ContraWRSpec
from physiome.config.window import Window
from physiome.errors import ConfigError, PhysioError
from physiome.methods import contrawr
from physiome.methods.contrawr import ContraWR, DedicatedContraWR
from physiome.nn.contrawr import band_responses
from physiome.subsets import all_subsets, subset_name

SMALL = SECTIONS["contrawr"]


def small(names=NAMES, seed: int = 0, **changes) -> ContraWR:
    torch.manual_seed(seed)
    spec = ContraWRSpec.parse({**SMALL, **changes})
    return ContraWR.build(spec, inputs(names), []).train()


def dedicated(seed: int = 0) -> DedicatedContraWR:
    torch.manual_seed(seed)
    return DedicatedContraWR.build(ContraWRSpec.parse(SMALL), inputs(), []).train()


def real(names, length_s: float) -> ContraWR:
    window = Window.parse({**WINDOW, "length_s": length_s}, "window")
    return ContraWR(ContraWRSpec(), names, window)


@pytest.mark.parametrize(("length_s", "frames", "features"), [(30.0, 43, 128), (60.0, 90, 384)])
def test_the_published_sizes(length_s, frames, features):
    method = real(NAMES, length_s)
    encoded = method.encode({m: torch.randn(2, int(100 * length_s)) for m in NAMES})
    assert {m: x.shape for m, x in encoded.items()} == {m: (2, 2, 129, frames) for m in NAMES}
    assert method.eval().fuse(encoded).shape == (2, features) == (2, method.network.features)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_parameter_count_follows_from_the_sizes(k):
    def block(i, o):  # two convolutions, a shortcut, three batch-norms
        return 18 * i * o + 9 * o * o + 9 * o

    expected = 9 * 2 * k * 6 + 6 + 12 + block(6, 8) + block(8, 16) + block(16, 32)
    expected += 2 * (128 * 128 + 128)
    network = real(NAMES[:k], 30.0).network
    assert sum(p.numel() for p in network.parameters()) == expected


def test_an_image_that_the_strides_would_use_up_is_refused():
    with pytest.raises(ConfigError, match="too small for ContraWR"):
        small(hop=64)


def test_an_image_holds_the_logarithms_of_real_and_imaginary_magnitude():
    method = small("a")
    x = waves(1, "a")["a"]
    image = method.encode({"a": x})["a"][0].double().numpy()  # (2, bins, frames)
    assert image.shape == (2, 33, (SAMPLES - 64) // 16 + 1)
    for frame in (0, 7, 52):
        spectrum = np.fft.rfft(x[0, 16 * frame : 16 * frame + 64].double().numpy())
        parts = np.stack([spectrum.real, spectrum.imag])
        np.testing.assert_allclose(np.exp(image[:, :, frame]), np.abs(parts) + 1e-8, atol=2e-5)


def test_signals_are_scaled_without_offset_and_bounded_about_it():
    method = small("a")
    method.set_scaling({"a": (90.0, 2.0)})
    given = torch.tensor([[90.0, 70.0, 110.0, 500.0, -500.0]])
    assert method.scaled("a", given).tolist() == [[45.0, 35.0, 55.0, 65.0, 25.0]]
    level = torch.ones(1, SAMPLES)
    low, high = (method.encode({"a": v * level})["a"] for v in (70.0, 110.0))
    assert not torch.allclose(low, high, atol=0.1)  # centred, they would be one image


def copies(method: ContraWR) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """(trained, momentum) parameters, copied."""
    pairs = zip(method.network.parameters(), method.momentum.module.parameters(), strict=True)
    return [(p.detach().clone(), q.detach().clone()) for p, q in pairs]


def check_the_momentum_copy_averages_from_the_first_step_on(method: ContraWR) -> None:
    assert all(torch.equal(p, q) for p, q in copies(method))
    optimizer = torch.optim.AdamW([p for p in method.parameters() if p.requires_grad], lr=0.1)
    for _ in range(3):
        before = copies(method)
        method.total(method.loss(waves(), draws())).backward()
        optimizer.step()
        assert all(torch.equal(q, b[1]) for (_, q), b in zip(copies(method), before, strict=True))
        method.after_step()
        for (new, average), (old, was) in zip(copies(method), before, strict=True):
            assert not torch.equal(new, old)
            torch.testing.assert_close(average, 0.9 * was + 0.1 * new)


def test_the_momentum_copy_averages_from_the_first_step_on():
    check_the_momentum_copy_averages_from_the_first_step_on(small())


def test_a_copy_that_becomes_the_network_at_its_first_update_is_found():
    method = small()
    method.momentum.n_averaged.zero_()  # as the library starts
    with pytest.raises(AssertionError):
        check_the_momentum_copy_averages_from_the_first_step_on(method)


def test_after_a_thousand_steps_of_the_published_momentum_61_percent_of_the_start_remain():
    method = small("a", momentum=0.9995)
    with torch.no_grad():
        for p, q in zip(
            method.network.parameters(), method.momentum.module.parameters(), strict=True
        ):
            p.zero_()
            q.fill_(1.0)
    for _ in range(1000):
        method.after_step()
    for _, average in copies(method):
        torch.testing.assert_close(average, torch.full_like(average, 0.606455), atol=5e-5, rtol=0)


def test_the_contrast_trains_encoder_and_projection_and_never_the_momentum_copy():
    method = small()
    found = reached(method, method.loss(waves(), draws())["contrast"])
    bias_before_norm = {  # a batch-norm takes the mean away
        name
        for name, _ in method.network.named_parameters(prefix="network")
        if name.endswith(("encoder.0.bias", "inner.0.bias", "inner.3.bias", "shortcut.0.bias"))
    }
    expected = {name for name, _ in method.network.named_parameters(prefix="network")}
    assert expected - bias_before_norm <= found <= expected
    for name, p in method.named_parameters():
        assert p.requires_grad == name.startswith("network.")
        assert p.requires_grad or p.grad is None


def test_positives_come_from_the_copy_with_the_batchs_own_statistics():
    method = small(dropout=0.0)
    expected = method.loss(waves(), draws())
    for name, buffer in method.momentum.module.named_buffers():
        if "running" in name:
            buffer.fill_(7.0)
    assert torch.equal(method.loss(waves(), draws())["contrast"], expected["contrast"])
    with torch.no_grad():
        method.momentum.module.projection[2].weight.mul_(-1)
        method.momentum.module.projection[2].bias.mul_(-1)
    turned = method.loss(waves(), draws())
    torch.testing.assert_close(turned["alignment"], -expected["alignment"])


def test_the_two_views_are_disturbed_independently():
    method = small(dropout=0.0)
    (mine,) = calls_of(method.network.encoder, lambda: method.loss(waves(), draws()))
    (its,) = calls_of(method.momentum.module.encoder, lambda: method.loss(waves(), draws()))
    assert mine[0][0].shape == its[0][0].shape == (6, 6, 33, 53)
    same = [torch.equal(a, b) for a, b in zip(mine[0][0], its[0][0], strict=True)]
    assert sum(same) <= 2  # both views can come out unchanged


def test_training_and_embedding_show_the_channels_in_the_modalities_order(monkeypatch):
    monkeypatch.setattr(contrawr, "disturb", lambda x, *_: x)
    method = small()
    method.set_scaling({m: (0.1 * i, 0.5 + i) for i, m in enumerate(NAMES)})
    encoded = method.encode(waves())
    # (B, 6, bins, frames): as published, all real parts in front of all imaginary ones.
    expected = torch.stack([encoded[m][:, part] for part in (0, 1) for m in NAMES], dim=1)
    turned = {m: waves()[m] for m in reversed(NAMES)}
    for run in (lambda: method.loss(turned, draws()), lambda: method.embed(turned)):
        ((given, _),) = calls_of(method.network.encoder, run)
        torch.testing.assert_close(given[0], expected, rtol=1e-3, atol=1e-3)


def test_a_modality_can_have_bands_of_its_own():
    other, own = ((1.0, 5.0), (30.0, 49.0)), ((0.5, 5.0), (5.0, 15.0))
    method = small(bands_hz={"b": own}, slow=("c",))
    expected = band_responses([other, own, other], (False, False, True), RATE_HZ, SAMPLES)
    assert torch.equal(method.responses, expected)


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"high_hz": (30.0, 50.0)}, "ends at 50"), ({"bands_hz": {"b": [[1, 2], [9, 60]]}}, "at 60")],
)
def test_a_band_beyond_the_signals_frequencies_is_refused(changes, words):
    with pytest.raises(ConfigError, match=words):
        small(**changes)
    assert small("a", bands_hz={"b": ((1.0, 2.0), (9.0, 60.0))}).modalities == ("a",)


def test_an_empty_band_is_refused():
    with pytest.raises(ConfigError, match="is empty"):
        small(low_hz=(5.0, 1.0))


def pressures(batch: int = 40) -> dict[str, torch.Tensor]:
    """Waves about levels of their own, as a pressure has them."""
    levels = torch.linspace(60.0, 120.0, batch)[:, None]
    return {m: levels + 10.0 * x for m, x in waves(batch).items()}


def test_images_of_slow_modalities_are_standardised_per_part_and_bin_and_others_are_not():
    method = small(slow=("b",))
    method.set_scaling({m: (90.0, 20.0) for m in NAMES})
    before = method.encode(pressures())
    images = torch.stack([before[m] for m in NAMES], dim=1)
    raw = method.seen(images)
    method.calibrate(pressures())
    seen = method.seen(images)
    for channel in (0, 2, 3, 5):  # real parts of a and c, imaginary ones
        assert torch.equal(seen[:, channel], raw[:, channel])
    for channel in (1, 4):
        mean, sd = seen[:, channel].mean(dim=(0, 2)), seen[:, channel].std(dim=(0, 2))
        torch.testing.assert_close(mean, torch.zeros(33), atol=1e-3, rtol=0)
        inner = slice(0 if channel == 1 else 1, -1)  # of a real signal both ends have no phase
        torch.testing.assert_close(sd[inner], torch.ones_like(sd[inner]), atol=1e-2, rtol=0)
    assert torch.isfinite(seen).all()


def test_every_model_of_a_slow_modality_is_standardised():
    torch.manual_seed(0)
    method = DedicatedContraWR.build(ContraWRSpec(**{**SMALL, "slow": ("b",)}), inputs(), [])
    assert method.calibrated
    method.set_scaling({m: (90.0, 20.0) for m in NAMES})
    method.calibrate(pressures())
    expected = method.models["b"].standards["b"].mean
    for subset in all_subsets(NAMES):
        for m, standard in method.models[subset_name(subset)].standards.items():
            assert torch.equal(standard.mean, expected if m == "b" else torch.zeros_like(expected))


def test_the_model_of_a_subset_ignores_other_modalities_and_refuses_to_lack_one():
    signals = waves()
    without = {m: signals[m] for m in "ac"}
    method = small(("a", "c"), dropout=0.0)
    with_b, alone = (method.loss(x, draws())["contrast"] for x in (signals, without))
    assert torch.equal(with_b, alone)
    assert method.refuses(("c", "a")) == ""
    assert method.refuses(("a",))
    assert method.refuses(NAMES)


def test_telling_windows_apart_costs_less_than_collapsing_and_training_goes_on_from_there(
    monkeypatch,
):
    """Between equal views each vector is its own positive, at similarity 1.

    Then the loss is the margin less what the world differs from the vectors: below the margin for
    any network that tells windows apart, the margin itself for vectors that are all equal.
    """
    monkeypatch.setattr(contrawr, "disturb", lambda x, *_: x)
    method = small(dropout=0.0)
    loss = fixed(method, lambda: method.loss(waves(8), draws())["contrast"])
    assert float(loss().detach()) < method.spec.margin - 1e-3
    check_a_step_downhill_lowers(method.network.parameters(), loss)
    with torch.no_grad():
        for network in (method.network, method.momentum.module):
            network.projection[2].weight.zero_()
    assert float(loss().detach()) == pytest.approx(method.spec.margin, abs=1e-5)


# One model per subset


def test_there_is_one_model_per_subset_with_the_subsets_channels():
    method = dedicated()
    assert list(method.models) == [subset_name(s) for s in all_subsets(NAMES)]
    for subset in all_subsets(NAMES):
        model = method.models[subset_name(subset)]
        assert model.modalities == subset
        assert model.network.encoder[0].in_channels == 2 * len(subset)
    weights = [id(p) for p in method.parameters()]
    assert len(weights) == len(set(weights))


def test_each_term_trains_its_own_model_only():
    method = dedicated()
    terms = method.loss(waves(), draws())
    for name in method.models:
        found = reached(method, terms[f"{name}/contrast"])
        assert found
        assert {n.split(".")[1] for n in found} == {name}


def test_a_batch_that_lacks_a_modality_trains_the_models_without_it():
    method = dedicated()
    terms = method.loss({m: x for m, x in waves().items() if m != "b"}, draws())
    assert {name.split("/")[0] for name in terms} == {"a", "c", "a+c"}
    assert torch.isfinite(method.total(terms))


def test_every_subset_is_embedded_by_its_own_model():
    method = dedicated().eval()
    method.set_scaling({m: (0.1 * i, 0.5 + i) for i, m in enumerate(NAMES)})
    signals = waves(3)
    for subset in all_subsets(NAMES):
        model = method.models[subset_name(subset)]
        given = {m: signals[m] for m in subset}
        assert torch.equal(method.embed(given), model.embed(given))
        with torch.no_grad():
            for p in model.network.parameters():
                p.mul_(2.0)
        assert not method.refuses(subset)
    with pytest.raises(PhysioError, match="unknown modality"):
        method.models["a"].embed(signals)


def test_one_step_moves_all_models_and_their_copies():
    method = dedicated()
    before = {n: p.detach().clone() for n, p in method.named_parameters()}
    optimizer = torch.optim.AdamW([p for p in method.parameters() if p.requires_grad], lr=0.01)
    method.total(method.loss(waves(), draws())).backward()
    optimizer.step()
    method.after_step()
    same = [n for n, p in method.named_parameters() if torch.equal(p, before[n])]
    assert same == []


def test_the_rate_of_the_window_sets_the_bands():
    assert small().rate_hz == RATE_HZ


def test_only_the_subsets_that_are_scored_get_a_model():
    fed = replace(inputs(), scored=("a+b+c", "c"))
    method = DedicatedContraWR.build(ContraWRSpec.parse(SMALL), fed, [])
    assert set(method.models) == {"a+b+c", "c"}
    assert method.refuses(("a",))
    assert torch.isfinite(method.embed(waves(2, ["c"]))).all()


def test_the_footnote_on_slow_signals_stands_where_there_is_one():
    for slow in ((), ("b",)):
        spec = ContraWRSpec(**SECTIONS["contrawr"], slow=slow)
        assert bool(DedicatedContraWR.build(spec, inputs(), ()).departure) == bool(slow)
