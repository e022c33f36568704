import pytest

from physiome.config.sources import RecordingsSource
from physiome.data.formats import open_reader
from physiome.data.formats.suffixes import files_in
from physiome.data.sources.own_folder import Recordings
from physiome.errors import DataError


def source(folder) -> Recordings:
    return Recordings(RecordingsSource.parse({"kind": "recordings", "folder": "x"}), folder)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "mes enregistrements"
    (folder / "deep" / "er").mkdir(parents=True)
    for name in ("a.edf", "b.vital", "deep/c.hea", "deep/er/d.EDF", "deep/c.mat", "e.txt"):
        (folder / name).write_bytes(b"")
    return folder


def listed(folder, text: str):
    (folder / "records.csv").write_text(text)
    chosen = source(folder)
    return {record.record: record for record in chosen.fill(chosen.records())}


def test_signal_files_are_found_by_the_record_at_any_depth(folder):
    records = listed(folder, "record,subject\na,1\nb,1\nc,2\nd,3\n")
    names = {k: r.signals.removeprefix(f"{folder}/") for k, r in records.items()}
    assert names == {"a": "a.edf", "b": "b.vital", "c": "deep/c.hea", "d": "deep/er/d.EDF"}
    assert all(record.problem is None for record in records.values())


def test_what_macos_notes_of_a_file_is_no_recording(folder):
    (folder / "deep" / "._a.edf").write_bytes(b"\0\5\x16\7")
    assert [path.name for path in files_in([folder])] == ["a.edf", "b.vital", "c.hea", "d.EDF"]


def test_a_table_without_its_json_is_found_where_nothing_else_has_its_name(folder):
    for name in ("a.csv", "f.csv"):
        (folder / name).write_text("ecg\n1\n")
    records = listed(folder, "record,subject\na,1\nf,1\n")
    assert records["a"].signals == str(folder / "a.edf")
    assert records["f"].signals == str(folder / "f.csv")
    with pytest.raises(DataError, match=r"f.json is not there - write .* rate in Hz: {\"Sampling"):
        open_reader(folder / "f.csv")


def test_real_records_in_a_subfolder_are_found(shared_data):
    chosen = source(shared_data / "challenge-2015")
    records = chosen.fill(chosen.records())
    assert len(records) == 174
    assert all(r.problem is None and r.signals.endswith(".hea") for r in records)
    assert "/training/" in records[0].signals


def test_paths_annotations_and_further_columns_are_kept(folder):
    text = "record,subject,path,annotations,sex\nx,1,e.txt,deep/c.mat,f\na,2,,,m\n"
    records = listed(folder, text)
    assert records["x"].signals == str(folder / "e.txt")
    assert records["x"].annotations == str(folder / "deep/c.mat")
    assert records["x"].columns == {"sex": "f"}
    assert records["a"].annotations is None


def test_a_file_that_is_not_there_is_the_record_s_own_problem(folder):
    text = "record,subject,path,annotations\na,1,,\nno,1,,\nx,2,gone.edf,\ny,2,a.edf,gone.edf\n"
    records = listed(folder, text)
    assert records["a"].problem is None
    assert "none is called no with the suffix .edf" in (records["no"].problem or "")
    assert "gone.edf: file is missing" in (records["x"].problem or "")
    assert "gone.edf: file is missing" in (records["y"].problem or "")


def test_of_two_files_with_one_name_none_is_guessed(folder):
    (folder / "deep" / "a.edf").write_bytes(b"")
    problem = listed(folder, "record,subject\na,1\n")["a"].problem
    assert "a.edf, deep/a.edf" in (problem or "")


def test_an_edf_file_is_preferred_to_a_header(folder):
    (folder / "a.hea").write_bytes(b"")
    assert listed(folder, "record,subject\na,1\n")["a"].signals == str(folder / "a.edf")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("recrod,subject\na,1\n", "no column 'record' - did you mean 'recrod'"),
        ("record;subject\na;1\n", "no column 'record' - put commas between columns"),
        ("record,patient\na,1\n", "no column 'subject'"),
        ("record,subject\na,1\na,2\n", "'a' is listed twice"),
        ("record,subject\na,\n", "'a' has no subject"),
        ('record,subject\na,"1\n2"\n', "subject .* does not print"),
        ("record,subject\na/b,1\n", "cannot be a record id"),
        ("record,subject\n..,1\n", "cannot be a record id"),
        ("record,subject,path\na,1,../x.edf\n", "leads out of the folder"),
        ("record,subject,path\na,1,/etc/passwd\n", "leads out of the folder"),
        ("record,subject,annotations\na,1,../x.edf\n", "leads out of the folder"),
    ],
)
def test_a_wrong_table_is_refused_and_named(folder, text, message):
    with pytest.raises(DataError, match=message) as error:
        listed(folder, text)
    assert "records.csv" in str(error.value)


def test_a_table_of_another_encoding_is_told_which_to_save_it_in(folder):
    (folder / "records.csv").write_text("record,subject\nä,1\n", "latin-1")
    with pytest.raises(DataError, match=r"is not UTF-8 text - .* - save it as UTF-8"):
        source(folder).records()


def test_a_missing_table_or_folder_is_named(folder, tmp_path):
    with pytest.raises(DataError, match="table of records is missing"):
        source(folder).records()
    with pytest.raises(DataError, match="folder is not there"):
        source(tmp_path / "no").records()


def test_the_order_of_lines_does_not_matter(folder):
    first = listed(folder, "record,subject\nb,1\na,2\n")
    assert list(first) == ["a", "b"]
    assert first == listed(folder, "record,subject\na,2\nb,1\n")
