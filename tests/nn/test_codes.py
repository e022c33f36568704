"""Codebooks: how they start, follow, rest, and are saved."""

import pytest
import torch
from tiny import draws
from torch.nn import functional as F

from physiome.nn.physioomni_codes import Codebook


def codebook(codes=8, width=4, seed=0):
    torch.manual_seed(seed)
    return Codebook(width, codes, decay=0.9, commitment=1.0)


def codes_of(book):
    return book.state_dict()["quantizer._codebook.embed"][0].clone()


def started(book):
    return bool(book.state_dict()["quantizer._codebook.initted"])


def run(book, x, seed=0):
    torch.manual_seed(seed)
    return book(x, draws(seed))


def snapshot(book):
    return {name: t.clone() for name, t in book.state_dict().items()}


def unchanged(book, before):
    return all(torch.equal(t, before[name]) for name, t in book.state_dict().items())


def test_before_any_training_codes_are_different_directions():
    codes = codes_of(codebook())
    torch.testing.assert_close(codes.norm(dim=1), torch.ones(8))
    assert float((codes @ codes.T - 2 * torch.eye(8)).max()) < 0.999


@pytest.mark.parametrize("trained", [False, True])
def test_an_evaluation_neither_starts_nor_moves_codes(trained):
    book = codebook().train()
    if trained:
        run(book, torch.randn(4, 9, 4))
    book.eval()
    before = snapshot(book)
    book(torch.randn(4, 9, 4), draws())
    book.nearest(torch.randn(4, 9, 4))
    assert unchanged(book, before)
    assert started(book) == trained


def test_looking_codes_up_in_training_mode_changes_nothing_either():
    book = codebook().train()
    before = snapshot(book)
    book.nearest(torch.randn(4, 9, 4))
    assert unchanged(book, before)


def test_training_starts_codes_at_the_middles_of_clusters():
    middles = torch.eye(4)
    x = middles.repeat_interleave(40, dim=0) * 3.0 + 0.01 * torch.randn(160, 4, generator=draws())
    found = {
        frozenset(run(codebook(codes=4).train(), x, seed)[1].reshape(4, 40)[:, 0].tolist())
        for seed in range(12)
    }
    assert frozenset(range(4)) in found  # k-means finds all four from some of its first means
    book = codebook(codes=16).train()
    quantized, _, _ = run(book, x)
    assert started(book)
    torch.testing.assert_close(quantized, F.normalize(x, dim=1), rtol=0, atol=0.03)


def test_a_first_batch_smaller_than_the_codebook_leaves_no_code_twice_or_empty():
    book = codebook(codes=64).train()
    x = torch.randn(2, 5, 4)
    quantized, _, commitment = run(book, x)
    codes = codes_of(book)
    torch.testing.assert_close(codes.norm(dim=1), torch.ones(64))
    apart = torch.cdist(codes, codes) + 9 * torch.eye(64)
    assert float(apart.min()) > 1e-4
    nearest = (F.normalize(x.flatten(0, 1), dim=1) @ codes.T).amax(dim=1)
    assert float(nearest.min()) > 0.99  # the vectors themselves are among the codes
    assert float((F.normalize(x, dim=-1) - quantized).abs().max()) < 0.1
    assert torch.isfinite(commitment)


def test_codes_follow_the_vectors_that_use_them():
    book = codebook(codes=2, width=2).train()
    x = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).repeat(8, 1)
    run(book, x)
    turned = torch.tensor([[1.0, 0.3], [0.0, 1.0]]).repeat(8, 1)
    before = float((F.normalize(turned, dim=1) @ codes_of(book).T).amax(dim=1).mean())
    for _ in range(50):
        run(book, turned)
    after = float((F.normalize(turned, dim=1) @ codes_of(book).T).amax(dim=1).mean())
    assert before < 0.99 < 0.9999 < after


def test_the_number_is_that_of_the_code_with_the_largest_cosine():
    book = codebook().eval()
    x = 5.0 * torch.randn(3, 6, 4)
    quantized, index, _ = book(x, draws())
    for row in range(3):
        for place in range(6):
            cosines = [float(F.cosine_similarity(x[row, place], c, dim=0)) for c in codes_of(book)]
            best = cosines.index(max(cosines))
            assert int(index[row, place]) == best == int(book.nearest(x)[row, place])
            torch.testing.assert_close(quantized[row, place], codes_of(book)[best])


@pytest.mark.parametrize("training", [False, True])
def test_the_gradient_passes_straight_through_to_the_unit_vector(training):
    book = codebook().train()
    run(book, torch.randn(20, 4))
    book.train(training)
    weight = torch.randn(3, 4)
    gradients = []
    for through in (lambda x: book(x, draws())[0], lambda x: F.normalize(x, dim=-1)):
        x = torch.randn(3, 4, generator=draws(1)).requires_grad_()
        (through(x) * weight).sum().backward()
        gradients.append(x.grad)
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("training", [False, True])
def test_commitment_is_the_mean_squared_distance_to_the_code(training):
    book = codebook().train()
    run(book, torch.randn(20, 4))
    book.train(training)
    x = torch.randn(3, 5, 4)
    quantized, _, commitment = book(x, draws())
    expected = (F.normalize(x, dim=-1) - quantized.detach()).square().mean()
    torch.testing.assert_close(commitment, expected)


def test_seeds_decide_how_codes_start():
    x = torch.randn(30, 4)
    first, again, other = codebook().train(), codebook().train(), codebook().train()
    run(first, x)
    run(again, x)
    assert torch.equal(codes_of(first), codes_of(again))
    torch.manual_seed(0)
    other(x, draws(5))
    assert not torch.equal(codes_of(first), codes_of(other))


def test_a_loaded_codebook_goes_on_where_it_was_and_does_not_start_again():
    book, other = codebook(seed=1).train(), codebook(seed=2).train()
    run(book, torch.randn(30, 4))
    other.load_state_dict(snapshot(book))
    assert started(other)
    x = torch.randn(30, 4) + 2.0
    for one in (book, other):
        run(one, x)
    assert torch.equal(codes_of(book), codes_of(other))
