import numpy as np
import pandas as pd
import pytest

from physiome.data.store.shards import (
    MANIFEST,
    read_manifest,
    read_windows,
    require_settings,
    window_columns,
    write_shard,
)
from physiome.data.store.windows import Rows
from physiome.errors import DataError

MODALITIES = ("eeg", "eog")
SHAPES = dict.fromkeys(MODALITIES, (50,))


def table(count, record="r"):
    windows = pd.DataFrame({name: [0] * count for name in window_columns(SHAPES)})
    windows["record"], windows["subject"], windows["number"] = record, "s", range(count)
    return windows


def rows(count, value):
    return {m: np.full((count, 50), value + i, dtype=np.float32) for i, m in enumerate(MODALITIES)}


def write(folder, counts=(3, 0, 2)):
    with write_shard(folder, SHAPES, {"kind": "test", "settings_digest": "test"}) as shard:
        for i, count in enumerate(counts):
            if count:
                shard.add(rows(count, 10.0 * i), table(count, f"r{i}"))
            shard.note({"record": f"r{i}", "windows": count})


def test_a_shard_reads_back_by_memory_map(tmp_path):
    write(tmp_path)
    eog = np.load(tmp_path / "eog.npy", mmap_mode="r")
    assert isinstance(eog, np.memmap)
    assert eog.shape == (5, 50)
    assert eog[:, 0].tolist() == [1, 1, 1, 21, 21]
    assert read_manifest(tmp_path)["windows"] == 5


def test_windows_of_several_shards_know_their_place(tmp_path):
    write(tmp_path / "a")
    write(tmp_path / "b", counts=(4,))
    windows = read_windows([tmp_path / "a", tmp_path / "b"])
    assert windows["shard"].tolist() == [0] * 5 + [1] * 4
    assert windows["row"].tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3]


def test_a_shard_without_windows_is_a_shard(tmp_path):
    write(tmp_path, counts=(0,))
    assert np.load(tmp_path / "eeg.npy").shape == (0, 50)
    windows = read_windows([tmp_path])
    assert len(windows) == 0
    assert set(window_columns(SHAPES)) <= set(windows)


def fail_halfway(folder):
    with write_shard(folder, SHAPES, {"settings_digest": "test"}) as shard:
        shard.add(rows(2, 0.0), table(2))
        raise RuntimeError("power cut")


def test_nothing_is_left_of_a_shard_that_fails(tmp_path):
    with pytest.raises(RuntimeError, match="power cut"):
        fail_halfway(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_rows_that_do_not_fit_the_table_are_refused(tmp_path):
    with pytest.raises(ValueError, match="eeg"), write_shard(tmp_path, SHAPES, {}) as s:
        s.add(rows(2, 0.0), table(3))


def test_a_cut_or_missing_file_is_refused(tmp_path):
    write(tmp_path)
    path = tmp_path / "eeg.npy"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(DataError, match=r"wrong size - 1128 bytes expected, 1124 found"):
        read_manifest(tmp_path)
    path.unlink()
    with pytest.raises(DataError, match="missing"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("text", ["[]", "null", "{}", '{"bytes": {}, "shapes": {}, "records": []}'])
def test_a_manifest_of_something_else_is_refused(text, tmp_path):
    write(tmp_path)
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(DataError, match=r"file is none that the workflow wrote.* --forcerun"):
        read_manifest(tmp_path)
    with pytest.raises(DataError, match="file is none that the workflow wrote"):
        require_settings([tmp_path], "{}")


def samples_of(path):
    """What is read of an array of windows; None if it is refused."""
    try:
        return Rows(path, (50,))._rows
    except DataError:
        return None


def test_one_wrong_byte_in_the_header_of_an_array_is_refused_if_it_matters(tmp_path):
    write(tmp_path)
    path = tmp_path / "eeg.npy"
    whole, right = path.read_bytes(), samples_of(path).copy()
    for place in range(128):
        for byte in b"\x00\xff([{'0":
            path.write_bytes(whole[:place] + bytes([byte]) + whole[place + 1 :])
            found = samples_of(path)
            assert found is None or np.array_equal(found, right)
