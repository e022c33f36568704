"""One offset and one scale per modality, clipped, stored with the weights."""

import torch
from tiny import neuronet

from physiome.nn.scaling import CLIP, Scaling


def test_a_signal_is_centred_scaled_and_clipped():
    x = torch.tensor([[80.0, 100.0, 60.0, 1e6, -1e6]])
    expected = torch.tensor([[0.0, 2.0, -2.0, CLIP, -CLIP]])
    torch.testing.assert_close(Scaling(80.0, 10.0)(x), expected)
    assert CLIP == 20.0


def test_scaling_keeps_level_and_height_of_a_window():
    """Never per segment: absolute pressure carries the hypotension label."""
    scaling = Scaling(80.0, 20.0)
    low, high = scaling(torch.full((1, 50), 60.0)), scaling(torch.full((1, 50), 90.0))
    assert (high - low).unique().tolist() == [1.5]


def test_constants_travel_with_the_weights():
    scaling, other = Scaling(), Scaling()
    scaling.set(3.0, 5.0)
    other.load_state_dict(scaling.state_dict())
    assert (float(other.offset), float(other.scale)) == (3.0, 5.0)
    assert {"scaling.offset", "scaling.scale"} <= set(neuronet().encoder.state_dict())


def test_a_method_gives_its_modalitys_constants_to_its_encoder():
    method = neuronet(modality="b")
    method.set_scaling({"b": (2.0, 4.0)})
    assert (float(method.encoder.scaling.offset), float(method.encoder.scaling.scale)) == (2.0, 4.0)


def test_units_make_no_difference_once_the_constants_follow():
    method = neuronet().eval()
    x = torch.randn(2, 900, generator=torch.Generator().manual_seed(0))
    before = method.embed({"a": x})
    method.set_scaling({"a": (0.0, 1e-6)})
    torch.testing.assert_close(method.embed({"a": x * 1e-6}), before, rtol=1e-4, atol=1e-5)
