"""MaskMentor: its phases, the masking of modalities, and what a student learns from its teacher."""

import copy

import pytest
import torch
from checks import calls_of, reached
from descent import check_a_step_downhill_lowers, fixed
from test_multimae import SMALL, N
from tiny import NAMES, draws, inputs, waves

from physiome.config.systems.maskmentor import MaskMentorSpec
from physiome.methods.base import Progress
from physiome.methods.maskmentor import MaskMentor, unmasked_modalities
from physiome.subsets import all_subsets

STUDENT, TEACHER, WARMUP = Progress(1, 2, 3, 4), Progress(1, 2, 0, 4), Progress(0, 2, 3, 4)


def maskmentor(moment=STUDENT, seed=0, **changes) -> MaskMentor:
    torch.manual_seed(seed)
    method = MaskMentor(MaskMentorSpec.parse({**SMALL, **changes}), inputs()).train()
    method.progress = moment
    return method


def test_a_fifth_of_the_epochs_is_warm_up_then_one_step_in_four_is_the_students():
    method = maskmentor()
    phases = []
    for epoch in range(10):
        for step in range(6):
            method.progress = Progress(epoch, 10, step, 6)
            phases.append(method.phase)
    assert phases[:12] == ["warmup"] * 12
    assert phases[12:] == (["teacher"] * 3 + ["student"]) * 12


def test_every_modality_is_shown_with_probability_four_sevenths_and_one_at_least():
    batch = 7000
    shown = unmasked_modalities(batch, 3, 0.5, draws())
    assert shown.shape == (batch, 3)
    assert shown.any(dim=1).all()
    share = shown.float().mean(dim=0)
    assert ((share - 4 / 7).abs() < 4 * (12 / 49 / batch) ** 0.5).all()
    assert abs(float(shown.sum(dim=1).float().mean()) - 12 / 7) < 0.04
    _, counts = shown.unique(dim=0, return_counts=True)
    assert counts.shape == (7,)
    assert ((counts / batch - 1 / 7).abs() < 4 * (6 / 49 / batch) ** 0.5).all()


@pytest.mark.parametrize("probability", [0.0, 0.2, 0.9])
def test_the_table_has_the_law_that_rejection_arrives_at(probability):
    masked = torch.rand(40000, 3, generator=draws(1)) < probability
    rejected = ~masked[~masked.all(dim=1)]
    shown = unmasked_modalities(20000, 3, probability, draws(2))
    difference = shown.float().mean(dim=0) - rejected.float().mean(dim=0)
    assert (difference.abs() < 0.03).all()


def patches_shown(method, batch=200, names=NAMES):
    """How many patches of each modality every sample shows: (B, M)."""
    given = {m: torch.zeros(batch, N, 16) for m in names}
    visible = method.draw_visible(given, draws())
    return torch.stack([(visible // N == i).sum(dim=1) for i in range(len(names))], dim=1)


@pytest.mark.parametrize("moment", [WARMUP, STUDENT])
def test_whole_modalities_are_masked_per_sample_and_the_visible_total_stays(moment):
    counts = patches_shown(maskmentor(moment))
    assert (counts.sum(dim=1) == 8).all()
    assert 0.3 < float((counts == 0).float().mean()) < 0.6  # 3/7 and few by their shares
    assert 0.3 < float((counts == 8).any(dim=1).float().mean()) < 0.65  # 3/7 and few


def test_the_teacher_sees_every_modality_but_for_small_shares():
    counts = patches_shown(maskmentor(TEACHER))
    assert (counts.sum(dim=1) == 8).all()
    assert float((counts == 0).float().mean()) < 0.2  # 1 - (1 - 0.5 / 8)^2 = 0.12


def test_with_a_large_budget_no_masked_modality_fills_in():
    counts = patches_shown(maskmentor(STUDENT, visible=24))
    assert (counts.sum(dim=1) == N).all()
    assert 0.3 < float((counts == N).any(dim=1).float().mean()) < 0.65


@pytest.mark.parametrize("moment", [WARMUP, TEACHER])
def test_only_a_student_has_a_token_loss(moment):
    method = maskmentor(moment)
    terms = method.loss(waves(), draws())
    assert set(terms) == set(method.weights) == {"pixels", "tokens"}
    assert float(terms["tokens"]) == 0.0
    assert not terms["tokens"].requires_grad
    found = reached(method, method.total(terms))
    expected = {n for n, _ in method.named_parameters() if not n.startswith("token_heads.")}
    assert found == expected


def test_what_a_student_update_trains():
    method = maskmentor()
    everything = {name for name, _ in method.named_parameters()}
    terms = method.loss(waves(), draws())
    tokens = reached(method, terms["tokens"])
    assert tokens == {name for name in everything if not name.startswith("pixel_heads.")}
    pixels = reached(method, method.loss(waves(), draws())["pixels"])
    assert pixels == {name for name in everything if not name.startswith("token_heads.")}


def test_nothing_is_learned_through_the_teacher():
    method = maskmentor()
    with torch.no_grad():  # predictions that depend on nothing: what is left is the target's pull
        for head in method.token_heads.values():
            for p, spread in zip(head.parameters(), (0.0, 1.0), strict=True):  # weight, bias
                p.normal_(std=spread, generator=draws())
    found = reached(method, method.loss(waves(), draws())["tokens"])
    assert found
    assert all(name.startswith("token_heads.") for name in found)


def test_the_target_is_the_same_weights_on_everything_in_evaluation_mode():
    method, signals = maskmentor(), waves()
    student, teacher = calls_of(method.encoder, lambda: method.loss(signals, draws()))
    assert student[1].shape == (6, 1 + 8, 64)
    frozen = copy.deepcopy(method).eval()
    with torch.no_grad():
        expected = frozen.encode_tokens(frozen.tokens(frozen.patches(signals)))
    assert torch.equal(teacher[1], expected)


def test_the_token_loss_is_the_mean_cosine_distance_at_masked_patches():
    method = maskmentor()
    patches = method.patches(waves(3))
    visible = method.draw_visible(patches, draws())
    features = method.rebuild(patches, visible)
    with torch.no_grad():
        target = method.encode_tokens(method.tokens(patches))[:, 1:]
        found = torch.cat([method.token_heads[m](features[m]) for m in NAMES], dim=1)
        distances = []
        for b in range(3):
            for i in sorted(set(range(3 * N)) - set(visible[b].tolist())):
                p, t = found[b, i], target[b, i]
                distances.append(float(1 - p @ t / p.norm() / t.norm()))
        assert len(distances) == 3 * (3 * N - 8)
        loss = float(method.token_loss(features, patches, visible))
    assert loss == pytest.approx(sum(distances) / len(distances), rel=1e-4)


def test_the_token_weight_counts():
    one, half = maskmentor(), maskmentor(token_weight=0.5)
    terms = one.loss(waves(), draws())
    assert torch.equal(one.total(terms), terms["pixels"] + terms["tokens"])
    assert torch.isclose(half.total(terms), terms["pixels"] + 0.5 * terms["tokens"])


@pytest.mark.parametrize("moment", [WARMUP, TEACHER, STUDENT])
@pytest.mark.parametrize("present", all_subsets(NAMES))
def test_a_batch_may_lack_modalities_in_every_phase(moment, present):
    method = maskmentor(moment)
    found = reached(method, method.total(method.loss(waves(6, present), draws())))
    for m in NAMES:
        for part in ("enter", "pixel_heads", "decoders"):
            hit = any(name.startswith(f"{part}.{m}.") for name in found)
            assert hit == (m in present), (part, m)


@pytest.mark.parametrize("term", ["pixels", "tokens"])
def test_each_term_of_a_student_falls_along_its_gradient(term):
    """Also that of the tokens, whose target moves with the weights."""
    method = maskmentor(STUDENT)
    method.calibrate(waves(20))
    loss = fixed(method, lambda: method.loss(waves(8), draws())[term])
    check_a_step_downhill_lowers(method.parameters(), loss)
