"""Fault 20: Same subject in two subsets or folds.

Every later step refuses, naming subject and subsets or folds; so does the probe for embeddings.
"""

import json
import subprocess
import sys

import pandas as pd
import pytest
from small import settings_of
from tiny import NAMES
from tinyshards import tiny_store

from physiome.data.folds.roles import ROLES
from physiome.errors import DataError
from physiome.files import canonical_json, read_json, write_json
from physiome.steps import embed, pretrain, probe, train

TRAINING = {"epochs": 1, "batch": 4, "learning_rate": 1.0e-3}
FOLDS = [
    {"fold": 1, "pretrain": ["s0", "s1"], "train": ["s2", "s3"], "test": ["s4"]},
    {"fold": 2, "pretrain": ["s1", "s4"], "train": ["s2", "s3"], "test": ["s0"]},
]


def two_subsets(folds):
    folds[0]["train"].append("s4")


def two_folds(folds):
    folds[1]["pretrain"].remove("s4")
    folds[1]["test"].append("s4")


def twice(folds):
    folds[1]["train"].append("s2")


def no_test(folds):
    del folds[1]["test"]


def same_number(folds):
    folds[1]["fold"] = 1


EDITS = [
    (two_subsets, r"folds\.json, fold 1: subject s4 is in both train and test"),
    (two_folds, r"folds\.json: subject s4 is tested in folds 1 and 2"),
    (twice, r"folds\.json, fold 2: subject s2 is in both train and train"),
    (no_test, r"folds\.json: not a folds file - each fold needs"),
    (same_number, r"folds\.json: not a folds file - each fold needs a number of its own"),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("place")
    tiny_store(folder, windows=20)
    write_json(folder / "folds.json", {"folds": FOLDS})
    return folder


def edited(place, tmp_path, edit):
    content = json.loads((place / "folds.json").read_text(encoding="utf-8"))
    edit(content["folds"])
    write_json(tmp_path / "folds.json", content)
    return tmp_path / "folds.json"


def plain(**more):
    own = settings_of("handmade")
    del own["encoder"]
    return canonical_json({**own, "dataset": "d", "name": "handmade", "base": "handmade", **more})


def later_steps(place, folds, output):
    """Each step that reads folds, on fold 1."""
    shards = [place / "shard0", place / "shard1"]
    shape = {k: settings_of("physiome")[k] for k in ("modalities", "window", "encoder")}
    encoder = canonical_json({**shape, "dataset": "d", "pretrain": TRAINING})
    return {
        "pretrain": lambda: pretrain.run(encoder, shards, folds, 1, NAMES[0], output),
        "train": lambda: train.run(plain(train=TRAINING), shards, folds, 1, [], output),
        "embed": lambda: embed.run(plain(batch=4), shards, folds, 1, output),
    }


@pytest.mark.parametrize("step", ["pretrain", "train", "embed"])
@pytest.mark.parametrize(("edit", "says"), EDITS, ids=lambda value: getattr(value, "__name__", ""))
def test_fault_20_every_step_that_reads_folds_refuses_them(place, tmp_path, step, edit, says):
    folds = edited(place, tmp_path, edit)
    with pytest.raises(DataError, match=says + ".*delete the folds file and run again"):
        later_steps(place, folds, tmp_path / "out" / "x.npy")[step]()
    assert not (tmp_path / "out").exists()


def test_fault_20_the_probe_refuses_embeddings_of_such_folds(place, tmp_path):
    output = tmp_path / "x.npy"
    later_steps(place, place / "folds.json", output)["embed"]()
    table = pd.read_parquet(output.with_suffix(".parquet"))
    assert set(table["role"]) == set(ROLES) - {"pretrain"}
    table["subject"] = table["subject"].replace("s4", "s2")
    table.to_parquet(output.with_suffix(".parquet"), index=False)
    facts = read_json(output.with_suffix(".json"))
    del facts["sha256"]
    write_json(output.with_suffix(".json"), facts)
    with pytest.raises(DataError, match=r"x\.npy: subject s2 is in test and train - .*assign"):
        probe.run("{}", output, tmp_path / "probe.parquet")
    assert not (tmp_path / "probe.parquet").exists()


def test_fault_20_the_command_says_it_on_one_line_and_exits_with_2(place, tmp_path):
    folds = edited(place, tmp_path, two_subsets)
    arguments = ["--settings", plain(train=TRAINING), "--folds", str(folds), "--fold", "1"]
    arguments += ["--output", str(tmp_path / "x.safetensors")]
    arguments += [str(place / name / "manifest.json") for name in ("shard0", "shard1")]
    done = subprocess.run(
        [sys.executable, "-m", "physiome", "train", *arguments], capture_output=True, text=True
    )
    assert done.returncode == 2, done.stderr
    assert (
        done.stderr.strip()
        .splitlines()[-1]
        .endswith(
            "fold 1: subject s4 is in both train and test - delete the folds file and run again"
        )
    )
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "x.safetensors").exists()
