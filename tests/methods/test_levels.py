"""PhysioME+ hands on the level and spread of each signal beside what its encoders make of it."""

import pytest
import torch
from tiny import NAMES, draws, physiome, waves

LAST = 2 * len(NAMES)


def with_levels(**changes):
    method = physiome(levels=True, **changes)
    method.set_scaling(dict.fromkeys(NAMES, (1.0, 2.0)))
    return method


@pytest.mark.parametrize("embedding", ["mean", "per_modality"])
def test_the_last_columns_are_level_and_log_spread_of_each_observed_signal(embedding):
    method, signals = with_levels(embedding=embedding), waves()
    found = method.embed({m: signals[m] for m in ("a", "c")})[:, -LAST:].unflatten(1, (-1, 2))
    for place, m in ((0, "a"), (2, "c")):
        x = (signals[m] - 1.0) / 2.0
        expected = torch.stack([x.mean(dim=1), x.std(dim=1).log()], dim=1)
        torch.testing.assert_close(found[:, place], expected)
    assert not found[:, 1].any()


def test_a_flat_line_and_a_huge_one_have_a_level():
    method = with_levels()
    flat = {m: torch.full((2, 900), 1e9) for m in NAMES}
    assert torch.isfinite(method.embed(flat)).all()


def test_what_is_before_them_and_the_training_are_those_without_levels():
    signals = waves()
    plain, method = physiome(), with_levels()
    terms, same = (m.loss(signals, draws()) for m in (method, plain))
    assert all(torch.equal(terms[name], same[name]) for name in same)
    for subset in (NAMES, NAMES[:1]):
        observed = {m: signals[m] for m in subset}
        assert torch.equal(method.embed(observed)[:, :-LAST], plain.embed(observed))
        restored, expected = (m.restore(m.encode(observed)) for m in (method, plain))
        assert all(torch.equal(restored[m], expected[m]) for m in expected)


def test_it_says_how_many_columns_they_are():
    assert with_levels().level_columns == 2 * len(waves())
    assert physiome().level_columns == 0
