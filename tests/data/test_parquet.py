import pandas as pd
import pytest

from physiome.data.store.parquet import read_parquet
from physiome.errors import DataError


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "windows.parquet"
    pd.DataFrame({"record": ["a", "b"], "number": [0, 1]}).to_parquet(path)
    return path


def test_columns_and_rows_are_chosen_while_reading(path):
    table = read_parquet(path, ["number"], [("record", "==", "b")])
    assert table.to_dict("list") == {"number": [1]}


DAMAGE = {
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "a web page": lambda data: b"<html>" * 100,
    "a damaged footer": lambda data: data[:-40] + b"\xff" * 32 + data[-8:],
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_table_is_refused_with_its_name(path, damage):
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=r"windows\.parquet: table cannot be read"):
        read_parquet(path)


def test_a_missing_table_and_a_missing_column_are_refused(path):
    with pytest.raises(DataError, match="no_such"):
        read_parquet(path, ["no_such"])
    path.unlink()
    with pytest.raises(DataError, match="missing"):
        read_parquet(path)
