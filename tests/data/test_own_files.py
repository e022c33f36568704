"""One's own recordings are read again only where they may have changed, and then once."""

import os
from pathlib import Path

import pytest

from physiome.data.sources import touched
from physiome.data.sources.own_files import batch_digests, changed_records
from physiome.files import canonical_json, write_errors
from physiome.steps import fetch

BATCHES = 2


class Own:
    """A folder of four recordings, fetched in two batches."""

    def __init__(self, root: Path):
        self.folder, self.raw = root / "mine", root / "results/raw"
        self.folder.mkdir()
        lines = ["record,subject", *(f"r{i},S{i}" for i in range(4))]
        (self.folder / "records.csv").write_text("\n".join(lines))
        for i in range(4):
            self.file(i).write_bytes(bytes([i]) * 1000)
        source = {"kind": "recordings", "folder": str(self.folder)}
        plain = {"dataset": "d", "source": source, "folder": str(self.folder), "modalities": {}}
        self.settings = canonical_json(plain)
        self.noted = [self.raw / f"d.batch{batch}.json" for batch in range(BATCHES)]
        for batch, path in enumerate(self.noted):
            fetch.run(self.settings, None, batch, BATCHES, path)

    def file(self, number: int) -> Path:
        return self.folder / f"r{number}.edf"

    def touch(self, number: int) -> None:
        os.utime(self.file(number), ns=(0, self.file(number).stat().st_mtime_ns + 10**9))

    def changed(self) -> list[str]:
        found = changed_records(self.settings, self.noted)
        return sorted(name for names in found.values() for name in names)

    def digests(self) -> list[str]:
        return batch_digests(self.settings, self.noted)


@pytest.fixture
def own(tmp_path):
    return Own(tmp_path)


@pytest.fixture
def read(monkeypatch):
    """Names of the files that are read whole, as they are."""
    names, digest = [], touched.file_digest

    def counted(path):
        names.append(Path(path).name)
        return digest(path)

    monkeypatch.setattr(touched, "file_digest", counted)
    return names


def test_files_as_they_were_fetched_are_not_read(own, read):
    assert own.changed() == []
    own.digests()
    assert read == []
    assert sorted(own.raw.iterdir()) == own.noted


def test_a_file_that_was_only_touched_is_read_once(own, read):
    digests, times = own.digests(), [path.stat().st_mtime_ns for path in own.noted]
    own.touch(1)
    for _ in range(3):  # plans
        assert own.changed() == []
        assert own.digests() == digests  # a parameter of its batch: nothing reruns
    assert read == ["r1.edf"]
    assert [path.stat().st_mtime_ns for path in own.noted] == times
    own.touch(1)
    own.touch(2)
    assert own.digests() == digests
    assert own.changed() == []
    assert sorted(read) == ["r1.edf", "r1.edf", "r2.edf"]


def test_a_file_of_other_bytes_is_found_and_read_once(own, read):
    digests = own.digests()
    own.touch(1)
    assert own.changed() == []
    own.file(1).write_bytes(b"x" * 1000)
    own.touch(1)
    for _ in range(2):
        assert own.changed() == ["r1"]
        assert [a == b for a, b in zip(own.digests(), digests, strict=True)] == [True, False]
    assert read == ["r1.edf", "r1.edf"]
    fetch.run(own.settings, None, 1, BATCHES, own.noted[1])
    assert own.changed() == []
    assert len(read) == 2


def test_a_file_that_is_written_to_while_it_is_read_is_not_kept(own, monkeypatch):
    def written_to(path):
        own.touch(0)
        return "0" * 64

    own.touch(0)
    monkeypatch.setattr(touched, "file_digest", written_to)
    assert own.changed() == ["r0"]
    assert sorted(own.raw.iterdir()) == own.noted


@pytest.mark.parametrize("damage", ["", "[1]", '{"F": 3}', '{"F": {"state": [1000, 5]}}'])
def test_kept_sums_that_are_damaged_are_made_again(own, read, damage):
    kept = own.raw / "d.touched.json"
    kept.write_text(damage.replace("F", str(own.file(1))))
    os.utime(own.file(1), ns=(0, 5))
    assert own.changed() == own.changed() == []
    assert read == ["r1.edf"]


def test_who_may_not_write_there_reads_again(own, read, monkeypatch):
    def refused(path, value):
        with write_errors(path):
            raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(touched, "write_json", refused)
    own.touch(1)
    assert own.changed() == own.changed() == []
    assert read == ["r1.edf", "r1.edf"]
