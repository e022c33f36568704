"""RobustSsF against plain modules with its weights: the same numbers, less kept for backward."""

import weakref
from typing import NamedTuple

import pytest
import torch
from small import SECTIONS
from tiny import NAMES, draws, inputs, waves
from torch import Tensor
from torch.nn import functional as F

from physiome.config.systems.robustssf import RobustSsFSpec
from physiome.methods import robustssf as methods
from physiome.methods.base import Progress
from physiome.methods.robustssf import RobustSsF
from physiome.nn import entered
from physiome.nn import robustssf as parts

SEPARATE, DIRECT, DRAWN = (Progress(epoch, 100, 9, 10) for epoch in (0, 10, 50))
ODD = {"image": {"n_fft": 64, "bins": 17, "frames": 13}}
REGULAR = {"image": {"n_fft": 64, "bins": 16, "frames": 16}}


class Done(NamedTuple):
    """In the place of `Raw`: normed and activated already."""

    x: Tensor

    def active(self) -> Tensor:
        return self.x


def plain_conv(self, x, size=None):
    """`Conv.forward`, an operation after the other."""
    x = x.active() if isinstance(x, Done) else x
    if size is not None:
        x = F.interpolate(x, size=size, mode="bilinear", align_corners=True)
    conv, norm = self  # the convolution pads by reflection itself
    return Done(F.leaky_relu(norm(conv(x).movedim(1, -1)).movedim(-1, 1), self.slope))


@pytest.fixture
def plain(monkeypatch):
    """Call it, and from then on methods compute as plainly as they can."""

    def begin():
        monkeypatch.setattr(parts.Conv, "forward", plain_conv)
        monkeypatch.setattr(parts, "convolve", lambda x, conv: conv(x.active()))
        monkeypatch.setattr(methods, "at_once", lambda loss, x, weights: loss(x))

    return begin


def build(moment=DRAWN, **changes) -> RobustSsF:
    torch.manual_seed(0)
    spec = RobustSsFSpec(**{**SECTIONS["robustssf"], **changes})
    method = RobustSsF(spec, inputs(NAMES)).train()
    method.progress = moment
    return method


def losses_and_gradients(method: RobustSsF, present=NAMES, bf16=False) -> dict[str, Tensor]:
    """By name, of one step; weights that get no gradient are not there."""
    method.zero_grad(set_to_none=True)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        terms = method.loss(waves(4, present), draws())
        total = 3.0 * method.total(terms)
    total.backward()
    found = {n: p.grad for n, p in method.named_parameters() if p.grad is not None}
    return {**{n: t.detach() for n, t in terms.items()}, **found}


def check_same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """In float64, so that nothing but rounding can be as small as what is allowed."""
    assert set(found) == set(expected)
    for name, value in expected.items():
        allowed = 1e-10 * float(value.abs().max())
        torch.testing.assert_close(found[name], value, rtol=0.0, atol=allowed, msg=name)


@pytest.mark.parametrize("moment", [SEPARATE, DIRECT, DRAWN])
@pytest.mark.parametrize("changes", [REGULAR, ODD, {"slope": 0.0}])
def test_losses_and_gradients_are_those_of_plain_modules(plain, moment, changes):
    method = build(moment, **changes).double()
    found = losses_and_gradients(method)
    plain()
    check_same(found, losses_and_gradients(method))


@pytest.mark.parametrize("present", [("b",), ("a", "c")])
def test_so_they_are_where_modalities_are_missing(plain, present):
    method = build().double()
    found = losses_and_gradients(method, present)
    plain()
    check_same(found, losses_and_gradients(method, present))


def test_a_gradient_that_is_lost_at_the_border_is_found(plain, monkeypatch):
    method, unpad = build().double(), entered._unpad

    def lossy(gradient, active, before):
        if before.pad:
            gradient[:, 0] = 0.0
        return unpad(gradient, active, before)

    monkeypatch.setattr(entered, "_unpad", lossy)
    found = losses_and_gradients(method)
    plain()
    with pytest.raises(AssertionError):
        check_same(found, losses_and_gradients(method))


def test_embeddings_are_those_of_plain_modules(plain):
    method, subsets = build().double(), (NAMES, ("b",), ("a", "c"))
    found = [method.embed(waves(3, subset)) for subset in subsets]
    plain()
    for subset, embedding in zip(subsets, found, strict=True):
        torch.testing.assert_close(embedding, method.embed(waves(3, subset)))


@pytest.mark.parametrize("narrow", [False, True])
def test_in_bf16_the_gradient_points_where_it_does_in_float32(narrow, monkeypatch):
    """Norms in 16 bits, too, as on a GPU; their own gradients are left out then: see entered.py."""
    monkeypatch.setattr(entered, "narrow_norms", lambda _: narrow)
    method = build()
    exact, rounded = losses_and_gradients(method), losses_and_gradients(method, bf16=True)
    assert {x.dtype for x in rounded.values()} == {torch.float32}
    assert set(rounded) == set(exact)
    norms = {f"{name}.{of}" for name, part in method.named_modules() for of in ("weight", "bias")
             if isinstance(part, torch.nn.LayerNorm) and narrow}  # fmt: skip
    found, expected = (
        torch.cat([g.flatten() for name, g in gradients.items() if name not in norms])
        for gradients in (rounded, exact)
    )
    assert F.cosine_similarity(found, expected, dim=0) > 0.98


class Held:
    """A tensor that is kept for backward."""

    def __init__(self, tensor: Tensor):
        self.tensor = tensor


def kept_bytes(method: RobustSsF) -> int:
    """Of all that is kept between a step's forward and backward pass, but for weights."""
    held: weakref.WeakSet[Held] = weakref.WeakSet()

    def pack(tensor: Tensor) -> Held:
        one = Held(tensor)
        held.add(one)
        return one

    weights = {p.untyped_storage().data_ptr() for p in method.parameters()}
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda one: one.tensor):
        total = method.total(method.loss(waves(4), draws()))
    storages = {one.tensor.untyped_storage() for one in held}
    sizes = {s.data_ptr(): s.nbytes() for s in storages if s.data_ptr() not in weights}
    assert total.requires_grad  # and so what it keeps is still there
    return sum(sizes.values())


def test_at_real_size_at_most_half_is_kept_for_backward(plain):
    torch.manual_seed(0)
    method = RobustSsF(RobustSsFSpec(), inputs(NAMES)).train()
    method.progress = DRAWN
    found = kept_bytes(method)
    plain()
    expected = kept_bytes(method)
    assert found <= 0.5 * expected
