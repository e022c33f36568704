"""Steps whose blocks are compiled (`gpu.compile`): the same mathematics in fewer, larger kernels.

Weights keep their names, dropout its draws; results differ by rounding. Whatever cannot be compiled
runs as it is, with a word in the log.
"""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from physiome.nn.blocks import blocks

log = logging.getLogger(__name__)

BACKEND = "inductor"
# Blocks of one class share their code; so many shapes of it are compiled, eight by default
SHAPES = 64
CACHE = "TORCHINDUCTOR_CACHE_DIR"


def compile_blocks(method: nn.Module, device: str) -> int:
    """Compile the blocks of a method in place, each when it is first called; gives their number.

    With a backend that does not work here (no compiler, no driver), none: 0.
    """
    # By default in /tmp, which a node of a cluster does not share and empties
    os.environ.setdefault(CACHE, str(Path.home() / ".cache/physiome/compiled"))
    _settle()
    why = _failure(device)
    if why:
        log.warning("blocks are not compiled: %s", why)
        return 0
    found = list(blocks(method))
    for block in found:
        block.compile(backend=BACKEND)
    log.info("%d blocks are compiled as they are first used", len(found))
    return len(found)


@contextmanager
def as_written() -> Iterator[None]:
    """Within, nothing runs compiled, and nothing is: for what is done a few times only."""
    if "torch._dynamo" not in sys.modules:  # nothing was compiled; loading it takes a second
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


def _settle() -> None:
    """Fall back where compiling fails, backward passes included; draw as without compiling."""
    import torch._dynamo.config
    import torch._functorch.config
    import torch._inductor.config

    torch._dynamo.config.suppress_errors = True
    torch._dynamo.config.recompile_limit = SHAPES
    # A backward pass is compiled with its forward pass, else its failure would end the step.
    torch._functorch.config.force_non_lazy_backward_lowering = True
    torch._inductor.config.fallback_random = True


def _failure(device: str) -> str | None:
    """What torch says when it compiles next to nothing; None: it works."""
    x = torch.ones(8, device=device, requires_grad=True)
    try:
        with _strict():
            torch.compile(_trial, backend=BACKEND)(x).backward()
    # Compilers, drivers and torch's own stages each raise their own.
    except Exception as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    return None


def _trial(x: Tensor) -> Tensor:
    return (x.sin() * x).sum()


@contextmanager
def _strict() -> Iterator[None]:
    import torch._dynamo.config

    with torch._dynamo.config.patch(suppress_errors=False):
        yield
