"""Made-up data sets as their publishers would serve them, and the settings to fetch them."""

from pathlib import Path
from typing import Any

from physiome.data.recording import RawRecord
from physiome.data.sources.record_table import read_rows, write_rows
from physiome.files import canonical_json, file_digest, read_json
from physiome.steps import fetch, records

TRACKS = {"abp": "SNUADC/ART", "ecg": "SNUADC/ECG_II", "ppg": "SNUADC/PLETH"}
QUICK = {"connect_timeout_s": 1.0, "timeout_s": 0.3, "attempts": 2}


def settings(folder: Path, kind: str, raw: dict[str, Any], **transfer: Any) -> str:
    """Settings of the steps `records` and `fetch` with `folder` as raw folder."""
    source: dict[str, Any] = {"kind": kind, "raw": raw, "transfer": transfer}
    if kind == "vitaldb":
        source |= {"transfer": {"accept_terms": True, **transfer}, "track_list": "trks.csv.gz"}
    return canonical_json(
        {"dataset": kind, "source": source, "folder": str(folder), "modalities": TRACKS}
    )


def download(folder: Path, kind: str, *urls: str, **transfer: Any) -> str:
    """Settings for downloading from `urls` without much patience."""
    return settings(folder, kind, {"fill": "download"}, **{"urls": list(urls), **QUICK, **transfer})


def publish(folder: Path, kind: str, recordings: int, hours: float) -> None:
    """Write the files of a data set into `folder`, its lists included."""
    made = {"subjects": recordings, "recordings_per_subject": 1, "hours": hours, "seed": 3}
    chosen = settings(folder, kind, {"fill": "synthetic", "synthetic": made})
    table = folder.parent / f"{folder.name}.made.csv"
    records.run(chosen, table)
    fetch.run(chosen, table, 0, 1, folder.parent / f"{folder.name}.made.json")
    table.unlink()


def sleep_table(published: Path, output: Path) -> Path:
    """The record table of published nights, with their sums, as the committed one has them."""
    nights = []
    for psg in sorted((published / "sleep-cassette").glob("*-PSG.edf")):
        record = psg.name[:6]
        (hypnogram,) = psg.parent.glob(f"{record}*-Hypnogram.edf")
        nights.append(
            {
                "record": record,
                "subject": record[:5],
                "night": record[5],
                "signals": f"sleep-cassette/{psg.name}",
                "signals_sha1": file_digest(psg, "sha1"),
                "annotations": f"sleep-cassette/{hypnogram.name}",
                "annotations_sha1": file_digest(hypnogram, "sha1"),
            }
        )
    write_rows(output, nights)
    assert len(read_rows(output)) == len(nights) > 0
    return output


def listed(raw_json: Path) -> dict[str, RawRecord]:
    """Records of a fetch step's output, by name."""
    found = [RawRecord(**plain) for plain in read_json(raw_json)["records"]]
    return {record.record: record for record in found}
