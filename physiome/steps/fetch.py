"""Step: make the raw files of one batch of records be there and verified."""

import json
import logging
from pathlib import Path

from physiome.data.sources.integrity import with_digests
from physiome.data.sources.kinds import open_source, parse_settings
from physiome.data.sources.record_table import read_rows
from physiome.errors import PhysioError
from physiome.files import write_json

log = logging.getLogger(__name__)


def run(
    settings: str,
    records: Path | None,
    batch: int,
    batches: int,
    output: Path,
    transfer: str = "{}",
) -> None:
    """Fill the raw files of the rows with number % batches == batch; write what is there as JSON.

    A record whose files cannot be had is listed with its `problem`; the step goes on. The others
    are listed with the SHA-256 of their files, for noticing later alterations. The settings and the
    number of batches stand beside them: they say which records these are.

    A record whose files may be had later (no network, a busy server) fails the step after all
    others were tried, so that the next run asks for them again.

    Args:
        settings: JSON with dataset, source, folder (the raw folder), modalities (name -> channel).
        records: the record table; None: list the source's records now.
        transfer: JSON with more keys of the source: addresses, timeouts, accepted terms.

    Raises:
        NotYetError: naming the records whose files may be had later, and the addresses tried.
    """
    if not 0 <= batch < batches:
        raise PhysioError("no such batch", why=f"batch {batch} of {batches}", do="count from 0")
    parsed = parse_settings(settings, transfer)
    source = open_source(parsed)
    rows = (source.records() if records is None else read_rows(records))[batch::batches]
    filled = [with_digests(record) for record in source.fill(rows)]
    for record in filled:
        if record.problem is not None:
            log.warning("record=%s problem=%r", record.record, record.problem)
    plain = [record.plain() for record in filled]
    facts = {"dataset": parsed.dataset, "batch": batch, "batches": batches}
    write_json(output, {**facts, "settings": json.loads(settings), "records": plain})
    usable = sum(record.problem is None for record in filled)
    log.info("dataset=%s batch=%d records=%d usable=%d", parsed.dataset, batch, len(rows), usable)
    if usable < len(rows):
        log.warning("left_out=%d to_try_them_again=delete %s", len(rows) - usable, output)
