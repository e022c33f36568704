"""Fitted heads in a file, with what scoring a recording needs to know beside the weights."""

import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from physiome.errors import DataError
from physiome.evaluation.heads import LinearHead
from physiome.files import atomic_path, canonical_json

LOGISTIC, CENTRED, CONTEXT = "logistic", "centred", "context"
# In a file, where <kind>/ stands before a subset's name, but for the first.
KINDS = (LOGISTIC, CENTRED, CONTEXT)
FACTS = "facts"  # no subset has this name alone: its arrays are called <subset>/<part>
LARGEST = 1 << 30  # bytes; heads of 127 subsets of 4,000 columns and ten classes take 0.05 GB
# What zipfile and numpy raise on a file that is not ours; numpy's memory error names the shape.
UNREADABLE = (
    OSError, ValueError, EOFError, AttributeError, TypeError, RuntimeError, MemoryError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def save_heads(
    path: str | Path,
    heads: Mapping[str, LinearHead],
    facts: Mapping[str, Any],
    others: Mapping[str, Mapping[str, LinearHead]] | None = None,
) -> None:
    """Write heads by subset name as one `.npz` of plain arrays, atomically.

    Args:
        facts: what embeddings the heads were fitted on, as JSON data.
        others: heads of other kinds, which see the whole recording.
    """
    named = dict(heads)
    for kind, own in (others or {}).items():
        named |= {f"{kind}/{name}": head for name, head in own.items()}
    arrays = {
        f"{name}/{part}": value
        for name, head in named.items()
        for part, value in vars(head).items()
    }
    arrays[FACTS] = np.array(canonical_json(facts))
    with atomic_path(path) as temporary, open(temporary, "wb") as opened:
        np.savez(opened, **arrays)


def load_heads(path: str | Path, kind: str = LOGISTIC) -> dict[str, LinearHead]:
    """Heads of a kind by subset name, as `save_heads` wrote them.

    Raises:
        DataError: the file is missing, damaged, or of another kind.
    """
    parts: dict[str, dict[str, np.ndarray]] = {}
    for key, value in _arrays(path).items():
        name, _, part = key.rpartition("/")
        if name:
            parts.setdefault(name, {})[part] = value
    try:
        heads = {name: LinearHead(**values) for name, values in parts.items()}
    except TypeError as error:
        raise _foreign(path, str(error)) from None
    for name, head in heads.items():
        if not _is_sound(head):
            shapes = {part: value.shape for part, value in vars(head).items()}
            raise _foreign(path, f"its head of {name} has parts of shapes {shapes}")
        if not _is_usable(head):
            raise _foreign(
                path,
                f"its head of {name} has a scale that is not above 0, or numbers"
                " that are not finite",
            )
    before = "" if kind == LOGISTIC else f"{kind}/"
    named = {name: name.rpartition("/")[2] for name in heads}
    return {short: heads[name] for name, short in named.items() if name == before + short}


def _is_usable(head: LinearHead) -> bool:
    """Finite numbers to divide and multiply by; a bias of -inf means a class never seen."""
    finite = all(np.isfinite(part).all() for part in (head.mean, head.scale, head.weight))
    return finite and bool((head.scale > 0).all() and (head.bias < np.inf).all())


def _is_sound(head: LinearHead) -> bool:
    """Real numbers, in shapes that belong together."""
    same = head.mean.shape == head.scale.shape == head.weight.shape[1:]
    real = all(value.dtype.kind == "f" for value in vars(head).values())
    return real and same and head.weight.ndim == 2 and head.bias.shape == head.weight.shape[:1]


def load_facts(path: str | Path) -> dict[str, Any]:
    """What `save_heads` was told about the heads; {} in files that say nothing.

    Raises:
        DataError: as `load_heads`.
    """
    text = _arrays(path).get(FACTS)
    try:
        facts = json.loads(text.item()) if text is not None else {}
        if not isinstance(facts, dict):
            raise ValueError("what it says of itself is no table")
        return facts
    except (ValueError, TypeError, RecursionError) as error:
        raise _foreign(path, str(error)) from None


def _arrays(path: str | Path) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > LARGEST:
            raise ValueError(f"it unpacks to {size} bytes")
        with np.load(path, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files}
        if not all(isinstance(array, np.ndarray) for array in arrays.values()):
            raise ValueError("not all of its members are arrays")
        return arrays
    except FileNotFoundError:
        raise DataError("heads are missing", where=path, do="run the probe step first") from None
    except UNREADABLE as error:
        raise _foreign(path, " ".join(str(error).split())) from None


def _foreign(path: str | Path, why: str) -> DataError:
    return DataError(
        "not a file of heads",
        where=path,
        why=why,
        do="give a .heads.npz file that `physiome probe` wrote",
    )
