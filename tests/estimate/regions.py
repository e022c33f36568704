"""Which operations a compiler would see, and which a training does once a window.

A compiler sees those of blocks (nn/blocks.py) and of their gradients; frozen frame networks compute
once what is kept (nn/kept.py).
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from physiome.nn.blocks import blocks
from physiome.nn.kept import frozen
from physiome.nn.neuronet import ModalityEncoder

MARK = "of a block"


class Regions:
    """Watches a method in training.

    Attributes:
        inside: a block runs forward now.
        once: a frozen frame network does.
        kept_bytes: what such networks gave in the last step.
    """

    def __init__(self, method: nn.Module):
        self.inside = self.once = False
        self.kept_bytes = 0.0
        self._before: list[set[Any]] = []
        for block in blocks(method):
            block.register_forward_pre_hook(self._enter, with_kwargs=True)
            block.register_forward_hook(self._leave)
        for part in method.modules():
            if isinstance(part, ModalityEncoder) and frozen(part.frame_network):
                part.frame_network.register_forward_pre_hook(self._begin)
                part.frame_network.register_forward_hook(self._end)

    def _enter(self, block: nn.Module, args: Any, kwargs: Any) -> None:
        self.inside = True
        self._before.append({x.grad_fn for x in _tensors([*args, *kwargs.values()]) if x.grad_fn})

    def _leave(self, block: nn.Module, args: Any, output: Any) -> None:
        self.inside, before = False, self._before.pop()
        found = [output] if isinstance(output, Tensor) else [*getattr(output, "values", tuple)()]
        todo = [x.grad_fn for x in _tensors(found) if x.grad_fn]
        seen = set(before)
        while todo:
            node = todo.pop()
            if node not in seen:
                seen.add(node)
                node.metadata[MARK] = True
                todo += [n for n, _ in node.next_functions if n is not None]

    def _begin(self, network: nn.Module, args: Any) -> None:
        self.once = True

    def _end(self, network: nn.Module, args: Any, output: Tensor) -> None:
        self.once = False
        self.kept_bytes += output.nbytes


def of_block() -> bool:
    """Whether the gradient that is computed now is that of an operation of a block."""
    node = torch._C._current_autograd_node()
    return node is not None and MARK in node.metadata


def _tensors(values: Iterable[Any]) -> list[Tensor]:
    return [x for x in values if isinstance(x, Tensor)]
