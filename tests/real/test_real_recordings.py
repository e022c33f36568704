"""Real recordings, from their raw files through the sources and shards to folds."""

import datetime
import json
from collections import Counter

import mne
import numpy as np
import pytest
import yaml

from physiome.config.tree import Config, load_files
from physiome.data.formats import open_reader
from physiome.data.formats.edf import read_annotations
from physiome.data.store.shards import read_manifest, read_windows
from physiome.data.synthetic.write_edf import write_psg
from physiome.steps import fetch, folds, records, shard

pytestmark = pytest.mark.slow

STAGES = {"1": "N1", "2": "N2", "3": "N3", "4": "N3", "R": "REM"}
CHANNELS = ("EEG Fpz-Cz", "EEG Pz-Oz", "EOG horizontal")


@pytest.fixture(scope="module")
def paper(repository):
    return yaml.safe_load((repository / "config.yaml").read_text())


def shard_all(config: Config, name: str, folder, **changes):
    """Run records, fetch and shard of one data set as one batch; its windows and manifest."""
    settings = json.loads(config.records_settings(name))
    listed, raw = folder / "records.csv", folder / "raw.json"
    records.run(json.dumps(settings), listed)
    fetch.run(json.dumps(settings), listed, 0, 1, raw)
    cut = json.loads(config.shard_settings(name)) | changes
    shard.run(settings=json.dumps(cut), raw=raw, folder=folder / "batch0", workers=1)
    return read_windows([folder / "batch0"]), read_manifest(folder / "batch0")


def sleep_from(paper, folder) -> Config:
    source = paper["datasets"]["sleep_edf"]["source"]
    source["raw"] = {"fill": "folder", "folder": str(folder)}
    return Config.load(paper)


def scored_epochs(path) -> Counter:
    """30-s epochs per class in an original hypnogram, read without our code; wake left out."""
    annotations, counts = mne.read_annotations(path), Counter()
    for text, duration_s in zip(annotations.description, annotations.duration, strict=True):
        stage = STAGES.get(text.removeprefix("Sleep stage "))
        if stage:
            counts[stage] += int(duration_s // 30)
    return counts


def test_fifteen_original_hypnograms_give_their_epochs(paper, shared_data, tmp_path):
    raw = tmp_path / "raw"
    (raw / "sleep-cassette").mkdir(parents=True)
    originals = sorted((shared_data / "sleep-edfx/sleep-cassette").glob("*-Hypnogram.edf"))
    noise = np.random.default_rng(0).normal(0, 20, 3_000_000)
    for original in originals:
        start, scored_s = start_and_scored_length(original)
        signals = {c: np.resize(noise, scored_s * 100) for c in CHANNELS}
        write_psg(raw / "sleep-cassette" / f"{original.name[:6]}E0-PSG.edf", signals, start)
        (raw / "sleep-cassette" / original.name).symlink_to(original)
    windows, manifest = shard_all(sleep_from(paper, raw), "sleep_edf", tmp_path)
    assert [r["status"] for r in manifest["records"]] == ["used"] * len(originals)
    for original in originals:
        labels = windows.loc[windows["record"] == original.name[:6], "label"]
        found = Counter(labels.map(dict(enumerate(manifest["classes"]))).dropna())
        wake = found.pop("W")
        assert found == scored_epochs(original), original.name
        # at most 30 minutes on either side, and what lies between sleep
        between = sleep_span_epochs(original) - sum(found.values())
        assert wake <= between + 120, original.name


def start_and_scored_length(path) -> tuple[datetime.datetime, int]:
    """When an original hypnogram starts, and the end of its last scored stage in seconds."""
    annotations = mne.read_annotations(path)
    scored = [
        onset + duration
        for onset, duration, text in zip(
            annotations.onset, annotations.duration, annotations.description, strict=True
        )
        if text != "Sleep stage ?"
    ]
    start = datetime.datetime.fromtimestamp(read_annotations(path)[1], datetime.UTC)
    return start.replace(tzinfo=None), int(max(scored))


def sleep_span_epochs(path) -> int:
    """Epochs from the first to the last stage of sleep."""
    annotations = mne.read_annotations(path)
    spans = [
        (onset, onset + duration)
        for onset, duration, text in zip(
            annotations.onset, annotations.duration, annotations.description, strict=True
        )
        if text.removeprefix("Sleep stage ") in STAGES
    ]
    return int((max(stop for _, stop in spans) - min(start for start, _ in spans)) // 30)


def test_the_composed_night_and_the_excerpt_come_through_the_source(paper, shared_data, tmp_path):
    raw = tmp_path / "raw"
    (raw / "sleep-cassette").mkdir(parents=True)
    edf = shared_data / "sleep-edfx"
    pairs = {
        "SC4001E0_real_epochs-PSG.edf": edf / "composed/SC4001E0_real_epochs-PSG.edf",
        "SC4001E0_real_epochs-Hypnogram.edf": edf / "composed/SC4001E0_real_epochs-Hypnogram.edf",
        "SC4001E0-PSG.edf": edf / "excerpts/SC4001E0-PSG-first300s.edf",
        "SC4001EC-Hypnogram.edf": edf / "sleep-cassette/SC4001EC-Hypnogram.edf",
    }
    for name, target in pairs.items():
        (raw / "sleep-cassette" / name).symlink_to(target)
    windows, manifest = shard_all(sleep_from(paper, raw), "sleep_edf", tmp_path)
    labels = {r["record"]: r["labels"] for r in manifest["records"]}
    composed = {"W": 12, "N1": 0, "N2": 13, "N3": 1, "REM": 7, "none": 0}
    assert labels["SC4001_real_epochs"] == composed
    assert labels["SC4001"] == {"W": 10, "N1": 0, "N2": 0, "N3": 0, "REM": 0, "none": 0}
    overhang = {r["record"]: r["overhang_s"] for r in manifest["records"]}
    assert overhang["SC4001"] == 79_200  # a night of stages over five minutes of signal
    assert set(windows["subject"]) == {"SC400"}


@pytest.fixture(scope="module")
def icu(shared_data, repository, tmp_path_factory):
    """All ICU records through the example for own recordings: configuration, folder, windows."""
    overlay = repository / "workflow/overlays/own-recordings.yaml"
    plain = load_files([repository / "config.yaml", overlay]).plain()
    plain["datasets"]["icu"]["source"]["folder"] = str(shared_data / "challenge-2015")
    config, folder = Config.load(plain), tmp_path_factory.mktemp("icu")
    return config, folder, *shard_all(config, "icu", folder)


def test_icu_records_with_a_signal_missing_are_used(icu):
    _, _, windows, manifest = icu
    absent = Counter(m for r in manifest["records"] for m in r.get("absent", {}))
    assert len(manifest["records"]) == 174
    assert absent == {"abp": 12, "ppg": 12}
    missing = windows[[f"has_{m}" for m in ("abp", "ecg", "ppg")]].all(axis=1)
    assert 0 < missing.sum() < len(windows)
    assert (windows["label"] == 1).sum() > 100


def test_icu_subjects_fall_into_folds(icu):
    config, folder, *_ = icu
    out = folder / "folds.json"
    folds.run(config.folds_settings("icu"), [folder / "batch0"], out, folder / "records.out.csv")
    content = json.loads(out.read_text())
    assert len(content["folds"]) == 5
    assert content["classes"]["hypotension"] > 100


def test_monitor_demo_files_open_and_say_what_they_lack(shared_data, tmp_path, paper):
    files = sorted((shared_data / "vital-format").glob("*.vital"))
    assert len(files) == 3
    wanted = {"SNUADC/ART", "SNUADC/ECG_II", "SNUADC/PLETH"}
    for file in files:
        names = set(open_reader(file).channels())
        assert any(name.endswith("/ECG_II") for name in names), file.name
        assert not wanted & names, file.name
    (tmp_path / "records.csv").write_text(
        "record,subject,path\n" + "".join(f"{f.stem},{f.stem},{f.name}\n" for f in files)
    )
    for file in files:
        (tmp_path / file.name).symlink_to(file)
    dataset = paper["datasets"]["vitaldb"]
    dataset["source"] = {"kind": "recordings", "folder": str(tmp_path)}
    dataset["window"]["length_s"] = 10.0
    paper["overrides"]["vitaldb"]["encoder"] = {"frame_s": 3.0, "step_s": 3.0}
    _, manifest = shard_all(Config.load(paper), "vitaldb", tmp_path / "out")
    for entry in manifest["records"]:
        assert entry["status"] == "left_out"
        assert "SNUADC/ART" in entry["reason"]
