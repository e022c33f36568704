"""Every method through the steps of the workflow: train on what it stands on, embed, resume."""

import json
import logging

import numpy as np
import pandas as pd
import pytest
import torch
from small import SECTIONS, encoder_of, settings_of
from tiny import NAMES
from tinyshards import tiny_store

from physiome.errors import DataError, PhysioError, TrainingError
from physiome.files import canonical_json, write_json
from physiome.methods.contrawr import DedicatedContraWR
from physiome.methods.maskmentor import MaskMentor
from physiome.methods.physioomni import PhysioOmni, Tokenizer
from physiome.registry import METHODS
from physiome.steps import embed, pretrain, train
from physiome.training.checkpoint import read_weights, save_weights

pytestmark = pytest.mark.slow

TRAINING = {"epochs": 1, "batch": 8, "learning_rate": 1.0e-3}
WINDOWS = 40  # ten subjects of four windows
ROLES = {"pretrain": range(4), "train": range(4, 8), "test": [8, 9]}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with shards, folds and a folder for models."""
    folder = tmp_path_factory.mktemp("place")
    tiny_store(folder, windows=WINDOWS)
    fold = {role: [f"s{i}" for i in subjects] for role, subjects in ROLES.items()}
    write_json(folder / "folds.json", {"folds": [{"fold": 1, **fold}]})
    return folder


def settings(name, **changes):
    base = changes.pop("base", name)
    plain = settings_of(base) | {"dataset": "d", "name": name, "base": base}
    if base in METHODS and not METHODS[base].on_encoders and not METHODS[base].fresh_encoders:
        plain.pop("encoder")
    return plain | changes


def weights(place, name, fold=1):
    """Trained weights of a method or encoder, with what they stand on; trained once."""
    output = place / "models" / f"{name}.safetensors"
    if output.exists():
        return output
    shards, folds = [place / "shard0", place / "shard1"], place / "folds.json"
    if name.startswith("encoder_"):
        kind, modality = name.removeprefix("encoder_").rsplit("_", 1)
        encoder = encoder_of(kind)
        shape = {
            k: v
            for k, v in settings("physiome").items()
            if k in ("dataset", "modalities", "window")
        }
        text = canonical_json({**shape, "encoder": encoder, "pretrain": TRAINING})
        pretrain.run(text, shards, folds, fold, modality, output, monitor="{}")
        return output
    text = canonical_json({**settings(name), "train": TRAINING})
    train.run(text, shards, folds, fold, parents(place, name), output, monitor="{}")
    return output


def parents(place, name):
    entry = METHODS[name]
    if entry.on_encoders:
        kind = settings_of(name)["encoder"]["name"]
        return [weights(place, f"encoder_{kind}_{m}") for m in NAMES]
    return [weights(place, entry.trained_after)] if entry.trained_after else []


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SECTIONS))
def test_a_method_is_trained_and_embeds_every_labelled_window(place, name):
    entry = METHODS[name]
    path = weights(place, name) if entry.trains else None
    output = place / "embeddings" / f"{name}.npy"
    text = canonical_json({**settings(name), "batch": 7, "subsets": None})
    embed.run(text, [place / "shard0", place / "shard1"], place / "folds.json", 1, output, path)
    rows, facts = np.load(output), json.loads(output.with_suffix(".json").read_text())
    assert len(rows) == 24  # six subjects are labelled in this fold
    assert np.isfinite(rows).all()
    assert len(facts["columns"]) + len(facts["refused"]) == 7
    assert bool(facts["refused"]) == (name == "present_pressure")
    assert bool(facts["restoration"]) == (name in ("physiome", "random"))
    if path is not None:
        _, manifest = read_weights(path)
        assert facts["weights"] == manifest["identity"]
        assert manifest["role"] == ("train" if entry.labels else "pretrain")
        assert len(manifest["settings"]["parents"]) == len(parents(place, name))
        watched = manifest["monitor"]  # the labelled train subjects, and nobody else
        if manifest["training"]["epochs"]:
            assert (watched["windows"], watched["subjects"], watched["no_probe"]) == (16, 4, None)
            assert set(watched["difference"]) == {"auc", "balanced_acc"}
        else:
            assert watched["no_probe"] == "not trained: no epochs"


def test_how_many_windows_are_embedded_at_a_time_changes_no_embedding(place):
    """It is no setting that is compared: after running out of memory, what is done stays done."""
    shards, fold, text = (
        [place / "shard0", place / "shard1"],
        place / "folds.json",
        settings("handmade"),
    )
    for batch, output in ((None, place / "whole.npy"), (5, place / "parts.npy")):
        embed.run(canonical_json(text), shards, fold, 1, output, batch=batch)
    whole, parts = (np.load(place / f"{name}.npy") for name in ("whole", "parts"))
    np.testing.assert_allclose(whole, parts, atol=1e-6)
    facts = json.loads((place / "parts.json").read_text())
    assert facts["settings"]["batch"] == 5  # what scores recordings takes as many


def test_only_chosen_subsets_are_embedded(place):
    output = place / "chosen.npy"
    text = canonical_json({**settings("handmade"), "batch": 7, "subsets": ["c", "a+b"]})
    embed.run(text, [place / "shard0", place / "shard1"], place / "folds.json", 1, output)
    facts = json.loads(output.with_suffix(".json").read_text())
    assert set(facts["columns"]) == {"c", "a+b"}
    assert len(pd.read_parquet(output.with_suffix(".parquet"))) == 24


def test_what_a_method_refuses_is_left_out_with_its_reason(place, monkeypatch):
    from physiome.methods.controls import HandMade

    output = place / "refused.npy"
    text = canonical_json({**settings("handmade"), "batch": 7, "subsets": None})
    shards = [place / "shard0", place / "shard1"]
    monkeypatch.setattr(HandMade, "refuses", lambda _, s: "needs a" if "a" not in s else "")
    embed.run(text, shards, place / "folds.json", 1, output)
    facts = json.loads(output.with_suffix(".json").read_text())
    assert facts["refused"] == {"b": "needs a", "c": "needs a", "b+c": "needs a"}
    assert set(facts["columns"]) == {"a+b+c", "a", "a+b", "a+c"}
    monkeypatch.setattr(HandMade, "refuses", lambda *_: "not today")
    with pytest.raises(PhysioError, match=r"refuses every subset.*not today"):
        embed.run(text, shards, place / "folds.json", 1, place / "never.npy")
    assert not (place / "never.npy").exists()


def run_with(place, name, given, output="x.safetensors", **changes):
    text = canonical_json({**settings(name, **changes), "train": TRAINING})
    shards = [place / "shard0", place / "shard1"]
    train.run(text, shards, place / "folds.json", 1, given, place / output)


@pytest.mark.parametrize("name", ["physiome", "synthsleepnet", "physioomni", "crossl"])
def test_an_untrained_twin_stands_on_nothing_and_embeds(place, name):
    """Encoders that nobody trained have the constants of their inputs all the same."""
    changes = {"encoder": encoder_of("resnet18")} if METHODS[name].on_encoders else {}
    if name == "synthsleepnet":  # on NeuroNet, whatever is configured; it sees no image
        changes = {}
    own = settings(name, base=name, untrained=True, **changes) | {"name": f"{name}_untrained"}
    text = canonical_json({**own, "train": TRAINING | {"epochs": 0}})
    shards, output = [place / "shard0", place / "shard1"], place / f"{name}_untrained.safetensors"
    train.run(text, shards, place / "folds.json", 1, [], output)
    tensors, manifest = read_weights(output)
    assert manifest["settings"]["parents"] == {}
    images = [t for k, t in tensors.items() if k.startswith("encoders.") and k.endswith(".mean")]
    assert all(t.any() for t in images)
    assert bool(images) == (name == "physiome")
    text = canonical_json({**own, "batch": 7, "subsets": None})
    embed.run(text, shards, place / "folds.json", 1, place / f"{name}_fresh.npy", output)
    assert np.isfinite(np.load(place / f"{name}_fresh.npy")).all()


def test_weights_that_a_method_does_not_stand_on_are_refused(place):
    encoders = [weights(place, f"encoder_neuronet_{m}") for m in NAMES]
    with pytest.raises(DataError, match="begins with 3 trained models, 2 are given"):
        run_with(place, "synthsleepnet", encoders[:2])
    with pytest.raises(DataError, match=r"belong elsewhere.*'a'.*'b'"):
        run_with(place, "synthsleepnet", [encoders[1], encoders[0], encoders[2]])
    with pytest.raises(DataError, match="begins with 1 trained models, 0 are given"):
        run_with(place, "physioomni", [])
    with pytest.raises(DataError, match=r"weights do not fit|belong elsewhere"):
        run_with(place, "physioomni", [weights(place, "crossl")])
    with pytest.raises(DataError, match="begins with 0 trained models"):
        run_with(place, "crossl", encoders)


def test_a_variant_is_its_method_under_another_name(place):
    given = parents(place, "physiome")
    run_with(place, "mine", given, "mine.safetensors", base="physiome")
    tensors, manifest = read_weights(place / "mine.safetensors")
    expected, _ = read_weights(weights(place, "physiome"))
    assert manifest["name"] == "mine"
    assert set(tensors) == set(expected)
    assert all(np.array_equal(tensors[n], expected[n]) for n in expected)


@pytest.mark.parametrize(("name", "how"), [("crossl", "latents"), ("multimae", "mean")])
def test_a_variant_that_is_read_otherwise_has_its_systems_weights(place, name, how):
    """What training it as well would have ended with."""
    own = settings("read", base=name)
    own["method"] = {**own["method"], "embedding": how}
    shards, folds = [place / "shard0", place / "shard1"], place / "folds.json"
    files = {}
    for tag, changes, given in (
        ("taken", {"takes": True, "train": TRAINING | {"epochs": 0}}, [weights(place, name)]),
        ("trained", {"train": TRAINING}, []),
    ):
        files[tag] = place / f"{tag}_{name}.safetensors"
        train.run(canonical_json({**own, **changes}), shards, folds, 1, given, files[tag])
    (taken, manifest), (trained, _) = map(read_weights, files.values())
    assert list(manifest["settings"]["parents"]) == [name]
    assert manifest["name"] == "read"
    assert set(taken) == set(trained)
    assert all(np.array_equal(taken[n], trained[n]) for n in trained)
    text = canonical_json({**own, "batch": 7, "subsets": None})
    embed.run(text, shards, folds, 1, place / f"read_{name}.npy", files["taken"])
    assert np.isfinite(np.load(place / f"read_{name}.npy")).all()


def test_a_row_of_taken_weights_is_warned_of_what_their_training_was(place, tmp_path, caplog):
    tensors, manifest = read_weights(weights(place, "crossl"))
    seen = {**manifest["monitor"], "warnings": ["collapsed: all windows have the same embedding"]}
    save_weights(tmp_path / "crossl.safetensors", Tensors(tensors), {**manifest, "monitor": seen})
    own = settings("read", base="crossl")
    own["method"] = {**own["method"], "embedding": "latents"}
    shards, folds = [place / "shard0", place / "shard1"], place / "folds.json"
    text = canonical_json({**own, "takes": True, "train": TRAINING | {"epochs": 0}})
    read, rows = tmp_path / "read.safetensors", tmp_path / "read.npy"
    train.run(text, shards, folds, 1, [tmp_path / "crossl.safetensors"], read, monitor="{}")
    assert read_weights(read)[1]["monitor"] == seen
    assert "d 1 read collapsed" in caplog.text
    text = canonical_json({**own, "batch": 7, "subsets": None})
    embed.run(text, shards, folds, 1, rows, read)
    assert json.loads(rows.with_suffix(".json").read_text())["warnings"] == seen["warnings"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("contrawr", DedicatedContraWR),
        ("physioomni_tokenizer", Tokenizer),
        ("maskmentor", MaskMentor),
    ],
)
def test_a_training_that_was_cut_off_ends_as_if_it_had_not_been(place, monkeypatch, name, cls):
    """Moving averages, codebooks and phases come back with the rest of the state."""
    changed = {"train": {**TRAINING, "epochs": 3, "batch": 4}}
    text = canonical_json({**settings(name), **changed})
    shards, folds = [place / "shard0", place / "shard1"], place / "folds.json"
    train.run(text, shards, folds, 1, [], place / f"whole_{name}.safetensors")
    objectives, calls = cls.objectives, []

    def stumble(self, batch, rng):
        calls.append(1)
        if len(calls) == 8:
            raise TrainingError("cut off")
        yield from objectives(self, batch, rng)

    cut = place / f"cut_{name}.safetensors"
    monkeypatch.setattr(cls, "objectives", stumble)
    with pytest.raises(TrainingError, match="cut off"):
        train.run(text, shards, folds, 1, [], cut, save_every_s=0.0)
    train.run(text, shards, folds, 1, [], cut)
    assert len(calls) == 2 + 1 + 12  # two tries; six steps, the stumble, and the six left
    one, other = read_weights(place / f"whole_{name}.safetensors")[0], read_weights(cut)[0]
    assert all(np.array_equal(one[n], other[n]) for n in one)


def test_a_training_does_not_go_on_with_other_weights_of_its_parents(
    place, tmp_path, monkeypatch, caplog
):
    """Retrained from the same settings and windows, but rounded otherwise: by another machine."""
    text = canonical_json({**settings("physioomni"), "train": {**TRAINING, "epochs": 3}})
    shards, folds = [place / "shard0", place / "shard1"], place / "folds.json"
    parent, output = tmp_path / "parent.safetensors", tmp_path / "child.safetensors"
    tensors, manifest = read_weights(parents(place, "physioomni")[0])
    objectives, calls = PhysioOmni.objectives, []

    def stumble(self, batch, rng):
        calls.append(1)
        if len(calls) == 5:
            raise TrainingError("cut off")
        yield from objectives(self, batch, rng)

    save_weights(parent, Tensors(tensors), manifest)
    monkeypatch.setattr(PhysioOmni, "objectives", stumble)
    with pytest.raises(TrainingError, match="cut off"):
        train.run(text, shards, folds, 1, [parent], output, save_every_s=0.0)
    name = next(n for n, t in tensors.items() if t.is_floating_point())
    save_weights(parent, Tensors({**tensors, name: tensors[name] * (1 + 1e-6)}), manifest)
    with caplog.at_level(logging.INFO):
        train.run(text, shards, folds, 1, [parent], output)
    assert "is set aside" in caplog.text
    assert "resumed" not in caplog.text


class Tensors(torch.nn.Module):
    """Tensors as weights are saved."""

    def __init__(self, tensors):
        super().__init__()
        self.tensors = tensors

    def state_dict(self):
        return self.tensors


@pytest.mark.slow
@pytest.mark.parametrize("name", ["physiome", "crossl"])
def test_embeddings_in_bf16_are_float32_rows_near_the_others(place, name):
    path, shards = weights(place, name), [place / "shard0", place / "shard1"]

    def rows(**changes):
        output = place / "rounded" / f"{name}.npy"
        text = canonical_json({**settings(name), "batch": 7, "subsets": None, **changes})
        embed.run(text, shards, place / "folds.json", 1, output, path)
        return np.load(output)

    plain, rounded = rows(), rows(precision="bf16")
    assert np.array_equal(rows(precision="auto"), plain)  # on a CPU
    assert rounded.dtype == np.float32
    apart = np.linalg.norm(rounded - plain) / np.linalg.norm(plain)
    assert 0.0 < apart < 0.05
