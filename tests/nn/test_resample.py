"""The upsampling filter against scipy's."""

import pytest
import torch
from scipy.signal import resample_poly

from physiome.nn.resample import Upsample


@pytest.mark.parametrize("factor", [1, 2, 3, 5])
def test_it_is_scipys_polyphase_resampling(factor):
    x = torch.randn(3, 217)
    expected = torch.from_numpy(resample_poly(x.double().numpy(), factor, 1, axis=1))
    found = Upsample(factor)(x)
    assert found.shape == (3, 217 * factor)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=2e-6)


def test_a_slow_wave_keeps_its_shape_at_twice_the_rate():
    def wave(rate_hz):
        return torch.sin(6.2832 * 5.0 * torch.arange(int(4 * rate_hz)) / rate_hz)

    found = Upsample(2)(wave(100)[None])[0]
    inside = slice(50, -50)
    torch.testing.assert_close(found[inside], wave(200)[inside], rtol=0, atol=0.01)


def test_the_filter_follows_from_the_factor_and_is_not_saved():
    assert not Upsample(2).state_dict()
