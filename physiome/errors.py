"""Errors for the person who reads them: one line with what, where, why and what to do."""

import difflib
from collections.abc import Iterable


class PhysioError(Exception):
    """A failure the user can act on. The command line prints it as one line and exits with code 2.

    Args:
        what: what is wrong, in one clause.
        where: the file, record or config key it was found in.
        why: the value or measurement that shows it.
        do: what the reader can do about it.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: object = None, why: str = "", do: str = ""):
        self.what, self.where, self.why, self.do = what, where, why, do
        parts = [f"{where}: {what}" if where is not None else what, why, do]
        super().__init__(on_one_line(" - ".join(part for part in parts if part)))


class ConfigError(PhysioError):
    """The configuration cannot be used."""


class DataError(PhysioError):
    """A recording, shard or table on disk cannot be used."""


class TrainingError(PhysioError):
    """Training or evaluation had to stop."""


def on_one_line(text: str) -> str:
    """`text` with escapes for what does not print: a name in a hostile file steers no terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def nearest(name: str, known: Iterable[str]) -> str:
    """`did you mean X?` for the nearest known name, else the list of known names."""
    known = sorted(known)
    lowered = {k.lower(): k for k in known}
    close = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.5)
    if close:
        return f"did you mean {lowered[close[0]]!r}? (known: {', '.join(known)})"
    return f"known: {', '.join(known)}" if known else "none are known"
