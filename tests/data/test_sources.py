import pytest

from physiome.config.sources import SourceSettings
from physiome.data.download.limits import NotYetError
from physiome.data.sources.kinds import SOURCES, open_source
from physiome.data.sources.record_table import (
    check_id,
    check_inside,
    fill_each,
    read_rows,
    write_rows,
)
from physiome.errors import ConfigError, DataError

SOURCE = {
    "sleep_edf": {"kind": "sleep_edf", "raw": {"fill": "synthetic"}},
    "vitaldb": {"kind": "vitaldb", "raw": {"fill": "synthetic"}},
    "physionet": {
        "kind": "physionet",
        "project": "eegmat/1.0.0",
        "pattern": "(?P<subject>.*)",
        "raw": {"fill": "folder", "folder": "x"},
    },
    "recordings": {"kind": "recordings", "folder": "x"},
}


def settings(kind: str, folder="x") -> SourceSettings:
    plain = {"dataset": "d", "source": SOURCE[kind], "folder": str(folder)}
    return SourceSettings.parse(plain | {"modalities": {"abp": "SNUADC/ART"}})


@pytest.mark.parametrize("kind", SOURCES)
def test_every_kind_of_the_configuration_has_a_source(kind):
    source = open_source(settings(kind))
    assert callable(source.records)
    assert callable(source.fill)


def test_an_unknown_kind_is_refused():
    with pytest.raises(ConfigError, match="sleep_edf"):
        SourceSettings.parse({"dataset": "d", "folder": "x", "source": {"kind": "sleepedf"}})


@pytest.mark.parametrize("kind", ["sleep_edf", "vitaldb"])
def test_record_tables_are_sorted_and_the_same_every_time(kind, tmp_path):
    source = open_source(settings(kind, tmp_path))
    rows = source.records()
    assert rows == sorted(rows, key=lambda row: row["record"]) == source.records()


def test_a_table_survives_writing_and_reading(tmp_path):
    rows = [
        {"record": "b", "subject": "1", "signals": "é, x.edf", "annotations": "", "night": "2"},
        {"record": "a", "subject": '"2"', "signals": "y.edf", "annotations": "h.edf"},
    ]
    write_rows(tmp_path / "t.csv", rows)
    assert read_rows(tmp_path / "t.csv") == [rows[0], rows[1] | {"night": ""}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"record,subjct\na,b\n", "no column 'subject' - did you mean 'subjct'"),
        (b"record,subject\na\n", "row 1 has 1 values"),
        (b"record,subject,subject\na,b,c\n", "twice"),
        (b"record,subject\n\xff,b\n", "is not UTF-8 text"),
        (b"", "no column 'record'"),
        (b"\x1f\x8bnot gzip", "cannot be read as CSV"),
    ],
)
def test_a_bad_table_is_refused_in_one_line(tmp_path, text, message):
    (tmp_path / "t.csv").write_bytes(text)
    with pytest.raises(DataError, match=message) as error:
        read_rows(tmp_path / "t.csv", ("record", "subject"))
    assert "t.csv" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_table_from_a_spreadsheet_is_read(tmp_path):
    (tmp_path / "t.csv").write_bytes("\ufeffrecord, subject\r\na , b\r\n\r\n".encode())
    assert read_rows(tmp_path / "t.csv", ("record", "subject")) == [{"record": "a", "subject": "b"}]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "a\nb", "\0", "x" * 101])
def test_ids_that_could_leave_their_folder_are_refused(name):
    with pytest.raises(DataError, match="cannot be a record id"):
        check_id(name, "t.csv")


@pytest.mark.parametrize(
    "path", ["../x", "a/../../x", "/etc/x", "C:\\x", "..\\x", "\\\\h\\x", "\0"]
)
def test_paths_that_leave_the_folder_are_refused(path):
    with pytest.raises(DataError, match="leads out of the folder"):
        check_inside(path, "t.csv")


@pytest.mark.parametrize("name", ["SC4001", "night 1 é", "a..b", "-x", "v115l"])
def test_usual_names_are_accepted(name):
    assert check_id(name, "t.csv") == name
    assert check_inside(f"deep/{name}.edf", "t.csv") == f"deep/{name}.edf"


def test_one_bad_record_does_not_stop_the_others(tmp_path):
    def get(row):
        if row["record"] == "b":
            raise DataError("gone", where="b.edf")

    rows = [{"record": r, "subject": "s", "signals": f"{r}.edf", "age": "3"} for r in "abc"]
    rows[2]["problem"] = "listed as bad"
    records = fill_each(rows, tmp_path, get)
    assert [r.problem for r in records] == [None, "b.edf: gone", "listed as bad"]
    assert records[0].signals == str(tmp_path / "a.edf")
    assert records[0].annotations is None
    assert records[0].columns == {"age": "3"}


def test_of_many_missing_records_the_first_are_named_and_the_others_counted(tmp_path):
    def unreachable(row):
        raise NotYetError("file cannot be fetched", where=row["signals"])

    rows = [{"record": f"r{i}", "subject": "s", "signals": f"r{i}.edf"} for i in range(12)]
    with pytest.raises(NotYetError, match=r"12 of 12 .*: r0, .*, r9 and 2 more, named above"):
        fill_each(rows, tmp_path, unreachable)
