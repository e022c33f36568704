"""Fault 24: Loss not finite.

Stops naming record and window; the last good state is kept, no weights at the final path.
"""

import re

import numpy as np
import pytest
import torch
from small import settings_of
from tinyshards import tiny_store

from physiome.errors import TrainingError
from physiome.files import canonical_json, write_json
from physiome.steps import train

POISONED = 9  # window 1 of record r2


def place(folder, poison):
    tiny_store(folder, windows=24, poison=poison)
    roles = {"pretrain": ["s0", "s1", "s2"], "train": ["s3", "s4"], "test": ["s5"]}
    write_json(folder / "folds.json", {"folds": [{"fold": 1, **roles}]})


def run(folder, rate=1.0e-3):
    plain = settings_of("crossl") | {"dataset": "d", "name": "crossl", "base": "crossl"}
    plain.pop("encoder")
    training = {"epochs": 2, "batch": 4, "learning_rate": rate}
    text = canonical_json(plain | {"train": training})
    shards = [folder / "shard0", folder / "shard1"]
    output = folder / "models/crossl.safetensors"
    train.run(text, shards, folder / "folds.json", 1, [], output, save_every_s=0.0)
    return output


@pytest.mark.parametrize(
    ("value", "rate", "said"),
    [
        (np.nan, 1.0e-3, "a has samples that are not numbers"),
        (np.inf, 1.0e-3, "a has samples that are not numbers"),
        (50.0, 1.0e30, "the loss is not finite at step "),
    ],
    ids=["nan", "infinite", "a rate from which the weights explode"],
)
def test_fault_24_a_training_that_cannot_go_on_names_the_record_and_keeps_the_last_good_state(
    tmp_path, value, rate, said
):
    place(tmp_path, {POISONED: value})
    with pytest.raises(TrainingError) as caught:
        run(tmp_path, rate)
    line = str(caught.value)
    assert "\n" not in line
    assert said in line
    assert re.match(r"record r[0-2], window [0-3]: ", line)
    if rate < 1:
        assert line.startswith("record r2, window 1: ")
    assert caught.value.exit_code == 2
    assert {p.name for p in (tmp_path / "models").iterdir()} == {"crossl.safetensors.resume"}
    for state in (tmp_path / "models/crossl.safetensors.resume").glob("state*.pt"):
        saved = torch.load(state, weights_only=True)
        assert all(bool(t.isfinite().all()) for t in saved["model"].values())


def test_fault_24_with_the_recording_repaired_the_training_begins_anew(tmp_path):
    place(tmp_path, {POISONED: np.nan})
    with pytest.raises(TrainingError):
        run(tmp_path)
    place(tmp_path, {})
    assert run(tmp_path).exists()
