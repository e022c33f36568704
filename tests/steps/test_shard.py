import json
import logging
import multiprocessing
import threading
import time

import edfio
import numpy as np
import pytest

from physiome.config.data import Dataset
from physiome.data.recording import RawRecord
from physiome.data.store.shards import read_manifest, read_windows
from physiome.errors import DataError, PhysioError
from physiome.files import canonical_json, digest, file_digest, write_json
from physiome.steps import shard

DATASET = {
    "title": "Sleep",
    "source": {"kind": "recordings", "folder": "x"},
    "batches": 1,
    "modalities": {"eeg": {"channel": "EEG", "unit": "uV"}, "eog": {"channel": "EOG"}},
    "classes": ["a", "b"],
    "window": {"length_s": 10.0, "rate_hz": 100.0},
    "labels": {"rule": "column", "column": "group", "texts": {"x": "a", "y": "b"}},
}
SETTINGS = Dataset.parse(DATASET).shard_settings()


@pytest.fixture
def batch(tmp_path):
    """Three good recordings, one cut, one that the source could not find."""
    rng = np.random.default_rng(0)
    records = []
    for i in range(4):
        signals = [
            edfio.EdfSignal(
                rng.normal(size=(i + 2) * 1000), 100, label=label, physical_dimension="uV"
            )
            for label in ("EEG", "EOG")
        ]
        path = tmp_path / f"r{i}.edf"
        edfio.Edf(signals).write(path)
        records.append(RawRecord(f"r{i}", f"s{i // 2}", str(path), columns={"group": "xyxy"[i]}))
    (tmp_path / "r1.edf").write_bytes((tmp_path / "r1.edf").read_bytes()[:-100])
    records.append(RawRecord("r4", "s9", "", problem="no signal file"))
    raw = tmp_path / "raw.json"
    write_json(raw, {"dataset": "mine", "records": [r.plain() for r in records]})
    return raw


def run(raw, folder, workers=1, settings=SETTINGS):
    shard.run(settings=canonical_json(settings), raw=raw, folder=folder, workers=workers)
    return read_manifest(folder)


def test_unusable_records_are_left_out_with_their_reason(batch, tmp_path):
    manifest = run(batch, tmp_path / "shard")
    status = {r["record"]: r["status"] for r in manifest["records"]}
    assert status == {"r0": "used", "r1": "left_out", "r2": "used", "r3": "used", "r4": "left_out"}
    reasons = {r["record"]: r["reason"] for r in manifest["records"]}
    assert "bytes expected" in reasons["r1"]
    assert "no signal file" in reasons["r4"]
    windows = read_windows([tmp_path / "shard"])
    assert windows["record"].value_counts().to_dict() == {"r0": 2, "r2": 4, "r3": 5}
    assert windows["label"].tolist() == [0] * 6 + [1] * 5


def test_the_manifest_states_settings_units_and_hashes(batch, tmp_path):
    manifest = run(batch, tmp_path / "shard")
    assert manifest["settings"] == SETTINGS
    assert manifest["settings_digest"] == digest(SETTINGS)
    assert manifest["kind"] == "recordings"
    assert manifest["dataset"] == "mine"
    assert manifest["classes"] == ["a", "b"]
    assert manifest["modalities"]["eeg"] == {"unit": "uV", "rate_hz": 100.0}
    found = manifest["records"][0]["files"]
    assert found == {"r0.edf": file_digest(tmp_path / "r0.edf")}


@pytest.mark.slow
def test_the_result_does_not_depend_on_workers(batch, tmp_path):
    run(batch, tmp_path / "one", workers=1)
    run(batch, tmp_path / "two", workers=2)
    names = sorted(p.name for p in (tmp_path / "one").iterdir())
    assert names == ["eeg.npy", "eog.npy", "manifest.json", "windows.parquet"]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_batch_of_nothing_usable_is_an_empty_shard(batch, tmp_path):
    plain = json.loads(batch.read_text())
    plain["records"] = plain["records"][-1:]
    write_json(batch, plain)
    assert run(batch, tmp_path / "shard")["windows"] == 0


def test_an_unforeseen_failure_stops_the_run_and_names_the_record(batch, tmp_path, monkeypatch):
    def fail(record, settings):
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(shard, "cut_record", fail)
    with pytest.raises(RuntimeError, match="record r0: ZeroDivisionError: oops"):
        run(batch, tmp_path / "shard")
    assert not (tmp_path / "shard" / "manifest.json").exists()
    assert list((tmp_path / "shard").iterdir()) == []


def test_each_record_is_logged_on_one_line(batch, tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger="physiome.steps.shard"):
        run(batch, tmp_path / "shard")
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 5
    assert lines[0].startswith("record=r0 status=used windows=2 ")
    assert "status=left_out" in lines[1]


def test_a_foreign_list_of_records_is_refused(tmp_path):
    write_json(tmp_path / "raw.json", {"records": [{"name": "x"}]})
    with pytest.raises(DataError, match="not a list of raw records"):
        run(tmp_path / "raw.json", tmp_path / "shard")


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_disk_that_fails_leaves_no_record_out(batch, tmp_path, workers):
    """A recording that can be read another time must not be lost: the step fails."""
    (tmp_path / "r0.edf").unlink()
    (tmp_path / "r0.edf").symlink_to("/proc/self/mem")  # reading it gives EIO, as bad sectors do
    with pytest.raises(
        PhysioError, match=r"r0\.edf: raw file of record r0 cannot be read"
    ) as error:
        run(batch, tmp_path / "shard", workers)
    assert error.value.exit_code == 2
    assert not (tmp_path / "shard" / "manifest.json").exists()


def test_a_worker_that_is_killed_is_told_in_one_line(batch, tmp_path):
    before = {child.pid for child in multiprocessing.active_children()}

    def kill():
        while not (new := [c for c in multiprocessing.active_children() if c.pid not in before]):
            time.sleep(0.01)
        new[0].kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(PhysioError, match=r"worker .* killed .*want of memory.*threads\.shard"):
        run(batch, tmp_path / "shard", workers=2)
    killer.join()
    assert not (tmp_path / "shard" / "manifest.json").exists()
