"""Images as patches, their positions, and which patches are shown."""

import pytest
import torch
from tiny import draws

from physiome.nn.patches import grid_positions, patchify, unpatchify, visible_patches


def everything(batch, modalities=3):
    return torch.ones(batch, modalities, dtype=torch.bool)


def counts_of(visible, modalities, n):
    """How many patches of each modality are shown: (B, modalities)."""
    return torch.stack([(visible // n == m).sum(dim=1) for m in range(modalities)], dim=1)


def test_patches_are_squares_in_reading_order():
    image = torch.arange(24.0).reshape(1, 4, 6)
    patches = patchify(image, 2)
    assert patches.shape == (1, 6, 4)
    assert patches[0, 1].tolist() == [2, 3, 8, 9]
    assert patches[0, 3].tolist() == [12, 13, 18, 19]


def test_patches_put_together_are_the_image():
    image = torch.randn(3, 12, 20, generator=draws())
    assert torch.equal(unpatchify(patchify(image, 4), rows=3), image)


def test_positions_tell_row_and_column_in_the_order_of_the_patches():
    table = grid_positions(3, 4, 16)
    assert table.shape == (12, 16)
    assert len(table.unique(dim=0)) == 12
    row, column = table.reshape(3, 4, 16).split(8, dim=2)
    assert (row == row[:, :1]).all()
    assert (column == column[:1]).all()


# The rest at real size: 192 patches of each of three modalities, 96 shown.
N, VISIBLE, BATCH = 192, 96, 4000


@pytest.fixture(scope="module")
def shown():
    return visible_patches(everything(BATCH), N, VISIBLE, draws(3))


def test_every_sample_shows_exactly_the_asked_number_of_distinct_patches(shown):
    assert shown.shape == (BATCH, VISIBLE)
    assert (shown.diff(dim=1) > 0).all()
    assert int(shown.min()) == 0
    assert int(shown.max()) == 3 * N - 1


def test_the_counts_of_modalities_have_the_law_of_dirichlet_shares(shown):
    counts = counts_of(shown, 3, N).float()
    # Standard deviation of a share: sqrt(1/18). Five standard errors each.
    assert ((counts.mean(dim=0) - 32.0).abs() < 5 * 96 * 18**-0.5 / BATCH**0.5).all()
    assert ((counts.std(dim=0) - 96 * 18**-0.5).abs() < 1.0).all()
    below = (counts < 0.05 * 96).float().mean()  # counts 0 to 4 are shares under 4.5 / 96
    assert abs(float(below) - (1 - (1 - 4.5 / 96) ** 2)) < 0.015
    none = float((counts == 0).float().mean())
    assert abs(none - (1 - (1 - 0.5 / 96) ** 2)) < 5 * (0.0104 / (3 * BATCH)) ** 0.5


def test_within_a_modality_every_patch_is_as_likely(shown):
    share = torch.bincount(shown.flatten(), minlength=3 * N) / BATCH
    assert ((share - 1 / 6).abs() < 5 * (5 / 36 / BATCH) ** 0.5).all()


@pytest.mark.parametrize("n", [4, 16])
def test_a_modality_shows_no_more_patches_than_it_has(n):
    visible = visible_patches(everything(500), n, 2 * n + 1, draws())
    assert visible.shape == (500, 2 * n + 1)
    assert (visible.diff(dim=1) > 0).all()
    counts = counts_of(visible, 3, n)
    assert int(counts.max()) == n
    assert int(counts.min()) >= 1  # two others cannot show more than 2 n


def test_all_patches_can_be_shown_but_no_more():
    visible = visible_patches(everything(2), 5, 15, draws())
    assert torch.equal(visible, torch.arange(15).expand(2, 15))
    with pytest.raises(ValueError, match="16 visible patches of 3 x 5"):
        visible_patches(everything(2), 5, 16, draws())


def test_a_modality_that_is_not_allowed_shows_nothing_even_when_others_are_full():
    allowed = torch.tensor([[True, False, True], [True, True, False]]).repeat(300, 1)
    counts = counts_of(visible_patches(allowed, 16, 24, draws()), 3, 16)
    assert not counts[~allowed].any()
    assert (counts[:, 0] == 16).any()
    assert abs(float(counts[:, 0].float().mean()) - 12.0) < 1.0


def test_the_draw_depends_on_the_generator_alone_and_differs_between_samples():
    first = visible_patches(everything(20), 16, 8, draws(5))
    torch.manual_seed(99)
    assert torch.equal(first, visible_patches(everything(20), 16, 8, draws(5)))
    assert not torch.equal(first, visible_patches(everything(20), 16, 8, draws(6)))
    assert len(first.unique(dim=0)) == 20
