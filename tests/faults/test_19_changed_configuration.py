"""Fault 19: Configuration changed where results are there already.

A dry run lists exactly the rules concerned; told not to rerun, every step that reads shards or
weights compares their manifests with the configuration and names the keys that differ.
"""

import json
import subprocess
import sys

import pytest
import torch
import yaml
from small import settings_of
from tiny import NAMES
from tinyshards import tiny_store

from physiome.errors import DataError
from physiome.files import canonical_json, write_json
from physiome.steps import embed, folds, pretrain, train
from physiome.training.checkpoint import read_weights, save_weights

# What every change of a table's data or scores makes again
REPORTED = {
    "scores": 1, "all_scores": 1, "table": 1, "intervals": 1, "really_missing": 1, "comparison": 1,
    "figures": 1, "diagnostics": 1, "summary": 1, "curves": 1, "costs": 1, "all": 1,
}  # fmt: skip
TRAINED = {**REPORTED, "train": 1, "embed": 1, "probe": 1}
CHANGES = {
    "filter": (
        {"datasets": {"sleep_edf": {"window": {"lowpass_hz": 15.0}}}},
        {**TRAINED, "shard": 1, "folds": 1, "pretrain": 3, "embed": 2, "probe": 2},
    ),
    "learning rate": ({"train": {"learning_rate": 3.0e-4}}, TRAINED),
    "rounding of tables": ({"tables": {"decimals": 1}}, {"table": 1, "summary": 1, "all": 1}),
}
MINE = {
    "use_datasets": ["sleep_edf"],
    "use_tables": ["table1"],
    "methods": ["physiome", "handmade"],
}


def snakemake(repository, folder, *arguments):
    demo = repository / "workflow/overlays/demo.yaml"
    files = ["--configfile", demo, "mine.yaml", "-s", repository / "Snakefile", "--cores", 1]
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *map(str, [*arguments, *files])],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def finished(repository, tmp_path_factory):
    """A folder in which Snakemake believes that everything was made."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "mine.yaml").write_text(yaml.safe_dump(MINE), encoding="utf-8")
    said = snakemake(repository, folder, "--summary")
    for line in said.splitlines():
        name = line.split("\t")[0]
        if name.startswith("results/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
    snakemake(repository, folder, "--touch", "--quiet", "all")
    return folder


def plan(repository, folder, changes):
    (folder / "mine.yaml").write_text(yaml.safe_dump(MINE | changes), encoding="utf-8")
    said = snakemake(repository, folder, "-n", "--quiet", "rules")
    lines = [line.split() for line in said.splitlines()]
    return {x[0]: int(x[1]) for x in lines if len(x) == 2 and x[1].isdigit() and x[0] != "total"}


@pytest.mark.slow
def test_fault_19_a_dry_run_lists_exactly_what_a_change_concerns(finished, repository):
    assert plan(repository, finished, {}) == {}
    for changes, expected in CHANGES.values():
        assert plan(repository, finished, changes) == expected


# Snakemake was told not to rerun: each step that reads them compares the manifests

ROLES = {"pretrain": ["s0", "s1"], "train": ["s2", "s3"], "test": ["s4"]}
TRAINING = {"epochs": 1, "batch": 4, "learning_rate": 1.0e-3}
WRITTEN = {"kind": "sleep_edf", "window": {"length_s": 9.0, "lowpass_hz": 40.0}}
FILTERED = {"kind": "sleep_edf", "window": {"length_s": 9.0, "lowpass_hz": 30.0}}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Shards that say they were written with WRITTEN, folds, and a model trained on them."""
    folder = tmp_path_factory.mktemp("place")
    tiny_store(folder, windows=20)
    for path in folder.glob("shard*/manifest.json"):
        write_json(path, json.loads(path.read_text()) | {"settings": WRITTEN})
    write_json(folder / "folds.json", {"folds": [{"fold": 1, **ROLES}]})
    train.run(trained(), shards(folder), folder / "folds.json", 1, [], folder / "good.safetensors")
    return folder


def shards(place):
    return [place / "shard0", place / "shard1"]


def own(name, **changes):
    plain = settings_of(name) | {"dataset": "d", "name": name, "base": name}
    return {k: v for k, v in plain.items() if k != "encoder"} | changes


def trained(**changes):
    return canonical_json(own("crossl", train=TRAINING | changes))


def embedding(**changes):
    return canonical_json(own("crossl", batch=8, subsets=None, **changes))


def run(step, place, shard_settings):
    """A step told what the shards must have been written with."""
    given, fold = shards(place), place / "folds.json"
    wanted = canonical_json(shard_settings)
    if step == "folds":
        text = canonical_json({"folds": {}, "classes": ["slow", "fast"], "max_left_out": 1.0})
        folds.run(text, given, place / "new.json", place / "new.csv", wanted)
    if step == "pretrain":
        plain = settings_of("neuronet") | {"dataset": "d", "pretrain": TRAINING}
        text = {k: plain[k] for k in ("dataset", "modalities", "window", "encoder", "pretrain")}
        output = place / "new.safetensors"
        pretrain.run(canonical_json(text), given, fold, 1, "a", output, shard_settings=wanted)
    if step == "train":
        train.run(trained(), given, fold, 1, [], place / "new.safetensors", shard_settings=wanted)
    if step == "embed":
        embed.run(
            embedding(),
            given,
            fold,
            1,
            place / "new.npy",
            place / "good.safetensors",
            shard_settings=wanted,
            train_settings=trained(),
        )


@pytest.mark.parametrize("step", ["folds", "pretrain", "train", "embed"])
def test_fault_19_shards_of_other_settings_are_refused_by_every_step_that_reads_them(place, step):
    with pytest.raises(DataError) as caught:
        run(step, place, FILTERED)
    line = str(caught.value)
    assert "shard0/manifest.json: this shard was made with other settings" in line
    assert "window.lowpass_hz: 40.0, not 30.0" in line
    assert caught.value.exit_code == 2
    assert [p.name for p in place.iterdir() if p.name.startswith(("new", ".new"))] == []


def test_fault_19_shards_with_more_than_is_configured_are_refused(place):
    fewer = WRITTEN | {"window": {"length_s": 9.0}}
    with pytest.raises(DataError, match=r"window\.lowpass_hz: 40\.0, not None"):
        run("embed", place, fewer)


def test_fault_19_weights_that_do_not_say_whose_they_are_are_refused(place, tmp_path):
    path = tmp_path / "w.safetensors"
    tensors, _ = read_weights(place / "good.safetensors")
    holder = torch.nn.Module()
    holder.state_dict = lambda: tensors
    save_weights(path, holder, {})
    with pytest.raises(DataError, match=r"w\.safetensors: not the manifest of a trained model"):
        embed.run(
            embedding(),
            shards(place),
            place / "folds.json",
            1,
            tmp_path / "a.npy",
            path,
            train_settings=trained(),
        )


def test_fault_19_shards_and_weights_of_the_configured_settings_are_used(place, tmp_path):
    given, fold, output = shards(place), place / "folds.json", tmp_path / "good.npy"
    embed.run(
        embedding(),
        given,
        fold,
        1,
        output,
        place / "good.safetensors",
        shard_settings=canonical_json(WRITTEN),
        train_settings=trained(),
    )
    assert output.exists()


def test_fault_19_weights_of_another_training_are_refused(place, tmp_path):
    given, fold = shards(place), place / "folds.json"
    with pytest.raises(DataError, match=r"train\.learning_rate: 0\.001, not 0\.01"):
        embed.run(
            embedding(),
            given,
            fold,
            1,
            tmp_path / "a.npy",
            place / "good.safetensors",
            train_settings=trained(learning_rate=0.01),
        )
    assert not (tmp_path / "a.npy").exists()


def test_fault_19_weights_trained_on_other_shards_are_refused(place, tmp_path):
    tiny_store(tmp_path, windows=20)
    for path in tmp_path.glob("shard*/manifest.json"):
        write_json(path, json.loads(path.read_text()) | {"settings_digest": "filtered"})
    with pytest.raises(DataError, match="trained on shards of other settings"):
        embed.run(
            embedding(),
            shards(tmp_path),
            place / "folds.json",
            1,
            tmp_path / "a.npy",
            place / "good.safetensors",
        )
    assert not (tmp_path / "a.npy").exists()


def test_fault_19_encoders_of_other_settings_are_refused_by_what_stands_on_them(place, tmp_path):
    kind = settings_of("synthsleepnet")["encoder"]
    shape = {k: own("synthsleepnet")[k] for k in ("dataset", "modalities", "window")}
    text = canonical_json({**shape, "encoder": kind, "pretrain": TRAINING})
    encoders = [tmp_path / f"{m}.safetensors" for m in NAMES]
    for modality, path in zip(NAMES, encoders, strict=True):
        pretrain.run(text, shards(place), place / "folds.json", 1, modality, path)
    other = canonical_json({**shape, "encoder": kind, "pretrain": {**TRAINING, "epochs": 9}})
    settings = canonical_json(own("synthsleepnet", encoder=kind, train=TRAINING))
    with pytest.raises(DataError, match=r"pretrain\.epochs: 1, not 9"):
        train.run(
            settings,
            shards(place),
            place / "folds.json",
            1,
            encoders,
            tmp_path / "s.safetensors",
            parent_settings=other,
        )
    assert not (tmp_path / "s.safetensors").exists()
