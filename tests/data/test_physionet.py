"""Any project of PhysioNet: its lists drive and verify downloads, its names tell who and what."""

import hashlib

import pytest

from physiome.config.sources import PhysioNetSource
from physiome.data.formats import open_reader
from physiome.data.sources.physionet import PhysioNet
from physiome.errors import ConfigError, DataError

PATTERN = r"Subject(?P<subject>\d+)_(?P<task>\d)"
FILES = {
    "Subject00_1.edf": b"one",
    "Subject00_2.edf": b"two",
    "Subject01_1.edf": b"three",
    "Subject01_1.edf.event": b"events",
    "subject-info.csv": b"subject,age",
}


def spec(fill="download", **changes):
    plain = {"kind": "physionet", "project": "eegmat/1.0.0", "pattern": PATTERN}
    raw = {"fill": fill} | ({"folder": "x"} if fill == "folder" else {})
    return PhysioNetSource.parse({**plain, "raw": raw, **changes}, "source")


def publish(folder, files, records=None, **sums):
    """A project as PhysioNet serves it; `sums` replaces what the list says of files."""
    project = folder / "eegmat" / "1.0.0"
    for name, content in files.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    listed = records or [name for name in files if name.endswith(".edf")]
    (project / "RECORDS").write_text("\n".join(listed) + "\n")
    lines = {n: hashlib.sha256(content).hexdigest() for n, content in files.items()} | sums
    (project / "SHA256SUMS.txt").write_text("".join(f"{s} {n}\n" for n, s in lines.items()))
    return {"urls": [folder.as_uri()], "attempts": 1}


@pytest.fixture
def mirror(tmp_path):
    return publish(tmp_path / "served", FILES)


def test_names_tell_subject_and_condition(mirror, tmp_path):
    rows = PhysioNet(spec(transfer=mirror), tmp_path / "raw").records()
    assert [(r["record"], r["subject"], r["task"], r["signals"]) for r in rows] == [
        ("Subject00_1", "00", "1", "Subject00_1.edf"),
        ("Subject00_2", "00", "2", "Subject00_2.edf"),
        ("Subject01_1", "01", "1", "Subject01_1.edf"),
    ]


def test_all_files_of_a_recording_are_fetched_and_no_others(mirror, tmp_path):
    source = PhysioNet(spec(transfer=mirror), tmp_path / "raw")
    found = source.fill(source.records())
    assert [record.problem for record in found] == [None] * 3
    assert found[1].columns == {"task": "2"}
    there = {path.name for path in (tmp_path / "raw").iterdir() if path.is_file()}
    assert there >= {"Subject00_1.edf", "Subject01_1.edf.event", "RECORDS"}
    assert "subject-info.csv" not in there


def test_a_header_brings_its_signals(tmp_path):
    files = {"a/x1.hea": b"h", "a/x1.mat": b"m", "a/x10.hea": b"h"}
    transfer = publish(tmp_path / "served", files, records=["a/x1"])
    source = PhysioNet(spec(transfer=transfer, pattern=r"a/(?P<subject>x\d+)"), tmp_path / "raw")
    (record,) = source.fill(source.records())
    assert record.record == "a_x1"
    assert record.signals.endswith("raw/a/x1.hea")
    assert {p.name for p in (tmp_path / "raw/a").iterdir() if p.is_file()} == {"x1.hea", "x1.mat"}


@pytest.mark.parametrize("fill", ["download", "folder"])
def test_a_table_comes_with_its_rate(tmp_path, fill):
    files = {"Subject00_1.csv": b"ecg\n1\n", "Subject00_1.json": b'{"SamplingFrequency": 1}'}
    transfer = publish(tmp_path / "served", files, records=["Subject00_1.csv"])
    raw = tmp_path / "raw"
    if fill == "folder":
        raw = tmp_path / "served/eegmat/1.0.0"
        (raw / "RECORDS").unlink()
    source = PhysioNet(spec(fill, transfer=transfer), raw)
    (record,) = source.fill(source.records())
    assert (record.record, record.problem) == ("Subject00_1", None)
    assert open_reader(record.signals).read("ecg").tolist() == [1.0]


def test_a_file_with_another_sum_is_no_recording(tmp_path):
    transfer = publish(tmp_path / "served", FILES, **{"Subject00_2.edf": "0" * 64})
    source = PhysioNet(spec(transfer=transfer), tmp_path / "raw")
    problems = [record.problem for record in source.fill(source.records())]
    assert problems[0] is None
    assert "wrong sha256" in problems[1]


def test_a_file_without_a_sum_is_not_fetched(tmp_path):
    transfer = publish(tmp_path / "served", FILES, records=["Subject09_1.edf"])
    source = PhysioNet(spec(transfer=transfer), tmp_path / "raw")
    (record,) = source.fill(source.records())
    assert "no sum of Subject09_1.edf" in record.problem


def test_a_folder_that_is_there_needs_no_lists_but_is_compared_with_them(tmp_path):
    (tmp_path / "raw").mkdir()
    for name, content in FILES.items():
        (tmp_path / "raw" / name).write_bytes(content)
    source = PhysioNet(spec("folder"), tmp_path / "raw")
    assert len(source.records()) == 3
    assert all(record.problem is None for record in source.fill(source.records()))
    (tmp_path / "raw" / "SHA256SUMS.txt").write_text(f"{'0' * 64} Subject00_1.edf\n")
    again = PhysioNet(spec("folder"), tmp_path / "raw")
    assert "wrong sha256" in again.fill(again.records())[0].problem


def test_a_project_whose_lists_lead_elsewhere_is_refused(tmp_path):
    transfer = publish(tmp_path / "served", FILES, records=["../../etc/Subject00_1.edf"])
    with pytest.raises(DataError, match="leads out of the folder"):
        PhysioNet(spec(transfer=transfer), tmp_path / "raw").records()
    transfer = publish(tmp_path / "served", FILES, **{"../Subject00_1.edf": "0" * 64})
    source = PhysioNet(spec(transfer=transfer), tmp_path / "other")
    with pytest.raises(DataError, match="leads out of the folder"):
        source.fill(source.records())


def test_a_pattern_that_nothing_fits_shows_what_there_is(mirror, tmp_path):
    with pytest.raises(DataError, match=r"no recording fits .* there are Subject00_1\.edf"):
        PhysioNet(spec(transfer=mirror, pattern=r"S(?P<subject>\d)"), tmp_path / "raw").records()


def test_a_record_to_keep_must_exist(mirror, tmp_path):
    source = PhysioNet(spec(transfer=mirror, records=["Subject01_1"]), tmp_path / "raw")
    assert [row["record"] for row in source.records()] == ["Subject01_1"]
    with pytest.raises(DataError, match="no record 'Subject7'"):
        PhysioNet(spec(transfer=mirror, records=["Subject7"]), tmp_path / "raw").records()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pattern": "Subject(\\d+)"}, "no group"),
        ({"pattern": "(?P<subject>"}, "pattern"),
        ({"pattern": "(?P<subject>a)(?P<record>b)"}, "taken"),
        ({"project": "eegmat"}, "project"),
        ({"project": "../x/1.0"}, "project"),
        ({"raw": {"fill": "synthetic"}}, "downloaded"),
    ],
)
def test_what_cannot_be_a_project_is_refused(change, said):
    with pytest.raises(ConfigError, match=said):
        spec(**change)
