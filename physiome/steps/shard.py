"""The step `shard`: one batch of raw records to one shard."""

import json
import logging
import signal
import time
from collections.abc import Generator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pandas as pd

from physiome.config.data import ShardSettings
from physiome.data.cutting.cut import Cut, cut_record
from physiome.data.recording import RawRecord
from physiome.data.report import Report
from physiome.data.sources.integrity import AlteredFileError, check_unaltered
from physiome.data.store.shards import write_shard
from physiome.devices.memory import workers_told
from physiome.errors import DataError, PhysioError
from physiome.files import digest, read_json

log = logging.getLogger(__name__)


def run(*, settings: str, raw: Path, folder: Path, workers: int = 1) -> None:
    """Write the shard of a batch.

    A record that cannot be used becomes a manifest entry with status `left_out` and the reason.
    The result does not depend on `workers`.

    Args:
        settings: canonical JSON of `Dataset.shard_settings()`.
        raw: JSON file {"dataset": name, "records": [`RawRecord.plain()`, ...]}.
        folder: the shard's folder.
        workers: processes that read records.

    Raises:
        DataError: `raw` is not such a file.
        AlteredFileError: a raw file is not what the fetch step verified.
        RuntimeError: a record failed in a way that is not a fault of its data.
    """
    parsed = ShardSettings.parse_text(settings, "shard settings")
    batch = read_json(raw)
    try:
        records = [RawRecord(**record) for record in batch["records"]]
    except (TypeError, KeyError) as error:
        raise DataError("not a list of raw records", where=raw, why=str(error)) from None
    facts = {
        "dataset": batch.get("dataset"),
        "kind": parsed.kind,
        "classes": list(parsed.classes),
        "modalities": {
            name: {"unit": m.unit, "rate_hz": parsed.window.rate_hz}
            | ({"leads": list(m.lead_names)} if m.lead_names else {})
            for name, m in parsed.modalities.items()
        },
        "settings": json.loads(settings),
        "settings_digest": digest(json.loads(settings)),
    }
    samples = parsed.window.samples
    shapes = {
        m: (len(spec.lead_names), samples) if spec.lead_names else (samples,)
        for m, spec in parsed.modalities.items()
    }
    told, writing = workers_told("threads.shard"), write_shard(folder, shapes, facts)
    with told, closing(_cut_all(records, raw, parsed, workers)) as cuts, writing as shard:
        for rows, windows, report in cuts:
            if len(windows):
                shard.add(rows, windows)
            shard.note(report.plain())


def _cut_all(
    records: list[RawRecord], raw: Path, settings: ShardSettings, workers: int
) -> Generator[Cut, None, None]:
    """Cut every record, in order."""
    work = partial(_cut_one, raw=raw, settings=settings)
    if workers <= 1 or len(records) <= 1:
        for record in records:
            yield _logged(*work(record))
        return
    # Not forked: a fork would copy the locks of libraries' threads.
    count, context = min(workers, len(records)), get_context("spawn")
    with ProcessPoolExecutor(count, context, _leave_ctrl_c_to_the_parent) as pool:
        try:
            # Workers begin here and inherit the mask: until they ignore it, Ctrl-C would end them.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                results = pool.map(work, records)
            finally:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
            for result in results:
                yield _logged(*result)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # after an error none is begun anew


def _leave_ctrl_c_to_the_parent() -> None:
    """A terminal sends it to all processes; workers finish the record they are at."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _cut_one(record: RawRecord, raw: Path, settings: ShardSettings) -> tuple[Cut, float]:
    """One record's windows, or why there are none; and the seconds it took."""
    began = time.perf_counter()
    try:
        check_unaltered(record, raw)
        cut = cut_record(record, settings)
    except DataError as error:
        report = Report.left_out(record.record, record.subject, str(error))
        cut = {}, pd.DataFrame(), report
    except AlteredFileError:
        raise  # not a bad recording: leaving it out would lose one that can be had again
    except OSError as error:  # likewise
        raise PhysioError(
            f"raw file of record {record.record} cannot be read",
            where=error.filename or record.signals,
            why=error.strerror or str(error),
            do="check its permissions and its disk, then run again",
        ) from error
    except Exception as error:
        raise RuntimeError(f"record {record.record}: {type(error).__name__}: {error}") from error
    return cut, time.perf_counter() - began


def _logged(cut: Cut, seconds: float) -> Cut:
    report = cut[2]
    log.info(
        "record=%s status=%s windows=%d seconds=%.1f reason=%r",
        report.record,
        report.status,
        report.windows,
        seconds,
        report.reason,
    )
    return cut
