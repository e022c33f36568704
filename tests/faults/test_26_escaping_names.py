"""Fault 26: Names that escape from their folder.

Refused in tables, headers and settings; names of channels never become paths; nothing is ever
unpacked.

Archives are not among them: nothing is ever unpacked to disk, which the last test holds.
"""

import ast
import shutil
from pathlib import Path

import edfio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nights import left_out, to_shard

import physiome
from physiome.config.data import Dataset
from physiome.config.sources import VitalDbSource
from physiome.data.sources.record_table import LONGEST_ID, check_id, read_rows, write_rows
from physiome.data.sources.vitaldb_cases import VitalDb
from physiome.data.synthetic.write_vital import Wave, write_vital
from physiome.errors import ConfigError, DataError
from physiome.files import canonical_json, read_json
from physiome.steps import fetch

OUTSIDE = ["../../x", "/tmp/x", "a/../../x", "..\\x", "C:\\x", "a\x00b"]
HEADER = "bad 1 100 1000\n{} 16 1/mV 16 0 0 0 0 II\n"


def recordings(folder, channels):
    """A data set of one's own, with these channels as modalities m0, m1, ..."""
    return Dataset.parse(
        {
            "title": "Own",
            "batches": 1,
            "classes": ["sick", "well"],
            "max_left_out": 1.0,
            "source": {"kind": "recordings", "folder": str(folder)},
            "modalities": {f"m{i}": {"channel": name} for i, name in enumerate(channels)},
            "window": {"length_s": 5.0, "rate_hz": 100.0, "lowpass_hz": None},
            "labels": {"rule": "column", "column": "state", "texts": {"sick": "sick"}},
        }
    )


def write_edf(path, labels):
    noise = np.random.default_rng(0).normal(0, 30, 1000)
    edfio.Edf([edfio.EdfSignal(noise, 100, label=label) for label in labels]).write(path)


def tree(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.fixture
def raw(tmp_path):
    (tmp_path / "deep" / "raw").mkdir(parents=True)
    return tmp_path / "deep" / "raw"


@pytest.mark.parametrize("name", [*OUTSIDE, "..", ".", "", "a/b", "a\nb", "x" * (LONGEST_ID + 1)])
def test_fault_26_a_record_id_that_could_leave_the_folder_stops_the_listing(raw, tmp_path, name):
    (raw / "records.csv").write_text(f'record,subject,state\n"{name}",1,sick\n')
    before = tree(tmp_path)
    with pytest.raises(DataError, match=r"records\.csv: .*(cannot be a record id|read as CSV)"):
        to_shard(recordings(raw, ["EEG"]), raw, tmp_path / "out")
    assert tree(tmp_path) == before


@pytest.mark.parametrize("column", ["path", "annotations"])
@pytest.mark.parametrize("path", OUTSIDE[:-1])
def test_fault_26_a_path_out_of_the_folder_stops_the_listing(raw, tmp_path, column, path):
    (raw / "records.csv").write_text(f"record,subject,state,{column}\na,1,sick,{path}\n")
    with pytest.raises(DataError, match="leads out of the folder - give a path below the folder"):
        to_shard(recordings(raw, ["EEG"]), raw, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("path", OUTSIDE[:-1])
def test_fault_26_an_edited_record_table_fetches_nothing_to_the_outside(raw, tmp_path, path):
    raw_spec = {"fill": "synthetic", "synthetic": {"hours": 0.05}}
    plain = canonical_json(
        {
            "dataset": "d",
            "source": {"kind": "vitaldb", "raw": raw_spec},
            "folder": str(raw),
            "modalities": {"abp": "SNUADC/ART"},
        }
    )
    core = {"subject": "1", "annotations": ""}
    rows = [{**core, "record": "0001", "signals": path}]
    write_rows(tmp_path / "records.csv", [*rows, {**core, "record": "2", "signals": "2.vital"}])
    fetch.run(plain, tmp_path / "records.csv", 0, 1, tmp_path / "raw.json")
    bad, good = read_json(tmp_path / "raw.json")["records"]
    assert "leads out of the folder" in bad["problem"]
    assert good["problem"] is None
    assert tree(tmp_path) == ["deep", "deep/raw", "deep/raw/2.vital", "raw.json", "records.csv"]


def test_fault_26_channels_and_tracks_with_such_names_are_only_names(raw, tmp_path):
    evil = "../../x"
    write_edf(raw / "a.edf", [evil])
    wave = Wave(80 + np.random.default_rng(0).normal(0, 9, 5000), 500, "mmHg", 0.1, (0, 200))
    write_vital(raw / "b.vital", {"../x": wave}, 1e9)
    (raw / "records.csv").write_text("record,subject,state\na,1,sick\nb,2,sick\n")
    entries = to_shard(recordings(raw, [evil, "../x"]), raw, tmp_path / "out")
    assert left_out(entries) == {}
    assert [entries[r]["windows"] for r in "ab"] == [2, 2]
    assert tree(tmp_path / "out" / "shard") == [
        "m0.npy",
        "m1.npy",
        "manifest.json",
        "windows.parquet",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "out"]


@pytest.mark.parametrize("name", ["../secret.dat", "/etc/passwd", "..", "a/../../secret.dat"])
def test_fault_26_a_header_cannot_name_a_signal_file_elsewhere(raw, tmp_path, name):
    (raw.parent / "secret.dat").write_bytes(bytes(2000))
    (raw / "bad.hea").write_text(HEADER.format(name))
    write_edf(raw / "a.edf", ["II"])
    (raw / "records.csv").write_text("record,subject,state\na,1,sick\nbad,2,sick\n")
    entries = to_shard(recordings(raw, ["II"]), raw, tmp_path / "out")
    assert list(left_out(entries)) == ["bad"]
    assert "bad.hea: WFDB header is damaged" in left_out(entries)["bad"]


def test_fault_26_a_linked_file_is_read_and_a_linked_folder_is_not_searched(raw, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    write_edf(elsewhere / "real.edf", ["EEG"])
    shutil.copyfile(elsewhere / "real.edf", elsewhere / "b.edf")
    (raw / "a.edf").symlink_to(elsewhere / "real.edf")
    (raw / "linked").symlink_to(elsewhere)
    (raw / "records.csv").write_text("record,subject,state\na,1,sick\nb,2,sick\n")
    entries = to_shard(recordings(raw, ["EEG"]), raw, tmp_path / "out")
    assert list(left_out(entries)) == ["b"]
    assert "no signal file for record 'b'" in left_out(entries)["b"]


@pytest.mark.parametrize("name", ["../trks.csv", "/etc/passwd", "https://localhost/a/.."])
def test_fault_26_lists_lie_in_the_raw_folder(raw, name):
    plain = {"kind": "vitaldb", "raw": {"fill": "folder", "folder": str(raw)}, "track_list": name}
    with pytest.raises(DataError, match="leads out of the folder"):
        VitalDb(VitalDbSource.parse(plain), raw, ["SNUADC/ART"]).records()


@pytest.mark.parametrize("name", ["../x", "a/b", "", "a b", "x\n", "A"])
def test_fault_26_a_modality_s_name_is_safe_in_a_path(raw, name):
    plain = recordings(raw, ["EEG"]).plain()
    plain["modalities"] = {name: {"channel": "EEG"}}
    with pytest.raises(ConfigError, match="modalities"):
        Dataset.parse(plain)


@given(st.lists(st.text(max_size=LONGEST_ID + 5), max_size=8))
def test_fault_26_ids_are_accepted_or_refused_and_never_merged(names):
    accepted = []
    for name in names:
        try:
            accepted.append(check_id(name, "here"))
        except DataError:
            continue
        assert accepted[-1] == name  # two ids stay two
        assert (Path("/folder") / name).resolve().parent == Path("/folder")


@settings(deadline=None, max_examples=30)  # it writes files
@given(st.sets(st.text(min_size=1, max_size=20).filter(lambda x: x.isprintable() and "/" not in x)))
def test_fault_26_ids_survive_the_record_table(tmp_path_factory, names):
    path = tmp_path_factory.mktemp("table") / "records.csv"
    names = {name.strip() for name in names} - {""}
    rows = [{"record": n, "subject": n, "signals": "", "annotations": ""} for n in sorted(names)]
    write_rows(path, rows)
    assert [row["record"] for row in read_rows(path)] == sorted(names)


def test_fault_26_nothing_is_ever_unpacked():
    calls = {
        node.attr
        for path in Path(physiome.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    }
    assert not calls & {"extract", "extractall", "unpack_archive"}
