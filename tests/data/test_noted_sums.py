"""A file that a JSON beside it notes the sum of is read only as it was written."""

import pytest

from physiome.data.folds.roles import ROLES, read_fold
from physiome.errors import DataError
from physiome.files import digest, read_noted, sums, write_json


@pytest.fixture
def noted(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"as it was written")
    write_json(tmp_path / "a.json", {"n": 1, "sha256": sums(tmp_path / "a.parquet")})
    return tmp_path / "a.json"


def test_what_is_as_it_was_is_read(noted):
    assert read_noted(noted)["n"] == 1
    write_json(noted, {"n": 2})  # nothing noted, nothing compared
    assert read_noted(noted) == {"n": 2}


def test_an_altered_or_missing_file_is_refused_with_what_to_do(noted):
    file = noted.with_name("a.parquet")
    file.write_bytes(b"as it was Written")
    with pytest.raises(DataError, match=rf"a\.parquet: file was altered.*--forcerun {noted}"):
        read_noted(noted)
    file.unlink()
    with pytest.raises(DataError, match=r"a\.parquet: file is missing"):
        read_noted(noted)


def test_folds_in_which_a_subject_was_moved_are_refused(tmp_path):
    fold = {"fold": 1, **{role: [f"{role}{i}" for i in range(3)] for role in ROLES}}
    content = {"folds": [fold], "notes": []}
    written = content | {"sum": digest(content)}
    write_json(tmp_path / "f.json", written)
    assert read_fold(tmp_path / "f.json", 1)["test"] == ["test0", "test1", "test2"]
    fold["train"].append(fold["test"].pop())
    write_json(tmp_path / "f.json", written)
    with pytest.raises(DataError, match="the folds were altered"):
        read_fold(tmp_path / "f.json", 1)
