import pytest
import torch

from physiome.errors import DataError
from physiome.training.checkpoint import read_weights, save_weights


@pytest.fixture
def path(tmp_path):
    torch.manual_seed(0)
    save_weights(tmp_path / "w.safetensors", torch.nn.Linear(8, 3), {"fold": 1})
    return tmp_path / "w.safetensors"


@pytest.mark.parametrize("place", range(-108, 0, 12))
def test_one_changed_bit_of_a_tensor_is_refused(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="altered or damaged"):
        read_weights(path)


def test_a_changed_manifest_is_refused(path):
    path.write_bytes(path.read_bytes().replace(rb"\"fold\": 1", rb"\"fold\": 2"))
    with pytest.raises(DataError, match="altered or damaged"):
        read_weights(path)


def test_every_type_of_tensor_has_a_sum(tmp_path):
    module = torch.nn.BatchNorm1d(4)  # its counter is a single whole number
    module.register_buffer("halves", torch.ones(3, dtype=torch.bfloat16))
    module.register_buffer("flags", torch.tensor([True, False]))
    module.register_buffer("none", torch.empty(0, 2))
    save_weights(tmp_path / "w.safetensors", module, {})
    found, _ = read_weights(tmp_path / "w.safetensors")
    assert all(torch.equal(found[name], t) for name, t in module.state_dict().items())
