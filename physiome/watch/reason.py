"""What Snakemake gives as a job's reason to run, taken apart."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

MISSING = "Missing output files"
INCOMPLETE = "Incomplete output files"
UPDATED = "Updated input files"
DERIVED = "Input files updated by another job"
INPUTS = "Set of input files has changed since last execution"
COMMAND = "Code has changed since last execution"
PARAMS = "Params have changed since last execution"
SOFTWARE = "Software environment definition has changed since last execution"
KNOWN = (MISSING, INCOMPLETE, UPDATED, DERIVED, INPUTS, COMMAND, PARAMS, SOFTWARE)
PIECE = re.compile(rf"(?:^|; )({'|'.join(KNOWN)})(?:: |(?=;|$))")
EXCLUSIVE = re.compile(r"before: (.*) now: (.*?) *$", re.S)
NONE = "<nothing exclusive>"


@dataclass(frozen=True)
class Params:
    """Parameters of a rule that only its last run, or only the next one, has."""

    before: list[Any] = field(default_factory=list)
    now: list[Any] = field(default_factory=list)


def pieces(reason: str) -> dict[str, str]:
    """Kind of reason -> what is said of it; empty for one that is not known.

    Example:
        >>> pieces("Missing output files: a, b; Code has changed since last execution")
        {'Missing output files': 'a, b', 'Code has changed since last execution': ''}
    """
    found = PIECE.split(reason)[1:]
    return dict(zip(found[::2], found[1::2], strict=True))


def files(text: str) -> list[str]:
    """The files of a piece."""
    return [name.split(" (")[0] for name in text.split(", ") if name]


def params(text: str) -> Params:
    """The parameters that changed; none where the text is not understood."""
    found = EXCLUSIVE.search(text)
    return Params(_values(found[1]), _values(found[2])) if found else Params()


def _values(text: str) -> list[Any]:
    """Snakemake writes them as Python does, with commas between."""
    try:
        return [] if text == NONE else list(ast.literal_eval(f"({text},)"))
    except (ValueError, SyntaxError):
        return []


def changes(before: Any, now: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Path, value before and value now of every leaf that differs; None where there is none."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in {**before, **now}:
            yield from changes(before.get(key), now.get(key), f"{path}.{key}".lstrip("."))
    elif before != now:
        yield path, before, now
