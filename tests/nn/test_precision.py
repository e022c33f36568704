"""Where float32 stays float32, and where a GPU may round its products."""

import pytest
import torch
from tiny import draws
from torch.utils._python_dispatch import TorchDispatchMode

from physiome.nn.crossl import vicreg
from physiome.nn.losses import contrast_accuracy, nt_xent, world_contrast
from physiome.nn.physioomni_codes import Codebook
from physiome.nn.precision import float32
from physiome.nn.resample import Upsample
from physiome.training.runtime import tf32

A, B = torch.randn(2, 6, 8, generator=draws()).unbind()


def settings() -> tuple[str, bool]:
    return torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32


def test_within_float32_nothing_is_rounded_and_afterwards_all_is_as_before():
    with tf32(True):
        with float32(A.device), torch.autocast("cpu", dtype=torch.bfloat16):
            assert settings() == ("highest", False)
        assert settings() == ("high", True)
        with torch.autocast("cpu", dtype=torch.bfloat16), float32(A.device):
            assert (A @ B.T).dtype == torch.float32
    with tf32(False):
        assert settings() == ("highest", False)


def test_an_error_within_leaves_nothing_behind():
    before = settings()
    with pytest.raises(ValueError, match="inside"), tf32(True), float32(A.device):
        raise ValueError("inside")
    assert settings() == before


EXACT = {
    "NT-Xent": lambda: nt_xent(A, B, 0.5),
    "its accuracy": lambda: contrast_accuracy(A, B),
    "the contrast with the world": lambda: world_contrast(A, B, 1.0, 0.5, 0.2),
    "VICReg": lambda: vicreg(A, B, 1.0, 1.0, 1.0),
    "a codebook": lambda: Codebook(8, 4, 0.9, 1.0).eval()(A, draws()),
    "the nearest code": lambda: Codebook(8, 4, 0.9, 1.0).nearest(A),
    "resampling": lambda: Upsample(2)(A),
}


def test_what_promises_float32_is_computed_so_in_a_training_that_rounds(subtests):
    for name, compute in EXACT.items():
        with subtests.test(name), Products() as products, tf32(True):
            compute()
            assert products.seen
            assert set(products.seen) == {("highest", False)}


class Products(TorchDispatchMode):
    """Notes the settings under which each matrix product and convolution is computed."""

    NAMES = ("mm", "bmm", "addmm", "convolution")

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.overloadpacket.__name__ in self.NAMES:
            self.seen.append(settings())
        return func(*args, **(kwargs or {}))
