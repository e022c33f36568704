"""What a compiler leaves of a block's bytes is taken from its own count."""

import pytest

from physiome.nn.physioomni import BareBlock
from tests.estimate.fused import left


@pytest.mark.slow
def test_kernels_of_a_block_move_less_than_its_operations_one_by_one():
    every, kernels, share = left(lambda: BareBlock(64, 4), (32, 27, 64))
    assert 0.0 < kernels < every
    assert 0.0 < share < 1.0
