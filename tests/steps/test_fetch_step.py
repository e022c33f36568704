import csv
import json
from pathlib import Path

import pytest

from physiome.data.recording import RawRecord
from physiome.errors import ConfigError, DataError, PhysioError
from physiome.files import canonical_json, read_json
from physiome.steps import fetch, records

MODALITIES = {"abp": "SNUADC/ART", "ecg": "SNUADC/ECG_II", "ppg": "SNUADC/PLETH"}
MADE = {"subjects": 3, "recordings_per_subject": 1, "hours": 0.2, "seed": 5}


def settings(raw_folder, kind: str = "sleep_edf", fill="synthetic", folder=None, **transfer) -> str:
    raw = {"fill": fill, "folder": folder, "synthetic": MADE}
    source = {"kind": kind, "raw": raw, "transfer": transfer}
    return canonical_json(
        {"dataset": "d", "source": source, "folder": str(raw_folder), "modalities": MODALITIES}
    )


def listed(path) -> list[RawRecord]:
    return [RawRecord(**plain) for plain in read_json(path)["records"]]


@pytest.mark.parametrize("kind", ["sleep_edf", "vitaldb"])
def test_batches_share_the_records_out_and_fill_the_folder(tmp_path, kind):
    chosen = settings(tmp_path / "raw", kind)
    records.run(chosen, tmp_path / "records.csv")
    found = []
    for batch in range(2):
        output = tmp_path / f"{batch}.json"
        fetch.run(chosen, tmp_path / "records.csv", batch, 2, output)
        assert read_json(output)["dataset"] == "d"
        assert read_json(output)["batch"] == batch
        assert read_json(output)["batches"] == 2
        assert read_json(output)["settings"] == json.loads(chosen)
        found.append(listed(output))
    with open(tmp_path / "records.csv") as file:
        names = [row["record"] for row in csv.DictReader(file)]
    assert [[r.record for r in part] for part in found] == [names[0::2], names[1::2]]
    for record in (r for part in found for r in part):
        assert record.problem is None
        assert (tmp_path / "raw").as_posix() in record.signals
        assert Path(record.signals).read_bytes()[:4] in (b"0   ", b"\x1f\x8b\x08\x00")


def test_a_relative_folder_stays_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    records.run(settings("raw"), tmp_path / "records.csv")
    fetch.run(settings("raw"), tmp_path / "records.csv", 0, 3, tmp_path / "0.json")
    (record,) = listed("0.json")
    assert record.signals == "raw/sleep-cassette/SC4001E0-PSG.edf"


def test_a_batch_without_records_is_fine(tmp_path):
    chosen = settings(tmp_path / "raw")
    records.run(chosen, tmp_path / "records.csv")
    fetch.run(chosen, tmp_path / "records.csv", 4, 5, tmp_path / "4.json")
    assert listed(tmp_path / "4.json") == []


@pytest.mark.parametrize("batch", [-1, 2])
def test_a_batch_that_does_not_exist_is_refused(tmp_path, batch):
    with pytest.raises(PhysioError, match="no such batch"):
        fetch.run(settings(tmp_path), tmp_path / "records.csv", batch, 2, tmp_path / "x.json")


def test_a_record_that_cannot_be_had_is_listed_and_logged(tmp_path, caplog):
    chosen = settings(tmp_path / "raw", fill="download", urls=["file:///nowhere"], attempts=1)
    records.run(chosen, tmp_path / "records.csv")
    fetch.run(chosen, tmp_path / "records.csv", 0, 100, tmp_path / "0.json")
    found = listed(tmp_path / "0.json")
    assert len(found) == 2
    assert all("file:///nowhere" in (r.problem or "") for r in found)
    assert "record=SC4001" in caplog.text


def test_settings_with_an_unknown_key_are_refused(tmp_path):
    text = settings(tmp_path).replace('"dataset"', '"dataste"')
    with pytest.raises(ConfigError, match="did you mean 'dataset'"):
        records.run(text, tmp_path / "records.csv")
    assert not (tmp_path / "records.csv").exists()


def test_nothing_is_written_when_the_folder_is_missing(tmp_path):
    chosen = settings(tmp_path / "no", fill="folder", folder="x")
    with pytest.raises(DataError, match="folder is not there"):
        records.run(chosen, tmp_path / "records.csv")
    assert not (tmp_path / "records.csv").exists()
