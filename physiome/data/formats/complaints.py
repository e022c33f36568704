"""Nothing a decoding library says is lost: its warnings, prints and exceptions become our error.

The libraries behind the readers return shortened or altered samples with a warning (MNE) or a
printed line (vitaldb), and raise whatever they stumble over.
"""

import contextlib
import errno
import io
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

from physiome.errors import DataError

# These speak of the library's own code, not of the file; they are passed on.
OF_CODE = (ResourceWarning, DeprecationWarning, PendingDeprecationWarning, FutureWarning)
# Nor do these: the file may be read another time.
OF_MACHINE = (errno.EIO, errno.ESTALE, errno.EACCES, errno.EMFILE, errno.ENFILE)
# What MNE says of matters that no sample depends on: filters, patients, electrodes' places, names.
ASIDE = "|".join((
    r"Channels contain different (highpass|lowpass) filters",
    r"Highpass cutoff frequency \S+ is greater than lowpass",
    r"Online software filter detected",
    r"Invalid patient information",
    r"No coordinate information found",
    r"Not setting positions? of",
    r"Estimated head radius",
    r"Unknown types found, setting as type EEG",
    r"Data file name in EEG\.data .* is incorrect, the file name must have changed",
    r"This filename .* does not conform to MNE naming",
))  # fmt: skip
# MNE says so of annotations, which are counted where they are read.
OUTSIDE = r"(Limited|Omitted) \d+ annotation\(s\) that were (expanding )?outside"


@contextlib.contextmanager
def refuse_complaints(
    path: str | Path, library: str, what: str = "", known: str = r"\Z."
) -> Iterator[list[str]]:
    """Run calls of `library` on `path`; any complaint about the file becomes a DataError.

    Args:
        what: what is wrong with the file if the library raises; else, that it cannot read it.
        known: how complaints begin (a pattern) that are harmless, or whose cause the caller found.

    Yields:
        a list, which holds the complaints that were known once the calls are through.

    Raises:
        DataError: the library warned, printed or raised; our own errors, a lack of memory
            and a disk that fails pass.
    """
    said, passed = io.StringIO(), list[str]()
    try:
        with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(said):
            warnings.simplefilter("always")
            yield passed
    except (DataError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in OF_MACHINE:
            raise
        raise DataError(
            what or f"{library} cannot read this file",
            where=path,
            why=f"{type(error).__name__}: {error}",
            do="fetch the file again",
        ) from error
    printed = said.getvalue()
    for w in caught:  # what is warned of may be printed, too, over several lines
        printed = printed.replace(str(w.message), "")
    lines = {" ".join(line.split()) for line in printed.splitlines() if line.strip()}
    for w in caught:
        if issubclass(w.category, OF_CODE):
            warnings.warn_explicit(w.message, w.category, w.filename, w.lineno)
        else:
            lines.add(" ".join(str(w.message).split()))
    unknown = sorted(line for line in lines if not re.match(known, line))
    if unknown:
        raise DataError(
            f"{library} complains about this file",
            where=path,
            why="; ".join(unknown),
            do="fetch the file again",
        )
    passed += sorted(lines)
