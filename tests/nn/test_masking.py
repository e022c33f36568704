"""Which tokens are kept, taking them out and putting them back."""

from itertools import product

import pytest
import torch

from physiome.nn.masking import masked_positions, n_kept, put_tokens, random_kept, take_tokens


@pytest.mark.parametrize(
    ("n", "ratio", "kept"),
    [(27, 0.8, 5), (27, 0.4, 16), (20, 0.8, 4), (20, 0.4, 12), (3, 0.9, 1), (10, 0.5, 5)],
)
def test_kept_counts(n, ratio, kept):
    assert n_kept(n, ratio) == kept


def test_some_tokens_are_kept_and_some_are_masked():
    cases = product(range(2, 40), [0.05, 0.1, 0.3, 0.75, 0.95])
    assert [(n, ratio) for n, ratio in cases if not 1 <= n_kept(n, ratio) < n] == []


def test_kept_indices_are_distinct_sorted_and_drawn_per_sample():
    kept = random_kept(200, 10, 4, torch.Generator().manual_seed(0))
    assert kept.shape == (200, 4)
    assert (kept.diff(dim=1) > 0).all()
    assert len(kept.unique(dim=0)) > 100
    share = torch.bincount(kept.flatten(), minlength=10) / 200
    assert ((share - 0.4).abs() < 0.15).all()  # 4 standard deviations


def test_kept_indices_depend_on_the_generator_alone():
    first = random_kept(3, 9, 4, torch.Generator().manual_seed(5))
    torch.manual_seed(99)
    assert torch.equal(first, random_kept(3, 9, 4, torch.Generator().manual_seed(5)))
    assert not torch.equal(first, random_kept(3, 9, 4, torch.Generator().manual_seed(6)))


def test_tokens_put_back_stand_where_they_were_taken():
    rng = torch.Generator().manual_seed(1)
    tokens, fill = torch.randn(4, 9, 5, generator=rng), torch.full((5,), 7.0)
    kept = random_kept(4, 9, 3, rng)
    back = put_tokens(take_tokens(tokens, kept), kept, 9, fill)
    mask = masked_positions(kept, 9)
    assert (mask.sum(dim=1) == 6).all()
    assert torch.equal(back[mask == 0], tokens[mask == 0])
    assert (back[mask == 1] == 7.0).all()


def test_positions_come_back_in_order_when_all_are_kept():
    order = torch.randperm(9, generator=torch.Generator().manual_seed(2))[None]
    positions = torch.arange(9.0)[None, :, None]
    back = put_tokens(take_tokens(positions, order), order, 9, torch.zeros(1))
    assert torch.equal(back, positions)


def test_the_fill_gets_its_gradient_from_the_filled_places_alone():
    fill = torch.zeros(2, requires_grad=True)
    kept = torch.tensor([[0, 2], [1, 3]])
    put_tokens(torch.zeros(2, 2, 2), kept, 5, fill).sum().backward()
    assert torch.equal(fill.grad, torch.full((2,), 6.0))  # 2 samples x 3 places
