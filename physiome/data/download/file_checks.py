"""Checks of whole files, before they get their final name and again at every later run."""

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path

from physiome.errors import DataError
from physiome.files import file_digest

Check = Callable[[Path], None]  # raises DataError if the file is not what it should be
PIECE = 1 << 20


def has_digest(expected: str, algorithm: str = "sha1") -> Check:
    """A check of the file's hash against a published one (sha1 or sha256, hexadecimal)."""

    def check(path: Path) -> None:
        found = file_digest(path, algorithm)
        if found != expected.lower():
            raise DataError(
                f"wrong {algorithm}", where=path, why=f"expected {expected}, found {found}"
            )

    return check


def is_whole_vital(path: Path) -> None:
    """Check that a `.vital` file is whole: the gzip stream to its end and CRC, and the signature.

    Raises:
        DataError: if the file is cut, damaged or of another kind.
    """
    try:
        with gzip.open(path) as stream:
            signature = stream.read(4)
            while stream.read(PIECE):
                pass
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(".vital file is cut or damaged", where=path, why=str(error)) from None
    if signature != b"VITA":
        raise DataError("not a .vital file", where=path, why=f"it begins with {signature!r}")


def looks_like_page(start: bytes) -> bool:
    """Whether a file that starts like this is a web page (a login form, an error page)."""
    head = start.lstrip(b"\xef\xbb\xbf \t\r\n")[:64].lower()
    return head.startswith((b"<!doctype html", b"<html", b"<head", b"<body"))
