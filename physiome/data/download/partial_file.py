"""The `.part` file of a download, and the note beside it that says what it is the beginning of."""

from pathlib import Path

from physiome.errors import DataError
from physiome.files import read_json, write_json


def part_of(path: Path) -> Path:
    """Where a download to `path` collects its bytes."""
    return path.with_name(path.name + ".part")


def begin(part: Path, url: str, validator: str | None) -> None:
    """Forget what was there; note what comes, if the server gave a mark to know the file again by.

    Args:
        validator: the file's ETag or Last-Modified.
    """
    drop(part)
    if validator is not None:
        write_json(_note_of(part), {"url": url, "validator": validator})


def drop(part: Path) -> None:
    """Forget what was received."""
    part.unlink(missing_ok=True)
    _note_of(part).unlink(missing_ok=True)


def size_of(part: Path) -> int:
    """Bytes received."""
    return part.stat().st_size if part.exists() else 0


def validator_of(part: Path, url: str) -> str | None:
    """The mark under which `part` was begun, if it was begun from this address."""
    if not part.exists() or not _note_of(part).exists():
        return None
    try:
        note = read_json(_note_of(part))
    except DataError:
        return None
    return note.get("validator") if note.get("url") == url else None


def _note_of(part: Path) -> Path:
    return part.with_name(part.name + ".json")
