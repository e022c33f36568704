"""DP-NeuroNet's views: a stretched crop and permuted segments."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from physiome.nn.augment import crop_view, permute_view, two_views

LENGTH = 300


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ramp() -> torch.Tensor:
    """Two rows in which a value tells its place."""
    return torch.stack([torch.arange(LENGTH, dtype=torch.float64), -torch.arange(LENGTH)])


def test_the_stretched_crop_is_a_linear_interpolation_of_a_fifth_to_a_third():
    noise = torch.randn(2, LENGTH, generator=rng(100), dtype=torch.float64)
    for seed in range(20):
        where = crop_view(ramp(), rng(seed))[0]  # a ramp's crop shows where it was cut
        start, stop = round(float(where[0])), round(float(where[-1])) + 1
        size = stop - start
        assert LENGTH // 5 <= size < LENGTH // 3
        # Centres of the new samples in the crop, as in the published code; its ends are held.
        at = np.clip((np.arange(LENGTH) + 0.5) * size / LENGTH - 0.5, 0, size - 1) + start
        for row, view in zip(noise, crop_view(noise, rng(seed)), strict=True):
            np.testing.assert_allclose(view, np.interp(at, np.arange(LENGTH), row), atol=1e-12)


def test_crops_begin_wherever_they_fit_up_to_the_last_place():
    draws, x = rng(), torch.arange(10.0)[None]
    found = [crop_view(x, draws, "tile")[0, :2].tolist() for _ in range(300)]  # two samples long
    assert {tuple(pair) for pair in found} == {(i, i + 1) for i in range(9)}


def test_crops_come_from_everywhere_and_in_all_sizes():
    spans = [crop_view(ramp(), rng(seed))[0][[0, -1]] for seed in range(400)]
    starts = [float(first) for first, _ in spans]
    sizes = {round(float(last - first)) + 1 for first, last in spans}
    assert min(starts) < 10
    assert max(float(last) for _, last in spans) > LENGTH - 11
    assert {60, 99} <= sizes


def test_the_tiled_crop_repeats_samples_without_stretching_them():
    view = crop_view(ramp(), rng(1), "tile")[0]
    size = int(view.max() - view.min()) + 1
    assert view.shape == (LENGTH,)
    steps = view.diff()
    assert set(steps.tolist()) == {1.0, 1.0 - size}  # forward by one sample, or back to the start


@pytest.mark.parametrize("segments", [2, 5, 9])
def test_permutation_moves_whole_segments_and_loses_no_sample(segments):
    for seed in range(5):
        view = permute_view(ramp(), rng(seed), segments)
        assert torch.equal(view.sort(dim=1).values, ramp().sort(dim=1).values)
        assert int((view[0].diff() != 1).sum()) <= segments - 1  # seams
        assert torch.equal(view[1], -view[0])  # one draw serves the batch


def test_permutation_really_permutes():
    views = [permute_view(ramp(), rng(seed)) for seed in range(20)]
    assert sum(not torch.equal(view, ramp()) for view in views) >= 18  # 1 of 120 orders is identity
    assert len({tuple(view[0].tolist()) for view in views}) >= 18


def test_no_segment_is_empty():
    five = torch.arange(5.0)[None]  # five segments of five samples: one sample each
    orders = {tuple(permute_view(five, rng(seed), 5)[0].tolist()) for seed in range(300)}
    neighbours = {pair for order in orders for pair in pairwise(order)}
    assert len(neighbours) == 20
    assert any((3.0, 4.0) not in pairwise(order) for order in orders)


def test_one_segment_is_the_signal_itself():
    assert torch.equal(permute_view(ramp(), rng(), 1), ramp())


def test_probability_zero_leaves_both_views_untouched():
    for seed in range(20):
        first, second = two_views(ramp(), rng(seed), 0.0, "stretch", 5)
        assert torch.equal(first, ramp())
        assert torch.equal(second, ramp())


@pytest.mark.parametrize(("probability", "low", "high"), [(1.0, 200, 200), (0.9, 165, 195)])
def test_each_view_changes_with_its_probability(probability, low, high):
    changed = [0, 0]
    for seed in range(200):
        for i, view in enumerate(two_views(ramp(), rng(seed), probability, "stretch", 5)):
            changed[i] += not torch.equal(view, ramp())
    # The permutation is the identity once in 120 times.
    assert low <= changed[0] <= high
    assert low - 8 <= changed[1] <= high
