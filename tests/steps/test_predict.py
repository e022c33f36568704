"""Predicting a recording gives what the evaluation gave the same windows."""

import json

import numpy as np
import pandas as pd
import pytest
from trained_nights import CLASSES

from physiome.files import file_digest
from physiome.predict import score as predict

P = [f"p_{name}" for name in CLASSES]


def predicted(trained, recording, output, **more):
    given = {key: trained[key] for key in ("heads", "weights") if key in trained}
    predict.run(recording, output=output, device="cpu", **given, **more)
    return pd.read_csv(output, keep_default_na=False, na_values={p: [""] for p in P})


def scored(trained, subset):
    """Probabilities (W, C) by window number, as the evaluation wrote them."""
    table = pd.read_parquet(trained["scores"])
    table = table[(table["subset"] == subset) & (table["head"] == "logistic")]
    return table.set_index("number")[[f"p{i}" for i in range(len(CLASSES))]]


def assert_same(table, expected):
    assert len(expected) > 15
    mine = table.set_index("window").loc[expected.index, P]
    np.testing.assert_allclose(mine.to_numpy(), expected.to_numpy(), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["random", "contrawr", "handmade", "majority"])
def test_a_night_is_scored_as_the_evaluation_scored_it(nights, tmp_path, name):
    """One network for all subsets, one model per subset, and controls without weights."""
    trained = nights.model(name)
    table = predicted(trained, nights.recording, tmp_path / "whole.csv")
    assert_same(table, scored(trained, "fpz+pz+eog"))
    assert (table["missing"] == "").all()
    lacking = nights.altered("no_eog.edf", drop="EOG horizontal")
    table = predicted(trained, lacking, tmp_path / "lacking.csv")
    assert_same(table, scored(trained, "fpz+pz"))
    assert set(table["missing"]) == {"eog: absent"}


@pytest.mark.slow
def test_each_window_is_scored_from_what_it_carries(nights, tmp_path, capsys):
    trained = nights.model("random")
    still = {"EOG horizontal": slice(5 * 3000, 9 * 3000), "EEG Pz-Oz": slice(8 * 3000, 9 * 3000)}
    table = predicted(trained, nights.altered("still.edf", flat=still), tmp_path / "o.csv")
    assert table["subset"].value_counts().to_dict() == {"fpz+pz+eog": 20, "fpz+pz": 3, "fpz": 1}
    assert table.loc[8, "missing"] == "pz: flat; eog: flat"
    assert table.loc[5:7, "missing"].tolist() == ["eog: flat"] * 3
    assert (table["class"] == np.array(CLASSES)[table[P].to_numpy().argmax(axis=1)]).all()
    far = scored(trained, "fpz").loc[8].to_numpy()  # nothing of the held channels leaks in
    np.testing.assert_allclose(table.loc[8, P].to_numpy(float), far, atol=1e-5)
    said = capsys.readouterr().out
    assert "24 of 24 windows of 30 s scored by random (nights, fold 1)" in said
    assert "fpz: 1 windows, restored eog, pz" in said
    assert "missing: eog flat 4" in said
    facts = json.loads((tmp_path / "o.json").read_text())
    assert facts["files"] == {"still.edf": file_digest(nights.folder / "still.edf")}
    assert facts["weights"]["sha256"] == file_digest(trained["weights"])
    assert facts["subsets"] == {"fpz+pz+eog": 20, "fpz+pz": 3, "fpz": 1}
    assert facts["output"] == file_digest(tmp_path / "o.csv")


def test_only_modalities_asked_for_are_used(nights, tmp_path, capsys):
    trained = nights.model("random")
    table = predicted(trained, nights.recording, tmp_path / "o.csv", modalities="eog, fpz")
    assert_same(table, scored(trained, "fpz+eog"))
    assert set(table["missing"]) == {"pz: not asked for"}
    assert "not asked for: pz" in capsys.readouterr().out


def test_a_map_says_which_channel_carries_a_modality(nights, tmp_path):
    """Given the other EEG channel under its name, the model sees that one."""
    trained = nights.model("handmade")
    given = {"channels": ["fpz=eeg pz-oz"], "modalities": "fpz"}
    other = predicted(trained, nights.recording, tmp_path / "o.csv", **given)
    plain = predicted(trained, nights.recording, tmp_path / "p.csv", modalities="fpz")
    assert not np.allclose(other[P], plain[P], atol=1e-3)
    facts = json.loads((tmp_path / "o.json").read_text())
    assert facts["channels"]["fpz"]["name"] == "EEG Pz-Oz"
    assert facts["map"] == {"fpz": "eeg pz-oz"}
