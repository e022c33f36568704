"""The frame network: sizes as published, and the same features frame by frame."""

import pytest
import torch
from tiny import neuronet

from physiome.config.frame_length import SHORTEST, joined_length
from physiome.config.model import EncoderSpec
from physiome.errors import ConfigError
from physiome.methods.neuronet import DPNeuroNet
from physiome.nn.neuronet import ModalityEncoder
from physiome.nn.neuronet_frames import FrameNetwork

CHANNELS = (48, 48, 64, 64)


def million(module: torch.nn.Module) -> float:
    return sum(p.numel() for p in module.parameters()) / 1e6


@pytest.mark.parametrize(
    ("frame", "joined", "features", "size"), [(400, 26, 832, 2.47), (300, 8, 256, 0.59)]
)
def test_published_sizes(frame, joined, features, size):
    network = FrameNetwork(frame, frame, CHANNELS)
    assert joined_length(frame) == joined
    assert network.features == features
    assert million(network) == pytest.approx(size, abs=0.005)
    assert network.eval()(torch.zeros(2, 2 * frame)).shape == (2, 2, features)


@pytest.mark.parametrize(
    ("frame", "lengths"), [(400, (10, 9, 7)), (300, (4, 3, 1))], ids=["4 s", "3 s"]
)
def test_branches_have_the_published_lengths(frame, lengths):
    network = FrameNetwork(frame, frame, (4, 4, 8, 8)).eval()
    x = network.stem(torch.randn(2, 1, 1, frame))
    assert tuple(branch(x).shape[-1] for branch in network.branches) == lengths


@pytest.mark.slow
def test_full_size_dp_neuronet_has_the_published_sizes():
    spec = {"depth": 6, "heads": 8, "decoder_depth": 4, "decoder_heads": 8}
    for samples, frame_s, step_s, encoder, whole in [
        (3000, 4.0, 1.0, 21.81, 26.37),
        (6000, 3.0, 3.0, None, 24.05),
    ]:
        method = DPNeuroNet(
            EncoderSpec(frame_s=frame_s, step_s=step_s, **spec), "a", samples, 100.0
        )
        assert million(method) == pytest.approx(whole, abs=0.005)
        if encoder is not None:
            assert million(method.encoder) == pytest.approx(encoder, abs=0.005)
            assert method.encoder.n == 27


def test_all_frames_at_once_equal_one_frame_at_a_time():
    network = FrameNetwork(300, 150, (4, 4, 8, 8))
    x = torch.randn(3, 900, generator=torch.Generator().manual_seed(0))
    network.train()(x)  # running statistics unlike a fresh network's
    network.eval()
    together = network(x)
    assert together.shape == (3, 5, network.features)
    for i in range(5):
        alone = network(x[:, 150 * i : 150 * i + 300])
        torch.testing.assert_close(together[:, i : i + 1], alone, rtol=1e-4, atol=1e-5)


def test_frames_too_short_for_a_branch_are_refused_in_the_users_words():
    assert joined_length(SHORTEST) > 0
    with pytest.raises(ConfigError, match="288 samples are too short"):
        joined_length(SHORTEST - 1)
    with pytest.raises(ConfigError, match="frame_s"):
        ModalityEncoder(EncoderSpec(frame_s=2.0, step_s=1.0), 900, 100.0)
    with pytest.raises(ConfigError, match="longer than the window"):
        ModalityEncoder(EncoderSpec(frame_s=4.0, step_s=1.0), 399, 100.0)


@pytest.mark.parametrize(
    ("samples", "frame_s", "step_s", "n"),
    [(3000, 4.0, 1.0, 27), (6000, 3.0, 3.0, 20), (300, 3.0, 3.0, 1), (899, 3.0, 1.5, 4)],
)
def test_the_number_of_frames(samples, frame_s, step_s, n):
    spec = EncoderSpec(frame_s=frame_s, step_s=step_s, channels=(4, 4, 8, 8), width=32, depth=1)
    encoder = ModalityEncoder(spec, samples, 100.0).eval()
    assert encoder.n == n
    assert encoder(torch.zeros(2, samples)).shape == (2, n + 1, 32)


def test_kept_frames_keep_their_own_positions():
    encoder = neuronet().encoder.eval()
    features = torch.randn(2, encoder.n, encoder.frame_network.features)
    every = torch.arange(encoder.n).expand(2, -1)
    torch.testing.assert_close(encoder.tokens(features, every), encoder.tokens(features))
    # A frame kept alone is told where it stood: the same features elsewhere give another token.
    same = features[:, :1].expand(-1, encoder.n, -1)
    first, last = (encoder.tokens(same, torch.full((2, 1), i)) for i in (0, encoder.n - 1))
    assert (first - last).abs().max() > 1e-3
