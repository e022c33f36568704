"""What a compiler leaves of a block's bytes, by its own account: `python -m tests.estimate.fused`.

Blocks are lowered and scheduled by torch's inductor, for a CPU, since for a GPU it needs one; they
are not run. Its count of what the kernels read and write, less what products, convolutions and
sums move, stands beside that of the operations one by one; norms of rows are taken as in device.py.
The median is the constant there.
"""

import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import Any

import torch
import torch._dynamo
import torch._functorch.config
import torch._inductor.config
from torch import Tensor, nn
from torch._inductor.graph import GraphLowering
from torch._subclasses.fake_tensor import FakeTensorMode

from physiome.config.systems.crossl import CroSSLSpec
from physiome.methods.contrawr import ConvBlock
from physiome.methods.crossl import Encoder
from physiome.nn import transformer
from physiome.nn.neuronet_frames import FrameNetwork
from physiome.nn.physioomni import BareBlock
from physiome.nn.transformer import Block
from tests.estimate.count import Op
from tests.estimate.device import FUSED_NORM_BYTES, ROW_NORMS
from tests.estimate.regions import Regions
from tests.estimate.stand_in import as_on_cuda, without_values

Shape = tuple[int, ...]
# At the paper's sizes; a NeuroNet batch is of 4 x 32 maskings
BLOCKS: dict[str, tuple[Callable[[], nn.Module], Shape]] = {
    "transformer, NeuroNet's encoder": (lambda: Block(512, 8), (128, 6, 512)),
    "transformer, NeuroNet's decoder": (lambda: Block(256, 8), (128, 27, 256)),
    "transformer, MultiMAE": (lambda: Block(384, 6), (32, 99, 384)),
    "transformer, PhysioOmni": (lambda: BareBlock(200, 10), (64, 30, 200)),
    "frame network": (lambda: FrameNetwork(300, 300, (48, 48, 64, 64)), (32, 6000)),
    "CroSSL": (lambda: Encoder(CroSSLSpec()), (32, 3000)),
    "ContraWR": (lambda: ConvBlock(16, 32, False, 0.0), (32, 16, 64, 64)),
}


class Lowered(Exception):
    """Instead of running."""


def by_inductor(block: nn.Module, x: Tensor) -> float:
    """Bytes of a block's kernels, forward and backward."""
    found: list[float] = []

    def lower_only(graph: GraphLowering) -> Any:
        graph.codegen()
        found.append(float(graph.count_bytes()[0]))

        def run(*_: Any) -> None:
            raise Lowered

        return SimpleNamespace(
            call=run, runner=None, __file__="", __cache_key__="", __cache_linemap__=[]
        )

    with (
        torch._functorch.config.patch(force_non_lazy_backward_lowering=True),
        torch._inductor.config.patch(force_disable_caches=True),
        torch.autocast("cpu", torch.bfloat16),
        _replaced(GraphLowering, "compile_to_module", lower_only),
        _replaced(transformer, "attend", nn.functional.scaled_dot_product_attention),
    ):
        torch._dynamo.reset()
        block.compile()
        with suppress(Lowered):
            block(x)
    assert len(found) == 2, "forward and backward"
    return sum(found)


def by_operation(block: nn.Module, shape: Shape) -> list[Op]:
    """A block's operations, forward and backward, as the estimate counts them."""
    fake = FakeTensorMode(allow_non_fake_inputs=True)
    block = without_values(block, fake)
    with fake:
        x = torch.empty(shape, requires_grad=True)
    with as_on_cuda(fake, Regions(block)) as counted:
        with torch.autocast("cpu", torch.bfloat16):
            y = block(x)
        y.sum().backward()
    return [op for op in counted.ops if op.compiled]


def left(build: Callable[[], nn.Module], shape: Shape) -> tuple[float, float, float]:
    """Bytes one by one; by inductor; what it leaves of those of elementwise operations."""
    ops = by_operation(build().train(), shape)
    kernels = by_inductor(build().train(), torch.randn(shape, requires_grad=True))
    elementwise = sum(op.bytes for op in ops if op.fuses)
    norms = sum(op.bytes for op in ops if op.name in ROW_NORMS)
    every = sum(op.bytes for op in ops)
    others = every - elementwise - norms + FUSED_NORM_BYTES * norms
    return every, kernels, (kernels - others) / elementwise


def main() -> None:
    """Print a line for every block."""
    shares = []
    for name, (build, shape) in BLOCKS.items():
        every, kernels, share = left(build, shape)
        shares.append(share)
        print(f"{name:35} {every / 1e6:8.1f} MB > {kernels / 1e6:8.1f}   {share:.2f}", flush=True)
    print(f"{'median':58}   {statistics.median(shares):.2f}")


@contextmanager
def _replaced(where: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(where, name)
    setattr(where, name, value)
    try:
        yield
    finally:
        setattr(where, name, before)


if __name__ == "__main__":
    main()
