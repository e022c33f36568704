"""Which loss term trains which parameters: one table per system, one term at a time."""

from fnmatch import fnmatch
from functools import cache

import pytest
import torch
from checks import calls_of, drop, reached
from small import job_of
from tiny import NAMES, draws, neuronet, physiome, waves

from physiome.methods.build import build_method, fresh_parents
from physiome.methods.neuronet import DPNeuroNet, NeuroNet

# PhysioME on a, b, c with b dropped. Each pattern of a group is looked at on its own.
COLUMNS = ("intra", "missing", "missing, gradient on", "contrast")
YES, NO = True, False
PHYSIOME = [
    ("frozen encoder weights", ["encoders.?.frame_network.*", "encoders.?.enter.*",
     "encoders.?.class_token", "encoders.?.transformer.*norm*", "encoders.?.*mlp*",
     "encoders.?.*qkv*", "encoders.?.*base_layer*"], (NO, NO, NO, NO)),
    ("LoRA B, kept", ["encoders.a.*lora_B*", "encoders.c.*lora_B*"], (YES, NO, YES, YES)),
    ("LoRA B, dropped", ["encoders.b.*lora_B*"], (NO, NO, NO, YES)),
    ("LoRA A while B is zero", ["encoders.?.*lora_A*"], (NO, NO, NO, NO)),
    ("embedding, kept", ["enter.a.*", "enter.c.*"], (YES, NO, YES, YES)),
    ("embedding, dropped", ["enter.b.*"], (NO, NO, NO, NO)),
    ("modality tokens", [f"modality_tokens.{m}" for m in NAMES], (YES, NO, YES, YES)),
    ("mask token", ["mask_token"], (YES, NO, YES, YES)),
    ("multimodal encoder", ["fusion.blocks.*", "fusion.norm.*"], (YES, NO, YES, YES)),
    ("decoders, kept", ["decoders.a.enter*", "decoders.c.transformer*", "decoders.a.leave*",
     "decoders.a.mask_token", "decoders.c.mask_token"], (YES, NO, NO, NO)),
    ("decoders, dropped", ["decoders.b.*"], (NO, NO, NO, NO)),
    ("restorers, dropped", ["restorers.b.enter*", "restorers.b.transformer*",
     "restorers.b.leave*"], (NO, YES, YES, NO)),
    ("restorers, kept", ["restorers.a.*", "restorers.c.*"], (NO, NO, NO, NO)),
    ("projections", ["project_fused.*", *(f"project.{m}.*" for m in NAMES)],
     (NO, NO, NO, YES)),
]  # fmt: skip


@cache
def physiome_gradients(column: str, lora_b: float = 0.0) -> tuple[frozenset, frozenset]:
    """Names of all parameters, and of those that the column's term trains."""
    method = physiome(restoration_gradient=column.endswith("gradient on"))
    with torch.no_grad():
        for name, p in method.named_parameters():
            if "lora_B" in name:
                p.normal_(std=lora_b, generator=draws()) if lora_b else p.zero_()
    drop(method, "b")
    terms = method.loss(waves(), draws())
    names = frozenset(name for name, _ in method.named_parameters())
    return names, frozenset(reached(method, terms[column.split(",")[0]]))


def assert_gradient(names, found, patterns, expected):
    for pattern in patterns:
        group = {name for name in names if fnmatch(name, pattern)}
        assert group, f"no parameter is called {pattern}"
        assert bool(group & found) == expected, pattern


@pytest.mark.parametrize("column", COLUMNS)
def test_physiome(column, subtests):
    for group, patterns, row in PHYSIOME:
        with subtests.test(group=group):
            assert_gradient(*physiome_gradients(column), patterns, row[COLUMNS.index(column)])


def test_the_physiome_table_speaks_of_every_parameter():
    names, _ = physiome_gradients("intra")
    patterns = [pattern for _, group, _ in PHYSIOME for pattern in group]
    other = {name for name in names if not any(fnmatch(name, p) for p in patterns)}
    # Parts of the kept and dropped decoders that the table names by example.
    assert all(name.startswith(("decoders.", "restorers.")) for name in other), other


@pytest.mark.parametrize(
    ("column", "kept", "dropped"),
    list(zip(COLUMNS, (YES, NO, YES, YES), (NO, NO, NO, YES), strict=True)),
)
def test_lora_a_learns_once_b_is_not_zero(column, kept, dropped):
    gradients = physiome_gradients(column, lora_b=0.1)
    assert_gradient(*gradients, ["encoders.a.*lora_A*", "encoders.c.*lora_A*"], kept)
    assert_gradient(*gradients, ["encoders.b.*lora_A*"], dropped)


def test_the_frozen_weights_have_no_gradient_at_all():
    method = physiome()
    method.total(method.loss(waves(), draws())).backward()
    for name, p in method.encoders.named_parameters():
        assert ("lora_" in name) == p.requires_grad
        assert p.requires_grad or p.grad is None


@pytest.mark.parametrize("restoration_gradient", [False, True])
@pytest.mark.parametrize("term", ["intra", "missing"])
def test_targets_are_not_pulled_towards_the_predictions(term, restoration_gradient):
    method = physiome(restoration_gradient=restoration_gradient)
    drop(method, "b")
    with torch.no_grad():  # predictions that depend on nothing: what is left is the target's pull
        for decoder in [*method.decoders.values(), *method.restorers.values()]:
            decoder.leave.weight.zero_()
    found = reached(method, method.loss(waves(), draws())[term])
    assert found
    assert all(".leave." in name for name in found)


def test_without_drops_the_mask_token_rests_and_nothing_is_restored():
    method = physiome()
    drop(method, "")
    terms = method.loss(waves(), draws())
    assert float(terms["missing"]) == 0.0
    assert not terms["missing"].requires_grad
    assert "mask_token" not in reached(method, method.total(terms))


@pytest.mark.parametrize("restoration", ["decoder", "masked", "memory"])
def test_a_dropped_signal_changes_no_fused_and_no_restored_token(restoration):
    method = physiome(restoration=restoration)
    drop(method, "b")
    method.eval()  # no LoRA dropout
    signals = waves()
    shifted = {**signals, "b": signals["b"] + 3.0}
    parts = [method.fusion, method.restorers["b"]] if restoration == "decoder" else [method.fusion]
    for part in parts:
        (one,), (other,) = (
            calls_of(part, lambda batch=batch: method.loss(batch, draws()))
            for batch in (signals, shifted)
        )
        assert torch.equal(one[1], other[1])
    kept = {**signals, "a": signals["a"] * 2.0}
    (one,), (other,) = (
        calls_of(method.fusion, lambda batch=batch: method.loss(batch, draws()))
        for batch in (signals, kept)
    )
    assert not torch.equal(one[1], other[1])


# NeuroNet and DP-NeuroNet

ENCODER_COLUMNS = ("masked", "masked, target detached", "within", "across")
NEURONET = [
    ("frame network", ["encoder.frame_network.stem*", "encoder.frame_network.branches.0*",
     "encoder.frame_network.branches.2*", "encoder.frame_network.head*"], (YES, YES, YES, YES)),
    ("embedding", ["encoder.enter.*"], (YES, YES, YES, YES)),
    ("encoder", ["encoder.transformer.blocks*", "encoder.transformer.norm*"],
     (YES, YES, YES, YES)),
    ("class token", ["encoder.class_token"], (YES, YES, YES, YES)),
    ("decoder", ["decoder.enter*", "decoder.transformer*", "decoder.leave*"], (YES, YES, NO, NO)),
    ("mask token", ["decoder.mask_token"], (YES, YES, NO, NO)),
    ("projection", ["projection.*"], (NO, NO, YES, YES)),
]  # fmt: skip


@cache
def neuronet_gradients(cls, column: str) -> tuple[frozenset, frozenset]:
    method = neuronet(cls, detach_target=column.endswith("detached")).train()
    terms = method.loss(waves(names="a"), draws(1))
    names = frozenset(name for name, _ in method.named_parameters())
    return names, frozenset(reached(method, terms[column.split(",")[0]]))


@pytest.mark.parametrize(
    ("cls", "column"),
    [
        (cls, column)
        for cls in (NeuroNet, DPNeuroNet)
        for column in ENCODER_COLUMNS
        if column in cls.terms or "masked" in column
    ],
)
def test_neuronet_family(cls, column, subtests):
    for group, patterns, row in NEURONET:
        with subtests.test(group=group):
            found = neuronet_gradients(cls, column)
            assert_gradient(*found, patterns, row[ENCODER_COLUMNS.index(column)])


def test_only_detaching_takes_the_targets_own_pull_from_the_frame_network():
    x = waves(names="a")
    gradients, values = [], []
    for detach in (False, True):
        method = neuronet(NeuroNet, detach_target=detach).train()
        term = method.loss(x, draws(1))["masked"]
        term.backward()
        values.append(float(term.detach()))
        gradients.append(method.encoder.frame_network.head[2].bias.grad.clone())
        decoder = method.decoder.leave.weight.grad.clone()
        gradients.append(decoder)
    assert values[0] == values[1]
    assert torch.equal(gradients[1], gradients[3])  # the decoder's gradient is the same
    assert not torch.allclose(gradients[0], gradients[2])


@pytest.mark.parametrize("build", [physiome, neuronet])
def test_position_tables_are_no_parameters_and_never_move(build):
    method = build().train()
    assert not any("positions" in name for name, _ in method.named_parameters())
    tables = {n: b.clone() for n, b in method.named_buffers() if n.endswith("positions")}
    assert len(tables) >= 2
    optimizer = torch.optim.AdamW([p for p in method.parameters() if p.requires_grad], lr=0.1)
    method.total(method.loss(waves(), draws())).backward()
    optimizer.step()
    after = dict(method.named_buffers())
    assert all(torch.equal(after[name], table) for name, table in tables.items())


def test_models_of_subsets_are_clipped_each_on_its_own():
    settings = job_of("contrawr")
    method = build_method(settings, fresh_parents(settings))
    groups = [{id(p) for p in group} for group in method.clip_groups()]
    assert groups == [{id(p) for p in model.parameters()} for model in method.models.values()]
    assert len(groups) == 7
