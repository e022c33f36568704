import gzip

import pytest

from physiome.config.sources import VitalDbSource
from physiome.data.formats import open_reader
from physiome.data.sources.vitaldb_cases import VitalDb
from physiome.data.synthetic import ventilation
from physiome.errors import ConfigError, DataError

WANTED = ("SNUADC/ART", "SNUADC/ECG_II", "SNUADC/PLETH")
TRACKS = {12: WANTED, 3: WANTED[1:], 2: (*WANTED, "BIS/BIS"), 1200: WANTED}
PATIENTS = {2: "p1", 3: "p1", 12: "p2", 1200: "p1"}
CASE = gzip.compress(b"VITA and so on", mtime=0)


def spec(fill: str, lists: dict | None = None, transfer=None, **raw) -> VitalDbSource:
    plain = {"kind": "vitaldb", "raw": {"fill": fill, **raw}, **(lists or {})}
    return VitalDbSource.parse(plain | {"transfer": {"accept_terms": True, **(transfer or {})}})


@pytest.fixture
def data_set(tmp_path):
    """A folder with the lists and two case files, one called as PhysioNet does, one as the API."""
    folder = tmp_path / "données du set"
    folder.mkdir()
    lines = [f"{case},{name},x" for case, names in TRACKS.items() for name in names]
    tracks = "\n".join(["caseid,tname,tid", *lines]).encode()
    (folder / "trks.csv.gz").write_bytes(gzip.compress(tracks))
    lines = [f"{case},{patient},60" for case, patient in PATIENTS.items()]
    (folder / "cases.csv").write_text("\n".join(["caseid,subjectid,age", *lines]))
    (folder / "0002.vital").write_bytes(CASE)
    (folder / "12.vital").write_bytes(CASE)
    return folder


def test_cases_with_all_wanted_tracks_are_listed_by_number(data_set):
    rows = VitalDb(spec("folder", folder="x"), data_set, WANTED).records()
    assert [row["record"] for row in rows] == ["0002", "0012", "1200"]


def test_operations_of_one_patient_share_a_subject(data_set):
    rows = VitalDb(spec("folder", folder="x"), data_set, WANTED).records()
    assert [row["subject"] for row in rows] == ["p1", "p2", "p1"]


def test_fewer_wanted_tracks_admit_more_cases(data_set):
    rows = VitalDb(spec("folder", folder="x"), data_set, ("SNUADC/PLETH",)).records()
    assert [row["record"] for row in rows] == ["0002", "0003", "0012", "1200"]


def test_the_number_of_cases_can_be_limited(data_set):
    source = VitalDb(spec("folder", {"max_cases": 2}, folder="x"), data_set, WANTED)
    assert [row["record"] for row in source.records()] == ["0002", "0012"]


def test_without_a_case_list_each_case_is_a_subject_and_the_log_says_so(data_set, caplog):
    (data_set / "cases.csv").unlink()
    source = VitalDb(spec("folder", {"case_list": None}, folder="x"), data_set, WANTED)
    assert [row["subject"] for row in source.records()] == ["2", "12", "1200"]
    assert "subject of its own" in caplog.text


def test_a_case_without_patient_is_an_error(data_set):
    (data_set / "cases.csv").write_text("caseid,subjectid\n2,p1\n")
    with pytest.raises(DataError, match="case 12 has no patient"):
        VitalDb(spec("folder", folder="x"), data_set, WANTED).records()


def test_a_track_that_no_case_has_is_named(data_set):
    with pytest.raises(DataError, match="no case has SNUADC/ABP"):
        VitalDb(spec("folder", folder="x"), data_set, (*WANTED, "SNUADC/ABP")).records()


@pytest.mark.parametrize("case", ["../../7", "01", "-1", "1e3", "\N{SUPERSCRIPT TWO}"])
def test_a_case_that_is_no_plain_number_is_refused(data_set, case):
    lines = [f"{number},{name},x" for number in (1, case) for name in WANTED]
    table = "\n".join(["caseid,tname,tid", *lines]).encode()
    (data_set / "trks.csv.gz").write_bytes(gzip.compress(table))
    with pytest.raises(DataError, match="caseid is not a plain whole number"):
        VitalDb(spec("folder", folder="x"), data_set, WANTED).records()


@pytest.mark.parametrize("name", ["trks.csv.gz", "cases.csv"])
def test_a_missing_list_is_named(data_set, name):
    (data_set / name).unlink()
    with pytest.raises(DataError, match=f"{name}: table is missing"):
        VitalDb(spec("folder", folder="x"), data_set, WANTED).records()


def test_terms_must_be_accepted_before_anything_is_downloaded(data_set, tmp_path):
    transfer = {"accept_terms": False, "urls": [data_set.as_uri()]}
    source = VitalDb(spec("download", transfer=transfer), tmp_path / "raw", WANTED)
    for work in (source.records, lambda: source.fill([])):
        with pytest.raises(ConfigError, match=r"CC BY-NC-SA 4\.0.*accept_terms: true"):
            work()
    assert not (tmp_path / "raw").exists()


def test_files_of_a_folder_are_found_under_either_name(data_set):
    source = VitalDb(spec("folder", folder="x"), data_set, WANTED)
    records = source.fill(source.records())
    assert [r.signals for r in records[:2]] == [
        str(data_set / "0002.vital"),
        str(data_set / "12.vital"),
    ]
    assert [r.problem is None for r in records] == [True, True, False]


def test_lists_and_cases_are_downloaded_under_either_name(data_set, tmp_path):
    transfer = {"urls": [data_set.as_uri()], "attempts": 1}
    source = VitalDb(spec("download", transfer=transfer), tmp_path / "raw", WANTED)
    records = source.fill(source.records())
    assert [r.problem is None for r in records] == [True, True, False]
    assert (tmp_path / "raw" / "0012.vital").read_bytes() == CASE
    assert "1200.vital" in (records[2].problem or "")


def test_lists_may_have_addresses_of_their_own(data_set, tmp_path):
    lists = {
        "track_list": (data_set / "trks.csv.gz").as_uri(),
        "case_list": (data_set / "cases.csv").as_uri(),
    }
    chosen = spec("download", lists, {"urls": ["file:///nowhere"]})
    source = VitalDb(chosen, tmp_path / "raw", WANTED)
    assert len(source.records()) == 3


@pytest.mark.parametrize(
    "content",
    [CASE[:-5], b"<html></html>", gzip.compress(b"PK", mtime=0)],
    ids=["cut", "page", "other kind"],
)
def test_a_damaged_case_is_not_accepted(data_set, tmp_path, content):
    (data_set / "0002.vital").write_bytes(content)
    chosen = spec("download", transfer={"urls": [data_set.as_uri()]})
    source = VitalDb(chosen, tmp_path / "raw", WANTED)
    first, second, _ = source.fill(source.records())
    assert first.problem is not None
    assert second.problem is None
    assert not (tmp_path / "raw" / "0002.vital").exists()


def test_a_missing_folder_stops_before_any_work(tmp_path):
    source = VitalDb(spec("folder", folder="x"), tmp_path / "no", WANTED)
    with pytest.raises(DataError, match="folder is not there"):
        source.records()


def test_made_up_cases_are_listed_in_the_format_of_the_data_set(tmp_path):
    made = {"subjects": 3, "recordings_per_subject": 2, "hours": 0.1}
    rows = VitalDb(spec("synthetic", synthetic=made), tmp_path, WANTED).records()
    assert [row["record"] for row in rows] == [f"{n:04d}" for n in range(1, 7)]
    assert [row["subject"] for row in rows] == ["1", "1", "2", "2", "3", "3"]
    with gzip.open(tmp_path / "trks.csv.gz", "rt") as file:
        assert file.readline() == "caseid,tname,tid\n"
    again = VitalDb(spec("folder", folder="x"), tmp_path, WANTED)
    assert again.records() == rows


def test_a_made_up_case_without_pressure_is_left_out(tmp_path):
    source = VitalDb(spec("synthetic", synthetic={"subjects": 2}), tmp_path, ("SNUADC/PLETH",))
    assert len(source.records()) == 3
    source = VitalDb(spec("synthetic", synthetic={"subjects": 2}), tmp_path, WANTED)
    assert len(source.records()) == 2


def test_cases_may_lack_tracks_that_are_not_required(data_set):
    chosen = spec("folder", {"required": WANTED[1:]}, folder="x")
    rows = VitalDb(chosen, data_set, WANTED).records()
    assert [row["record"] for row in rows] == ["0002", "0003", "0012", "1200"]


def test_a_required_track_that_no_modality_has_is_refused(data_set):
    chosen = spec("folder", {"required": ["SNUADC/ARTT"]}, folder="x")
    with pytest.raises(ConfigError, match="did you mean 'SNUADC/ART'"):
        VitalDb(chosen, data_set, WANTED).records()


def test_made_up_cases_lack_what_the_list_says_they_lack(tmp_path):
    made = {"subjects": 7, "hours": 0.05}
    six = (*WANTED, *ventilation.TRACKS)
    source = VitalDb(spec("synthetic", {"required": WANTED}, synthetic=made), tmp_path, six)
    source.fill(source.records())
    with gzip.open(tmp_path / "trks.csv.gz", "rt") as file:
        listed = [line.split(",")[:2] for line in file.read().splitlines()[1:]]
    for case in range(1, 8):
        names = {name for number, name in listed if number == str(case)}
        channels = open_reader(tmp_path / f"{case:04d}.vital").channels()
        assert set(channels) == names
        assert (ventilation.CVP in names) == (case % 3 != 0)
    assert channels[ventilation.CVP].rate_hz == 500
    assert open_reader(tmp_path / "0001.vital").channels()[ventilation.CO2].rate_hz == 62.5
