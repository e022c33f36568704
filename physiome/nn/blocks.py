"""Blocks: the parts of a system that torch may compile (`gpu.compile`).

A class says so by `compiles = True`, a single module by `block`. What a block returns depends on
nothing but what it is given, its weights and dropout, and its inputs keep their shapes from step to
step: draws, losses and whatever looks at names of modalities stay outside. It is of a class of our
own or of a library: torch passes over its own, such as Sequential.
"""

from collections.abc import Iterator
from typing import TypeVar

from torch import nn

M = TypeVar("M", bound=nn.Module)


def block(module: M) -> M:
    """The module, from now on a block."""
    vars(module)["compiles"] = True
    return module


def blocks(module: nn.Module) -> Iterator[nn.Module]:
    """The outermost blocks of a tree."""
    if getattr(module, "compiles", False):
        yield module
    else:
        for child in module.children():
            yield from blocks(child)
