import hashlib
import shutil

import pytest

from physiome.config.sources import SleepEdfSource
from physiome.data.sources.record_table import read_rows
from physiome.data.sources.sleep_edf import TABLE, SleepEdf
from physiome.errors import ConfigError, DataError
from physiome.files import file_digest


def spec(fill: str, records=None, transfer=None, **raw) -> SleepEdfSource:
    plain = {"kind": "sleep_edf", "raw": {"fill": fill, **raw}, "records": records}
    return SleepEdfSource.parse(plain | {"transfer": transfer or {}})


def put(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"")


def found(folder):
    source = SleepEdf(spec("folder", folder=str(folder)), folder)
    return {r.record: r for r in source.fill(source.records())}


def test_the_table_has_153_nights_of_78_subjects():
    rows = read_rows(TABLE)
    assert len(rows) == 153
    assert len({row["subject"] for row in rows}) == 78
    assert [row["record"] for row in rows] == sorted({row["record"] for row in rows})


def test_both_files_of_a_night_belong_together():
    for row in read_rows(TABLE):
        for kind, ending in (("signals", "-PSG.edf"), ("annotations", "-Hypnogram.edf")):
            assert row[kind].startswith(f"sleep-cassette/{row['record']}")
            assert row[kind].endswith(ending)
            assert len(row[f"{kind}_sha1"]) == 40
        assert row["subject"] == row["record"][:5]
        assert row["night"] == row["record"][5]


def test_the_table_has_the_sums_of_the_originals(shared_data):
    sums = {row["annotations"]: row["annotations_sha1"] for row in read_rows(TABLE)}
    originals = sorted((shared_data / "sleep-edfx" / "sleep-cassette").glob("*.edf"))
    assert len(originals) == 15
    for path in originals:
        assert sums[f"sleep-cassette/{path.name}"] == file_digest(path, "sha1")


def test_wanted_records_are_kept_and_unknown_ones_refused(tmp_path):
    source = SleepEdf(spec("download", ["SC4011", "SC4001"], {"urls": ["https://x"]}), tmp_path)
    assert [row["record"] for row in source.records()] == ["SC4001", "SC4011"]
    source = SleepEdf(spec("download", ["SC4392"], {"urls": ["https://x"]}), tmp_path)
    with pytest.raises(DataError, match="no record 'SC4392'"):
        source.records()


def test_a_download_is_compared_with_the_published_sum(tmp_path):
    mirror, raw = tmp_path / "mirror", tmp_path / "raw"
    row = read_rows(TABLE)[0]
    put(mirror / "sleep-cassette")
    for kind in ("signals", "annotations"):
        (mirror / row[kind]).write_bytes(kind.encode())
    transfer = {"urls": [mirror.as_uri()], "attempts": 1}
    source = SleepEdf(spec("download", transfer=transfer), raw)
    (refused,) = source.fill([row])
    assert "wrong sha1" in (refused.problem or "")
    assert not (raw / row["annotations"]).exists()

    for kind in ("signals", "annotations"):
        row[f"{kind}_sha1"] = hashlib.sha1(kind.encode()).hexdigest()
    (accepted,) = source.fill([row])
    assert accepted.problem is None
    assert (raw / row["signals"]).read_bytes() == b"signals"


def test_real_hypnograms_come_from_a_mirror(tmp_path, shared_data):
    mirror = (shared_data / "sleep-edfx").as_uri()
    rows = read_rows(TABLE)[:1]
    source = SleepEdf(spec("download", transfer={"urls": [mirror], "attempts": 1}), tmp_path)
    (record,) = source.fill(rows)
    assert "SC4001E0-PSG.edf" in (record.problem or "")  # the mirror has no signals
    assert (tmp_path / rows[0]["annotations"]).exists()


def test_files_pair_by_the_first_six_characters(tmp_path):
    put(tmp_path / "sleep-cassette", "SC4022E0-PSG.edf", "SC4022EJ-Hypnogram.edf")
    put(tmp_path / "sleep-cassette", "SC4021E0-PSG.edf", "SC4021EH-Hypnogram.edf")
    records = found(tmp_path)
    assert records["SC4022"].annotations == str(
        tmp_path / "sleep-cassette" / "SC4022EJ-Hypnogram.edf"
    )
    assert {r.subject for r in records.values()} == {"SC402"}
    assert all(r.problem is None for r in records.values())


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["SC4001E0-PSG.edf"], "SC4001E0-PSG.edf has no hypnogram"),
        (["SC4001EC-Hypnogram.edf"], "SC4001EC-Hypnogram.edf has no signals"),
        (
            ["SC4001E0-PSG.edf", "SC4001EC-Hypnogram.edf", "SC4001EH-Hypnogram.edf"],
            "several files .* SC4001EC-Hypnogram.edf, SC4001EH-Hypnogram.edf",
        ),
    ],
)
def test_a_record_without_its_pair_is_a_problem_of_its_own(tmp_path, names, message):
    put(tmp_path, *names, "SC4011E0-PSG.edf", "SC4011EH-Hypnogram.edf")
    records = found(tmp_path)
    assert records["SC4011"].problem is None
    with pytest.raises(DataError, match=message):
        raise DataError(records["SC4001"].problem or "")


def test_further_nights_of_a_folder_are_taken(tmp_path, shared_data):
    composed = shared_data / "sleep-edfx" / "composed"
    records = found(composed)
    assert list(records) == ["SC4001_real_epochs"]
    assert records["SC4001_real_epochs"].subject == "SC400"
    assert records["SC4001_real_epochs"].problem is None

    for path in composed.iterdir():
        shutil.copy(path, tmp_path)
    put(tmp_path, "SC4001E0-PSG.edf", "SC4001EC-Hypnogram.edf")
    assert [r.problem for r in found(tmp_path).values()] == [None, None]


def test_a_linked_folder_with_spaces_and_accents_works(tmp_path):
    put(tmp_path / "écran 'x' y" / "sleep-cassette", "SC4001E0-PSG.edf", "SC4001EC-Hypnogram.edf")
    (tmp_path / "link").symlink_to(tmp_path / "écran 'x' y")
    assert found(tmp_path / "link")["SC4001"].problem is None


def test_a_file_that_went_away_is_a_problem(tmp_path):
    put(tmp_path, "SC4001E0-PSG.edf", "SC4001EC-Hypnogram.edf")
    source = SleepEdf(spec("folder", folder="x"), tmp_path)
    rows = source.records()
    (tmp_path / "SC4001E0-PSG.edf").unlink()
    assert "file is missing" in (source.fill(rows)[0].problem or "")


def test_a_folder_that_is_not_there_stops_before_any_work(tmp_path):
    source = SleepEdf(spec("folder", folder="x"), tmp_path / "no")
    with pytest.raises(DataError, match="folder is not there"):
        source.records()
    with pytest.raises(DataError, match="folder is not there"):
        source.fill([])


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no recordings in the folder"):
        found(tmp_path)


def test_made_up_nights_have_the_names_of_the_layout(tmp_path):
    made = {"subjects": 3, "recordings_per_subject": 2, "hours": 0.5}
    rows = SleepEdf(spec("synthetic", synthetic=made), tmp_path).records()
    records = ["SC4001", "SC4002", "SC4011", "SC4012", "SC4021", "SC4022"]
    assert [row["record"] for row in rows] == records
    assert rows[3]["signals"] == "sleep-cassette/SC4012E0-PSG.edf"
    assert rows[3]["annotations"] == "sleep-cassette/SC4012EC-Hypnogram.edf"
    assert rows[3]["subject"] == "SC401"


@pytest.mark.parametrize("made", [{"subjects": 101}, {"recordings_per_subject": 10}])
def test_more_nights_than_names_are_refused(tmp_path, made):
    with pytest.raises(ConfigError, match="cannot hold so many"):
        SleepEdf(spec("synthetic", synthetic=made), tmp_path).records()


def test_made_up_nights_too_short_for_all_stages_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="too short"):
        SleepEdf(spec("synthetic", synthetic={"hours": 0.1}), tmp_path).records()


def test_each_row_is_filled_by_itself(tmp_path):
    made = {"subjects": 2, "hours": 0.2}
    both = SleepEdf(spec("synthetic", synthetic=made), tmp_path / "both")
    one = SleepEdf(spec("synthetic", synthetic=made), tmp_path / "one")
    rows = both.records()
    both.fill(rows)
    (alone,) = one.fill(rows[1:])
    assert alone.problem is None
    for kind in ("signals", "annotations"):
        name = rows[1][kind]
        assert file_digest(tmp_path / "both" / name) == file_digest(tmp_path / "one" / name)
    assert not (tmp_path / "one" / rows[0]["signals"]).exists()
