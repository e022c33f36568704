"""The plain mean squared error that RobustSsF's terms are made of."""

import torch
from tiny import draws

from physiome.nn.losses import mse


def test_it_is_the_mean_of_the_squared_differences():
    a = torch.randn(2, 3, 4, generator=draws(0), dtype=torch.float64)
    b = torch.randn(2, 3, 4, generator=draws(1), dtype=torch.float64)
    pairs = zip(a.flatten().tolist(), b.flatten().tolist(), strict=True)
    slow = sum((x - y) ** 2 for x, y in pairs) / 24
    assert abs(float(mse(a, b)) - slow) < 1e-12


def test_half_precision_is_squared_and_summed_in_full():
    a = torch.full((4096,), 200.0, dtype=torch.float16)
    found = mse(a, -a)  # 160000 does not fit in float16
    assert found.dtype == torch.float32
    assert float(found) == 160000.0
