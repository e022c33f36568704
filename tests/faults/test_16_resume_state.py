"""Fault 16: Resume state damaged, or of another configuration or data.

Damaged: the state before it is used; that of other settings, data, code or version of torch is set
aside with a note, never loaded.
"""

import pytest
import torch
from crashes import FOLD, STEPS, at_step, power_cut, same_weights, settings, train, write_place

from physiome.files import write_json
from physiome.provenance import code
from physiome.training import job


@pytest.fixture
def place(tmp_path):
    return write_place(tmp_path / "place")


@pytest.fixture
def whole(place, tmp_path):
    return train(place, tmp_path / "whole.safetensors")


@pytest.fixture
def stopped(place, tmp_path):
    """A training that failed in its sixth step: the output that it should have written."""
    output = tmp_path / "a.safetensors"
    with at_step(6, power_cut), pytest.raises(RuntimeError, match="power cut"):
        train(place, output)
    return output


def resume_folder(output):
    return output.with_name(output.name + ".resume")


def damaged(content: bytes, how: str) -> bytes:
    half = len(content) // 2
    if how == "cut":
        return content[:half]
    return content[:half] + bytes([content[half] ^ 1]) + content[half + 1 :]


@pytest.mark.parametrize("how", ["cut", "a flipped bit"])
def test_fault_16_a_damaged_state_gives_way_to_the_one_before(stopped, place, whole, how, caplog):
    state = resume_folder(stopped) / "state.pt"
    state.write_bytes(damaged(state.read_bytes(), how))
    caplog.set_level("INFO")
    with at_step(STEPS - 4, lambda: None):  # four of nine steps were kept
        train(place, stopped)
    assert "state.pt is damaged; resumed from state.previous.pt" in caplog.text
    assert same_weights(stopped, whole)


def other_settings(patch):
    return settings(learning_rate=2.0e-3)


def other_data(patch):
    patch.setitem(FOLD, "pretrain", ["s0", "s1", "s3"])
    patch.setitem(FOLD, "train", ["s2"])


def other_torch(patch):
    patch.setattr(torch, "__version__", "0.0.0")


def other_code(patch):
    patch.setattr(job, "code", lambda *modules: "other")


def other_building(patch):
    """A system of the same settings may be another one then."""
    patch.setattr(job, "code", lambda *names: code(*set(names) - {"physiome.methods.build"}))


@pytest.mark.parametrize(
    "change", [other_settings, other_data, other_torch, other_code, other_building]
)
def test_fault_16_a_foreign_state_is_set_aside_with_a_note_and_never_loaded(
    stopped, place, monkeypatch, change, caplog
):
    folder = resume_folder(stopped)
    kept, aside = (folder / "state.pt").read_bytes(), []
    caplog.set_level("INFO")
    text = change(monkeypatch)
    write_json(place / "folds.json", {"folds": [{"fold": 1, **FOLD}]})
    with at_step(STEPS, lambda: aside.append((folder / "state.foreign").read_bytes())):
        train(place, stopped, text)  # all of its own steps
    assert "belongs to other settings, code or data and is set aside" in caplog.text
    assert "resumed" not in caplog.text
    assert aside == [kept]
