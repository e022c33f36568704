"""Fault 17: Malicious checkpoint.

Weights, resume states, heads, embeddings and windows that are pickles are refused and their code is
not run; a weights file that lies about its header, offsets or shapes is refused, and no memory is
laid out for it.
"""

import json
import pickle
import resource
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from crashes import same_weights, train, write_place
from tinyshards import tiny_store

from physiome.data.store.shards import MANIFEST
from physiome.errors import DataError, PhysioError
from physiome.files import file_digest, sums
from physiome.predict import score as predict
from physiome.steps import probe
from physiome.training.checkpoint import read_weights

METHOD = "contrawr"  # any that trains
ADDRESSES = 8 << 30  # bytes of address space; torch's libraries take most of them


class Bomb:
    """Whoever unpickles it writes the marker file."""

    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self):
        return Path.write_text, (self.marker, "run")


@pytest.fixture
def marker(tmp_path):
    return tmp_path / "marker"


def bomb_bytes(marker: Path, kind: str) -> bytes:
    """The bomb as a bare pickle, or as torch, numpy or a zip of numpy would save it."""
    path = marker.with_name("bomb")
    with open(path, "wb") as file:
        if kind == "pickle":
            pickle.dump(Bomb(marker), file)
        elif kind == "torch":
            torch.save({"model": Bomb(marker), "identity": "id"}, file)
        elif kind == "npy":
            np.save(file, np.array([Bomb(marker)], dtype=object), allow_pickle=True)
        else:
            np.savez(file, **{"a/mean": np.array([Bomb(marker)], dtype=object)})
    return path.read_bytes()


def test_fault_17_these_files_would_run_their_code(marker):
    """Else the tests below would say nothing."""
    pickle.loads(bomb_bytes(marker, "pickle"))
    assert marker.exists()


@pytest.mark.parametrize("part", ["weights", "heads"])
@pytest.mark.parametrize("kind", ["pickle", "torch", "npy", "npz"])
def test_fault_17_a_pickle_given_as_weights_or_heads(nights, marker, tmp_path, part, kind):
    given = {k: v for k, v in nights.model(METHOD).items() if k in ("weights", "heads")}
    given[part] = tmp_path / given[part].name
    given[part].write_bytes(bomb_bytes(marker, kind))
    (tmp_path / "out").mkdir()
    with pytest.raises(PhysioError, match=r"not a (weights )?file of") as caught:
        predict.run(nights.recording, output=tmp_path / "out" / "o.csv", device="cpu", **given)
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "out").iterdir()) == []
    assert not marker.exists()


@pytest.mark.parametrize("kind", ["pickle", "torch"])
def test_fault_17_a_pickle_in_place_of_a_resume_state(marker, tmp_path, kind):
    place = write_place(tmp_path / "place")
    whole = train(place, tmp_path / "whole.safetensors")
    folder = tmp_path / "w.safetensors.resume"
    folder.mkdir()
    (folder / "state.pt").write_bytes(bomb_bytes(marker, kind))
    (folder / "digests").write_text(file_digest(folder / "state.pt") + "\n")
    found = train(place, tmp_path / "w.safetensors")
    assert same_weights(found, whole)  # trained from the beginning
    assert not marker.exists()


@pytest.mark.parametrize("kind", ["pickle", "torch", "npy", "npz"])
def test_fault_17_a_pickle_in_place_of_embeddings(nights, marker, tmp_path, kind):
    place = nights.model(METHOD)["scores"].parent
    for path in place.glob("rows.*"):
        shutil.copyfile(path, tmp_path / path.name)
    (tmp_path / "rows.npy").write_bytes(bomb_bytes(marker, kind))
    facts = json.loads((tmp_path / "rows.json").read_text())
    facts["sha256"] = sums(tmp_path / "rows.npy")  # so that its sum gives no warning
    (tmp_path / "rows.json").write_text(json.dumps(facts))
    with pytest.raises(DataError, match=r"rows\.npy: not an array"):
        probe.run("{}", tmp_path / "rows.npy", tmp_path / "out" / "scores.parquet")
    assert not (tmp_path / "out").exists()
    assert not marker.exists()


def test_fault_17_a_pickle_in_place_of_windows(marker, tmp_path):
    store = tiny_store(tmp_path, shards=1)
    windows = sorted((tmp_path / "shard0").glob("*.npy"))[0]
    windows.write_bytes(bomb_bytes(marker, "npy"))
    path = tmp_path / "shard0" / MANIFEST
    manifest = json.loads(path.read_text())
    manifest["bytes"][windows.stem] = windows.stat().st_size  # so that its size gives no warning
    path.write_text(json.dumps(manifest))
    opened = type(store)([tmp_path / "shard0"], store.modalities)
    with pytest.raises(DataError, match="not an array of windows"):
        opened.read(np.array([0]), [windows.stem])
    assert not marker.exists()


def safetensors(header: dict | bytes, claimed: int | None = None, data: bytes = bytes(64)) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if claimed is None else claimed) + text + data


def tensor(first: int, last: int, shape: list[int] | None = None) -> dict:
    return {"dtype": "F32", "shape": shape or [(last - first) // 4], "data_offsets": [first, last]}


META = {"__metadata__": {"manifest": "{}"}}
HOSTILE = {
    "overlapping offsets": safetensors({**META, "a": tensor(0, 64), "b": tensor(0, 64)}),
    "partly overlapping offsets": safetensors({**META, "a": tensor(0, 40), "b": tensor(24, 64)}),
    "offsets beyond the file": safetensors({**META, "a": tensor(0, 1 << 40)}),
    "offsets from the end to the start": safetensors({**META, "a": tensor(64, 0, [16])}),
    "a shape of another size": safetensors({**META, "a": tensor(0, 64, [1 << 40])}),
    "a shape that overflows": safetensors({**META, "a": tensor(0, 64, [1 << 33] * 3)}),
    "a header of 2 ** 60 bytes": safetensors(META, claimed=1 << 60),
    "a header of 90 MB": safetensors(b'{"a":"' + b" " * 90_000_000 + b'"}'),
    "a header nested 100,000 deep": safetensors(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "a manifest nested 100,000 deep": safetensors(
        {"__metadata__": {"manifest": "[" * 100_000 + "]" * 100_000}, "a": tensor(0, 64)}
    ),
    "a manifest that is no table": safetensors({"__metadata__": {"manifest": "3"}}),
    "no manifest": safetensors({"a": tensor(0, 64)}),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_fault_17_a_weights_file_that_lies_about_its_tensors(tmp_path, case):
    path = tmp_path / "w.safetensors"
    path.write_bytes(HOSTILE[case])
    with pytest.raises(DataError, match="not a weights file") as caught:
        read_weights(path)
    assert "\n" not in str(caught.value)


def test_fault_17_the_command_refuses_within_little_memory(nights, tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(HOSTILE["a header of 90 MB"])
    command = [
        sys.executable,
        "-m",
        "physiome",
        "predict",
        nights.recording,
        "--device",
        "cpu",
        "--weights",
        path,
        "--heads",
        nights.model(METHOD)["heads"],
        "--output",
        tmp_path / "o.csv",
    ]
    ended = subprocess.run(
        command,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES)),
    )
    assert ended.returncode == 2, ended.stderr
    assert "not a weights file of physiome" in ended.stderr.splitlines()[-1]
    assert "its header claims 90000008 bytes" in ended.stderr.splitlines()[-1]
    assert not (tmp_path / "o.csv").exists()
