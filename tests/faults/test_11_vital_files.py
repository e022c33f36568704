"""Fault 11: `.vital` file cut, of another kind, without a track, with a flipped bit.

Left out before anything is decoded; a missing track is a missing modality, with `strict_channels`
an error; what the decoder prints is an error.
"""

import gzip

import numpy as np
import pytest
from nights import left_out, to_shard

from physiome.config.data import Dataset
from physiome.data.synthetic.operations import SHORTEST_H, write_case, write_lists
from physiome.data.synthetic.write_vital import Wave, write_vital

TRACKS = {"abp": "SNUADC/ART", "ecg": "SNUADC/ECG_II", "ppg": "SNUADC/PLETH"}
GOOD, LACKING = "0001", "0002"
CUTS = {"0003": 0.3, "0004": 0.7, "0005": 0.95}
PAGE, EMPTY, SIGNED = "0006", "0007", "0008"
FLIPPED = [f"{case:04d}" for case in range(9, 34)]


def dataset(folder, **changes):
    raw = {"fill": "folder", "folder": str(folder)}
    return Dataset.parse(
        {
            "title": "Cases",
            "batches": 1,
            "classes": ["no", "yes"],
            "source": {"kind": "vitaldb", "raw": raw, "track_list": "trks.csv.gz"},
            "modalities": {name: {"channel": track} for name, track in TRACKS.items()},
            "window": {"length_s": 60.0, "rate_hz": 100.0},
            "labels": {"rule": "hypotension"},
            **changes,
        }
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """33 cases: one sound, one without ECG, the others damaged."""
    folder = tmp_path_factory.mktemp("raw")
    write_lists(folder / "trks.csv.gz", folder / "cases.csv", 33, 1)
    good = folder / f"{GOOD}.vital"
    write_case(good, record=GOOD, subject="1", hours=SHORTEST_H, seed=0)
    wave = Wave(80 + 20 * np.sin(np.arange(60_000) / 80), 500, "mmHg", 0.1, (0, 200))
    write_vital(folder / f"{LACKING}.vital", {TRACKS["abp"]: wave, TRACKS["ppg"]: wave}, 1e9)
    whole = good.read_bytes()
    damaged = {case: whole[: int(share * len(whole))] for case, share in CUTS.items()}
    damaged |= {PAGE: b"<!DOCTYPE html><html>", EMPTY: b""}
    damaged[SIGNED] = gzip.compress(b"NOPE" + gzip.decompress(whole)[4:], 1, mtime=0)
    rng = np.random.default_rng(0)
    for case in FLIPPED:
        content = bytearray(whole)
        # Behind the gzip header of ten bytes, whose time and flags say nothing about the samples.
        content[int(rng.integers(10, len(whole)))] ^= 1 << int(rng.integers(8))
        damaged[case] = bytes(content)
    for case, content in damaged.items():
        (folder / f"{case}.vital").write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def entries(folder, tmp_path_factory):
    return to_shard(dataset(folder), folder, tmp_path_factory.mktemp("out"))


def test_fault_11_a_cut_case_is_left_out(entries):
    for case in CUTS:
        assert f"{case}.vital: file is cut - its gzip stream ends early" in left_out(entries)[case]


def test_fault_11_a_file_of_another_kind_is_named_as_such(entries):
    reasons = left_out(entries)
    assert "not a .vital file - it is not gzip-compressed" in reasons[PAGE]
    assert "file is empty" in reasons[EMPTY]
    assert "its signature is b'NOPE', not b'VITA'" in reasons[SIGNED]


def test_fault_11_each_of_25_flipped_bits_is_found(entries):
    reasons = left_out(entries)
    assert len(FLIPPED) == 25
    for case in FLIPPED:
        assert f"{case}.vital: file is " in reasons[case]
        assert entries[case]["windows"] == 0


def test_fault_11_the_sound_cases_are_used(entries):
    assert set(entries) - set(left_out(entries)) == {GOOD, LACKING}


def test_fault_11_a_missing_track_is_a_missing_modality_or_an_error(folder, entries, tmp_path):
    lacking = entries[LACKING]
    assert lacking["lost"]["ecg"] == {"absent": lacking["windows"]}
    assert "no channel 'SNUADC/ECG_II': " in lacking["absent"]["ecg"]
    reasons = left_out(to_shard(dataset(folder, strict_channels=True), folder, tmp_path))
    assert "no channel 'SNUADC/ECG_II' for ecg - " in reasons[LACKING]
    assert "known: SNUADC/ART, SNUADC/PLETH" in reasons[LACKING]
    assert GOOD not in reasons


def test_fault_11_what_the_decoder_prints_is_an_error(folder, tmp_path, monkeypatch):
    import vitaldb

    original = vitaldb.VitalFile

    def printing(*args, **kwargs):
        print("Error in reading file: unpack_from requires a buffer")
        return original(*args, **kwargs)

    monkeypatch.setattr(vitaldb, "VitalFile", printing)
    reasons = left_out(to_shard(dataset(folder), folder, tmp_path))
    assert "vitaldb complains about this file - Error in reading file" in reasons[GOOD]


def test_fault_11_samples_that_the_decoder_drops_are_counted_and_missed(
    folder, tmp_path, monkeypatch
):
    import vitaldb

    class Lossy(vitaldb.VitalFile):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            for track in self.trks.values():
                track.recs = track.recs[:-1]

    monkeypatch.setattr(vitaldb, "VitalFile", Lossy)
    reasons = left_out(to_shard(dataset(folder), folder, tmp_path))
    assert "track 'SNUADC/ART' is not decoded as it is stored - " in reasons[GOOD]
    assert LACKING in reasons
