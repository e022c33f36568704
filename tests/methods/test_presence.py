"""Windows that really lack a modality: what PhysioME is told of them, and what it learns there."""

import pytest
import torch
from checks import calls_of, drop
from tiny import NAMES, N, draws, physiome, waves

WITHOUT_C = ("a", "b")


def told(**changes):
    """A model that sees nothing but states: observed 1, dropped 10, absent 10 + 100."""
    method = physiome(presence=True, **changes)
    with torch.no_grad():
        method.positions.zero_()
        method.mask_token.zero_()
        for m in NAMES:
            method.modality_tokens[m].zero_()
            for p in method.enter[m].parameters():
                p.zero_()
            for row, mark in enumerate((1.0, 10.0, 100.0)):
                method.presence.tables[m][row] = mark
    return method.eval()


def marks(tokens: torch.Tensor, kept: int) -> list[float]:
    """The state at each modality's places, of which those observed in training are sampled."""
    sizes, places = {1.0: kept, 10.0: N, 110.0: N}, []
    at = 0
    while at < tokens.shape[1]:
        mark = round(float(tokens[0, at, 0]), 4)
        assert (tokens[:, at : at + sizes[mark]] - mark).abs().max() < 1e-4
        places.append(mark)
        at += sizes[mark]
    return places


def test_a_fresh_model_is_the_same_with_presence_as_without():
    plain, with_it = physiome().eval(), physiome(presence=True).eval()
    for subset in (NAMES, WITHOUT_C, ("c",)):
        assert torch.equal(plain.embed(waves(3, subset)), with_it.embed(waves(3, subset)))


def test_training_tells_dropped_from_absent():
    method = told(drop_groups=1)
    drop(method, "b")
    kept = len(method.sample(1, draws())[0])
    ((arguments, _),) = calls_of(method.fusion, lambda: method.loss(waves(4, WITHOUT_C), draws()))
    assert marks(arguments[0], kept) == [1.0, 10.0, 110.0]


def test_at_inference_what_is_missing_is_absent_restored_or_not():
    for restoration in ("decoder", "masked"):
        method = told(restoration=restoration)
        calls = calls_of(method.fusion, lambda method=method: method.embed(waves(2, WITHOUT_C)))
        found = [marks(arguments[0], N) for arguments, _ in calls]
        assert found == [[1.0, 1.0, 110.0]] * (2 if restoration == "decoder" else 1)


@pytest.mark.parametrize(("given", "states"), [(NAMES, 2), (WITHOUT_C, 3)])
def test_a_state_is_trained_only_where_it_occurs(given, states):
    """So in data without a really absent modality, absent stays what dropped is."""
    method = physiome(presence=True)
    drop(method, "b")
    method.total(method.loss(waves(6, given), draws())).backward()
    grads = {m: p.grad.abs().sum(dim=1) > 0 for m, p in method.presence.tables.items()}
    assert grads["b"].tolist() == [False, True, False]
    assert grads["c"].tolist() == ([True, False, False] if states == 2 else [False, True, True])


@pytest.mark.parametrize(("where", "learns"), [("all", True), ("complete", False)])
def test_restorers_may_learn_from_complete_windows_alone(where, learns):
    method = physiome(restore_windows=where)
    drop(method, "b")
    for given, expected in ((NAMES, True), (WITHOUT_C, learns)):
        terms = method.loss(waves(6, given), draws())
        assert terms["missing"].requires_grad == expected
        method.total(terms).backward()  # without a restored modality it is still a loss
        seen = float(method.restorers["b"].seen)
        method.after_step()
        assert float(method.restorers["b"].seen) == seen + expected  # nor is the mean token moved
