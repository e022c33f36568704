"""Step: list the recordings of a data set."""

import logging
from pathlib import Path

from physiome.data.sources.kinds import open_source, parse_settings
from physiome.data.sources.record_table import write_rows
from physiome.errors import DataError

log = logging.getLogger(__name__)


def run(settings: str, output: Path, transfer: str = "{}") -> None:
    """Write the record table as CSV.

    Args:
        settings: JSON with dataset, source, folder (the raw folder), modalities (name -> channel).
        transfer: JSON with more keys of the source: addresses, timeouts, accepted terms.
    """
    parsed = parse_settings(settings, transfer)
    rows = open_source(parsed).records()
    if not rows:
        raise DataError("data set has no records", where=parsed.dataset)
    write_rows(output, rows)
    subjects = len({row["subject"] for row in rows})
    log.info("dataset=%s records=%d subjects=%d", parsed.dataset, len(rows), subjects)
