"""A method tried on two windows before it is trained: what cannot end well ends at once.

A fault in how a method embeds a subset would otherwise be found after its training.
"""

import copy
import inspect
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from physiome.errors import PhysioError, TrainingError
from physiome.methods.base import Method
from physiome.subsets import Subset, all_subsets, some_subsets, subset_name

WINDOWS = 2
FASTER = 1.1  # times that bf16 must be to be worth its rounding
TURNS = 3  # of which the first only warms up
ALL_UP_TO = 4  # modalities whose subsets are all tried


def rehearse(method: Method, signals: Mapping[str, Tensor], labels: Tensor | None = None) -> None:
    """Try a step and the embedding of subsets, on a copy: the method stays as it is.

    Args:
        signals: modality -> windows (2, L).
        labels: class indices (2,), for methods that learn from labels.

    Raises:
        TrainingError: in one line, with the file and line of the method where there is one: an
            exception; a loss that is not a finite scalar; no gradient; an embedding that is not
            (2, D) or not finite; embeddings of several sizes that are said to be comparable.
    """
    tried = copy.deepcopy(method)
    rng = torch.Generator().manual_seed(0)
    with _told(method, "a step"), torch.random.fork_rng(devices=[]):
        _try_step(tried, signals, labels, rng)
    widths = {}
    for subset in _tried([m for m in method.modalities if m in signals]):
        name = subset_name(subset)
        with _told(method, f"the embedding of {name}"):
            refused = bool(method.refuses(subset))
        if not refused:
            widths[name] = _embedded(tried, {m: signals[m] for m in subset}, name)
    _require(
        method,
        "embeddings of several sizes",
        not method.comparable or len(set(widths.values())) < 2,
        ", ".join(f"{name} {width}" for name, width in widths.items())
        + " columns: one size for every subset, or `comparable = False` in the class",
    )


def _embedded(tried: Method, observed: Mapping[str, Tensor], subset: str) -> int:
    """The size of a subset's embedding, if it is one."""
    what = f"the embedding of {subset}"
    with _told(tried, what):
        found: object = tried.embed(observed)
    if not isinstance(found, Tensor):
        _require(tried, what, False, f"it is a {type(found).__name__}, not a tensor")
        return 0
    _require(
        tried,
        what,
        found.ndim == 2 and len(found) == WINDOWS,
        f"its shape is {tuple(found.shape)}, not ({WINDOWS}, D)",
    )
    _require(tried, what, bool(torch.isfinite(found).all()), "it is not finite")
    return found.shape[1]


def _tried(modalities: list[str]) -> list[Subset]:
    """All subsets, of many modalities some."""
    few = len(modalities) <= ALL_UP_TO
    return all_subsets(modalities) if few else some_subsets(modalities, per_size=1, seed=0)


def _try_step(
    tried: Method, signals: Mapping[str, Tensor], labels: Tensor | None, rng: torch.Generator
) -> None:
    tried.train()
    for total, terms in _objectives(tried, signals, labels, rng):
        for name, value in terms.items():
            _require(
                tried,
                f"the loss term {name!r}",
                value.ndim == 0,
                f"its shape is {tuple(value.shape)}, not ()",
            )
            _require(
                tried,
                f"the loss term {name!r}",
                bool(torch.isfinite(value)),
                f"it is {float(value.detach())}",
            )
        if total.requires_grad:  # where none does, the loop says so with its terms
            total.backward()


def _objectives(
    tried: Method, signals: Mapping[str, Tensor], labels: Tensor | None, rng: torch.Generator
) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
    if labels is None:
        yield from tried.objectives(dict(signals), rng)
    else:
        terms = tried.labelled_loss(dict(signals), labels, rng)
        yield tried.total(terms), terms


def faster_in_bf16(
    method: Method, signals: Mapping[str, np.ndarray], labels: np.ndarray | None = None
) -> bool:
    """Whether steps on a CPU are faster under autocast to bf16, measured in turn on a copy.

    Args:
        signals, labels: as many windows as a training has in memory at a time.
    """
    tried, classes = copy.deepcopy(method).train(), None
    batch = {m: torch.from_numpy(x) for m, x in signals.items()}
    if labels is not None:
        classes = torch.from_numpy(labels)
    seconds: dict[bool, list[float]] = {False: [], True: []}
    with torch.random.fork_rng(devices=[]):
        for _ in range(TURNS):
            for narrow, found in seconds.items():
                rng, began = torch.Generator().manual_seed(0), time.perf_counter()
                each = _objectives(tried, batch, classes, rng)
                while True:
                    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=narrow):
                        step = next(each, None)
                    if step is None:
                        break
                    if step[0].requires_grad:
                        step[0].backward()
                tried.zero_grad(set_to_none=True)
                found.append(time.perf_counter() - began)
    wide_s, narrow_s = (min(found[1:]) for found in seconds.values())
    return wide_s > FASTER * narrow_s


def _require(method: Method, what: str, holds: bool, why: str) -> None:
    if not holds:
        raise TrainingError(
            f"{what} by {type(method).__name__} cannot be",
            where=_place(method),
            why=why,
            do="correct the method: this was two windows, before any training",
        )


@contextmanager
def _told(method: Method, what: str) -> Iterator[None]:
    """Turn an exception of the method into one line."""
    try:
        yield
    except PhysioError:
        raise
    except Exception as error:
        raise TrainingError(
            f"{what} by {type(method).__name__} failed",
            where=_place(method, error),
            why=f"{type(error).__name__}: {' '.join(str(error).split())}",
            do="correct the method: this was two windows, before any training "
            "(PHYSIOME_DEBUG=1 shows where from)",
        ) from error


def _place(method: Method, error: Exception | None = None) -> str:
    """`file:line` of the method that an exception came through last; else of the class."""
    file = inspect.getsourcefile(type(method)) or "?"
    frames = traceback.extract_tb(error.__traceback__) if error else []
    lines = [frame.lineno for frame in frames if frame.filename == file]
    return f"{file}:{lines[-1] if lines else inspect.getsourcelines(type(method))[1]}"
