"""Fault 13: File on disk altered after its download.

Sharding refuses it, naming both sums; fetch replaces it, or, offline, is an error and leaves it.
"""

import gzip

import pytest
from file_server import FileServer, closed_address
from nights import sleep
from published import download, listed, publish, sleep_table

from physiome.data.download.limits import NotYetError
from physiome.data.sources.integrity import AlteredFileError, altered_files
from physiome.files import canonical_json, file_digest
from physiome.steps import fetch, records, shard

PSG = "sleep-cassette/SC4001E0-PSG.edf"


@pytest.fixture
def fetched(tmp_path):
    """Two nights, published, and fetched into `raw`."""
    publish(tmp_path / "published", "sleep_edf", 2, 1 / 6)
    table = sleep_table(tmp_path / "published", tmp_path / "r.csv")
    with FileServer(tmp_path / "published") as server:
        chosen = download(tmp_path / "raw", "sleep_edf", server.base)
        fetch.run(chosen, table, 0, 1, tmp_path / "0.json")
    return tmp_path


def flip(path, place=5000):
    """Change one bit; return the sums before and after."""
    before, body = file_digest(path), bytearray(path.read_bytes())
    body[place] ^= 1
    path.write_bytes(body)
    return before, file_digest(path)


def cut(folder):
    settings = canonical_json(sleep(folder / "raw").shard_settings())
    shard.run(settings=settings, raw=folder / "0.json", folder=folder / "shard")


def test_fault_13_sharding_refuses_an_altered_file_with_both_sums(fetched):
    assert altered_files(fetched / "0.json") == []
    path = fetched / "raw" / PSG
    before, after = flip(path)
    with pytest.raises(AlteredFileError, match=f"{before} expected, {after} found") as error:
        cut(fetched)
    assert str(error.value).startswith(f"{path}: raw file of record SC4001 was altered")
    assert f"--forcerun {fetched / '0.json'}" in str(error.value)
    assert error.value.exit_code == 2
    assert list((fetched / "shard").iterdir()) == []
    (line,) = altered_files(fetched / "0.json")
    assert line == f"{path}: altered - sha256 {before} was fetched, {after} found"


def test_fault_13_the_next_fetch_replaces_it_and_sharding_goes_on(fetched):
    before, _ = flip(fetched / "raw" / PSG)
    with FileServer(fetched / "published") as server:
        chosen = download(fetched / "raw", "sleep_edf", server.base)
        fetch.run(chosen, fetched / "r.csv", 0, 1, fetched / "0.json")
        assert server.asked == ["/" + PSG]
    assert file_digest(fetched / "raw" / PSG) == before
    cut(fetched)
    assert (fetched / "shard" / "manifest.json").exists()


def test_fault_13_offline_it_is_an_error_and_the_file_stays(fetched):
    _, after = flip(fetched / "raw" / PSG)
    (fetched / "0.json").unlink()
    chosen = download(fetched / "raw", "sleep_edf", closed_address(), attempts=1)
    with pytest.raises(NotYetError, match=r"the one that is there is bad \(wrong sha1"):
        fetch.run(chosen, fetched / "r.csv", 0, 1, fetched / "0.json")
    assert not (fetched / "0.json").exists()
    assert file_digest(fetched / "raw" / PSG) == after


def test_fault_13_a_deleted_file_is_noticed_too(fetched):
    (fetched / "raw" / PSG).unlink()
    with pytest.raises(AlteredFileError, match="is missing"):
        cut(fetched)
    assert "missing" in altered_files(fetched / "0.json")[0]


def test_fault_13_a_case_that_is_whole_but_another_is_noticed(tmp_path):
    """There is no published sum of a `.vital` file: the one of the first download serves."""
    publish(tmp_path / "published", "vitaldb", 1, 0.05)
    chosen = download(tmp_path / "raw", "vitaldb", (tmp_path / "published").as_uri())
    records.run(chosen, tmp_path / "r.csv")
    fetch.run(chosen, tmp_path / "r.csv", 0, 1, tmp_path / "0.json")
    (record,) = listed(tmp_path / "0.json").values()
    body = bytearray(gzip.decompress((tmp_path / "raw" / "0001.vital").read_bytes()))
    body[-1] ^= 1
    with gzip.open(record.signals, "wb") as file:
        file.write(body)
    (line,) = altered_files(tmp_path / "0.json")
    assert f"{record.signals}: altered - sha256 {record.sha256[record.signals]}" in line
