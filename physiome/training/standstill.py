"""A training that trains nothing is an error: its row in the tables would look like any other."""

import hashlib
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from physiome.errors import TrainingError

PARTS = 3  # of a method that are named


def fingerprint(parameters: Sequence[Tensor]) -> str:
    """Equal for equal weights, bit by bit."""
    found = hashlib.blake2b(digest_size=16)
    for p in parameters:
        raw = p.detach().cpu().contiguous().flatten().view(torch.uint8)
        found.update(raw.numpy().tobytes())
    return found.hexdigest()


def untrained(method: nn.Module) -> dict[str, str]:
    """Name -> fingerprint of all that no optimiser moves: frozen weights, averages, buffers."""
    every = method.state_dict(keep_vars=True)
    return {name: fingerprint([x]) for name, x in every.items() if not x.requires_grad}


def moved(state: Mapping[str, Tensor], first: Mapping[str, str]) -> dict[str, Tensor]:
    """The tensors of a state that are not, bit by bit, what they were.

    Args:
        first: name -> fingerprint then; what has none counts as moved.
    """
    return {n: x for n, x in state.items() if n not in first or fingerprint([x]) != first[n]}


def require_weights(method: nn.Module, epochs: int) -> None:
    """Refuse a method in which there is nothing to train.

    Raises:
        TrainingError: no parameter of it requires a gradient; of no epochs: it has none at all.
    """
    wanted = [p.requires_grad for p in method.parameters()]
    if not any(wanted) and (epochs or not wanted):
        hint = (
            "keep layers as attributes, in nn.ModuleDict or nn.ModuleList; a method without "
            "weights has trains=False in physiome/registry.py"
        )
        raise TrainingError(
            "no weight learns",
            where=f"{type(method).__module__}.{type(method).__name__}",
            why=f"{len(wanted)} parameters, none of which wants a gradient",
            do="leave some of them to learn, or set its train.epochs to 0" if wanted else hint,
        )


def require_gradient(
    parameters: Sequence[nn.Parameter], terms: Mapping[str, float | Tensor], where: str
) -> None:
    """Refuse a step in which no weight gets a gradient.

    Raises:
        TrainingError: naming the terms of the loss.
    """
    if not any(p.grad is not None and bool(p.grad.any()) for p in parameters):
        found = ", ".join(f"{name} {float(value):.4g}" for name, value in terms.items())
        raise TrainingError(
            "no weight gets a gradient from the loss",
            where=where,
            why=found,
            do="compute the loss from the method's parameters, without detach() or no_grad()",
        )


def without_gradient(method: nn.Module, optimizer: torch.optim.Optimizer) -> str:
    """What to say of the trainable weights that no step moved, as none gave them a gradient.

    Their part of a system is as it was initialised, and the losses do not show it: 507 of the 608
    trainable tensors of PhysioME's public code.

    Args:
        optimizer: after all steps; it keeps something of every tensor that it ever moved.

    Returns:
        How many there are and of which parts; empty if there are none.
    """
    named = {name: p for name, p in method.named_parameters() if p.requires_grad}
    never = [name for name, p in named.items() if p not in optimizer.state]
    if not never:
        return ""
    parts = list(dict.fromkeys(".".join(name.split(".")[:2]) for name in never))
    more = f" and {len(parts) - PARTS} more" if len(parts) > PARTS else ""
    return (
        f"{len(never)} of {len(named)} trainable tensors never got a gradient and are as they were "
        f"initialised: {', '.join(parts[:PARTS])}{more}"
    )


def require_change(parameters: Sequence[nn.Parameter], first: str, where: str) -> None:
    """Refuse weights that are, after all steps, bit by bit what they were before the first.

    Args:
        first: their fingerprint then.

    Raises:
        TrainingError: they are.
    """
    if fingerprint(parameters) == first:
        raise TrainingError(
            "training changed no weight",
            where=where,
            why="the weights equal those before the first step",
            do="raise the learning rate; for untrained weights ask for zero epochs",
        )
