"""Formats without a checksum: what tells an altered file is the sum noted when it was fetched."""

from physiome.data.recording import RawRecord
from physiome.data.sources.integrity import AlteredFileError, check_unaltered


def must_be_noticed(noted: RawRecord) -> None:
    """The files of a record that was altered no longer have the sums noted of it."""
    try:
        check_unaltered(noted)
    except AlteredFileError:
        return
    raise AssertionError("an altered file has the sum noted for the original")
