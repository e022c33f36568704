"""A training goes on only with the windows, classes and parents that it was begun with."""

import logging

import pytest
import torch
from tinyshards import tiny_store
from toys import Stumbling, Toy, train

from physiome.training.checkpoint import read_weights


def relabelled(table):
    table["label"] = 1 - table["label"]


def cut_anew(table):
    """Other samples: of one window the variance, in its last digits."""
    table.loc[7, "var_a"] *= 1 + 1e-12


def moved_up(table):
    table.loc[3, "mean_a"] += 0.5


CHANGES = {change.__name__: change for change in (relabelled, cut_anew, moved_up)}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_state_of_other_samples_or_classes_is_set_aside(change, tmp_path, caplog):
    store, output = tiny_store(tmp_path / "store"), tmp_path / "w.safetensors"
    with pytest.raises(RuntimeError, match="power cut"):
        train(lambda: Stumbling(5, RuntimeError("power cut")), store, output, save_every_s=0.0)
    change(store.table)
    with caplog.at_level(logging.INFO):
        train(Toy, store, output)
    assert "belongs to other settings, code or data and is set aside" in caplog.text
    assert "resumed" not in caplog.text
    fresh = train(Toy, store, tmp_path / "fresh.safetensors")
    (found, _), (expected, _) = read_weights(output), read_weights(fresh)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_modality_that_is_not_trained_on_has_no_say(tmp_path, caplog):
    store, output = tiny_store(tmp_path / "store", absent={"b": range(12)}), tmp_path / "w"
    with pytest.raises(RuntimeError, match="power cut"):
        train(lambda: Stumbling(5, RuntimeError("power cut")), store, output, save_every_s=0.0)
    store.table["mean_b"] = 7.0
    with caplog.at_level(logging.INFO):
        train(Toy, store, output)
    assert "resumed from state.pt" in caplog.text
