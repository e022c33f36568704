"""ContraWR's disturbances: what each does to a channel, and how often."""

import pytest
import torch
from torch import Tensor

from physiome.nn.contrawr import (
    add_noise,
    band_responses,
    disturb,
    keep_bands,
    permute_channels,
    shift,
)

RATE_HZ = 100.0
LENGTH = 900
BANDS_HZ = [((1.0, 5.0), (30.0, 49.0)), ((0.5, 5.0), (5.0, 15.0))]  # of two channels
RESPONSES = band_responses(BANDS_HZ, (False, False), RATE_HZ, LENGTH)
EVERYTHING = torch.ones(2, 4, LENGTH // 2 + 1, dtype=torch.complex64)
NOTHING = EVERYTHING * torch.tensor([1.0, 0.0, 0.0, 0.0])[:, None]  # but for the first outcome


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def tone(rate_hz: float) -> Tensor:
    return torch.sin(6.283185307 * rate_hz * torch.arange(LENGTH) / RATE_HZ)


def ramps(batch: int) -> Tensor:
    """(batch, 2, LENGTH) in which a value tells its place and its channel."""
    ramp = torch.arange(LENGTH, dtype=torch.float32)
    return torch.stack([ramp, ramp + 1000.0]).expand(batch, 2, LENGTH)


def share(flags: Tensor) -> float:
    return float(flags.float().mean())


def test_three_eighths_of_the_channels_get_noise_in_equal_kinds_within_its_amplitude():
    x = torch.stack([tone(2.0), 10 * tone(2.0)]).expand(3000, 2, LENGTH)  # ranges 2 and 20
    noise = (add_noise(x, rng(), RATE_HZ, 0.05) - x) / torch.tensor([2.0, 20.0])[:, None]
    silent = noise.abs().amax(-1) < 1e-6
    assert share(silent) == pytest.approx(5 / 8, abs=0.02)
    assert share(silent.all(1)) == pytest.approx(25 / 64, abs=0.03)  # channels draw alone
    loud = noise[~silent]
    slow = loud.diff().abs().amax(-1) < 0.01 * 0.12  # 0.1 in 100 samples at most
    low = slow.float().mean()
    assert float(low) == pytest.approx(1 / 3, abs=0.03)
    extreme = loud.abs().amax(-1)
    assert extreme[slow].max() <= 0.0501
    assert share(extreme > 0.0505) == pytest.approx(1 / 3, abs=0.05)  # both kinds add up
    assert extreme.max() <= 0.1001


def test_slow_noise_turns_once_a_second():
    x = tone(2.0).expand(200, 1, LENGTH).double()
    noise = add_noise(x, rng(), RATE_HZ, 0.05).sub(x)[:, 0]
    slow = noise[(noise.diff().abs().amax(-1) < 0.002 * 1.2) & noise.any(-1)]
    assert len(slow) > 10
    assert int((slow.diff().diff().abs() > 1e-5).any(0).sum()) <= 2 * 7  # 9 knots, 7 inside


def test_every_channel_has_each_outcome_of_its_own_bands_in_a_quarter_of_the_rows():
    hz = (3.0, 8.0, 20.0, 40.0)
    x = sum(tone(f) for f in hz).expand(2000, 2, LENGTH)  # pyright: ignore[reportAttributeAccessIssue]
    y = torch.fft.rfft(keep_bands(x, rng(), RESPONSES))
    at = [round(f * LENGTH / RATE_HZ) for f in hz]
    found = (y / torch.fft.rfft(x))[..., at]  # (B, 2, tones): what became of each
    which = torch.zeros(2000, 2, dtype=torch.long)
    for channel in (0, 1):
        distance = (found[:, channel, None] - RESPONSES[channel, :, at]).abs().amax(-1)
        assert distance.amin(dim=1).max() < 1e-2
        which[:, channel] = distance.argmin(dim=1)
        shares = [share(which[:, channel] == outcome) for outcome in range(4)]
        assert shares == pytest.approx([0.25] * 4, abs=0.04)
    assert share(which[:, 0] == which[:, 1]) == pytest.approx(1 / 4, abs=0.04)  # drawn alone


def test_responses_are_butterworths_of_order_one():
    """|H| = 1 at the centre of a band (geometric, nearly, far below half the rate), 1 / sqrt 2 at
    its edges, and sums; a mean comes through those of slow channels only."""
    hz = torch.fft.rfftfreq(60000, 1 / RATE_HZ)
    low_high = ((1.0, 4.0), (10.0, 20.0))
    fast, slow = band_responses([low_high] * 2, (False, True), RATE_HZ, 60000)
    for outcome, (first, last) in enumerate(low_high, start=1):
        for f, expected in ((first, 0.5**0.5), (last, 0.5**0.5), ((first * last) ** 0.5, 1.0)):
            nearest = (hz - f).abs().argmin()
            assert float(fast[outcome, nearest].abs()) == pytest.approx(expected, abs=0.01)
    torch.testing.assert_close(fast[3, 1:], fast[1, 1:] + fast[2, 1:])
    assert torch.equal(slow[:, 1:], fast[:, 1:])
    assert fast[1:, 0].abs().max() < 1e-6
    assert (slow[:, 0] == 1).all()
    assert (fast[0] == 1).all()


def check_the_mean_stays(slow: bool) -> None:
    x = (90.0 + 10.0 * tone(1.3)).expand(64, 2, LENGTH)
    y = keep_bands(x, rng(), band_responses(BANDS_HZ, (slow, slow), RATE_HZ, LENGTH))
    torch.testing.assert_close(y.mean(dim=-1), x.mean(dim=-1))
    assert (y - x).abs().amax() > 1.0


def test_a_slow_channel_keeps_its_mean():
    check_the_mean_stays(slow=True)


def test_a_band_pass_that_takes_the_mean_away_is_found():
    with pytest.raises(AssertionError):
        check_the_mean_stays(slow=False)


def test_an_untouched_band_and_odd_lengths_come_back():
    x = torch.randn(5, 2, LENGTH + 1, generator=rng())
    y = keep_bands(x, rng(), EVERYTHING)
    torch.testing.assert_close(x, y, atol=1e-5, rtol=1e-5)


def test_a_shift_is_a_rotation_by_the_same_time_in_all_channels():
    y = shift(ramps(4000), rng())
    by = (-y[:, 0, 0]).long() % LENGTH
    for row in range(20):
        assert torch.equal(y[row], ramps(1)[0].roll(int(by[row]), dims=-1))
    assert torch.equal(y[:, 0] + 1000.0, y[:, 1])
    assert torch.equal(y.sort(dim=-1).values, ramps(4000))  # no sample is lost or repeated
    assert by.min() >= 1
    assert len(by.unique()) > 0.95 * LENGTH


def test_channels_are_put_in_every_order_and_one_alone_stays():
    x = torch.arange(3.0)[None, :, None].expand(6000, 3, 4)
    orders, counts = permute_channels(x, rng())[:, :, 0].unique(dim=0, return_counts=True)
    assert len(orders) == 6
    assert (counts / 6000).tolist() == pytest.approx([1 / 6] * 6, abs=0.02)
    assert torch.equal(permute_channels(x[:, :1], rng()), x[:, :1])


@pytest.mark.parametrize(
    ("responses", "noise", "changed"),
    [
        # A shift always changes a row, an order of two channels half of the time, and ...
        (EVERYTHING, 0.0, 1 / 4 + 1 / 8),
        (NOTHING, 0.0, 1 / 4 + 1 / 8 + 1 / 4 * 15 / 16),
        (EVERYTHING, 0.5, 1 / 4 + 1 / 8 + 1 / 4 * (1 - (5 / 8) ** 2)),
    ],
)
def test_each_row_gets_one_of_the_four(responses, noise, changed):
    x = ramps(4000)
    y = disturb(x, rng(), RATE_HZ, responses, noise)
    differs = (y - x).abs().amax(dim=(1, 2)) > 1.0
    assert share(differs) == pytest.approx(changed, abs=0.025)


def test_a_row_without_change_is_left_alone_and_the_input_too():
    x = ramps(64).clone()
    before = x.clone()
    one, again, other = (disturb(x, rng(s), RATE_HZ, RESPONSES, 0.05) for s in (0, 0, 1))
    assert torch.equal(x, before)
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert torch.isfinite(one).all()


@pytest.mark.parametrize("seed", range(6))
def test_one_row_of_one_channel_is_enough(seed):
    assert disturb(ramps(1)[:, :1], rng(seed), RATE_HZ, RESPONSES[:1], 0.05).shape == (1, 1, LENGTH)
