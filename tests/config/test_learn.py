"""The standing experiment's configuration: seeds, untrained twins, what is compared, its data."""

import json

import pytest
from plain_config import ROOT, changed, overlaid, shipped

from physiome.config.data import Dataset
from physiome.config.pairs import learned_rows, pair_settings
from physiome.config.tree import Config
from physiome.errors import ConfigError

OVERLAYS = ROOT / "workflow" / "overlays"
SHARED = OVERLAYS / "learn.yaml"


def experiment(*names):
    return overlaid(SHARED, *(OVERLAYS / f"learn-{name}.yaml" for name in names))


@pytest.mark.parametrize("data", ["eegmat", "icu", "nights"])
@pytest.mark.parametrize("more", [[], ["quick"], ["backbones"]], ids=str)
def test_every_trained_row_has_its_twin(data, more):
    config = experiment(data, *more)
    (dataset,) = config.used
    rows = json.loads(pair_settings(config))["datasets"][dataset]["rows"]
    for method, row in rows.items():
        found = config.resolve(method, dataset)
        assert (row["twin"] == f"{method}_untrained") == found.entry.trains
        if row["twin"]:
            twin = config.resolve(row["twin"], dataset)
            assert (twin.settings, twin.encoder) == (found.settings, found.encoder)
            assert twin.train.epochs == 0 < found.train.epochs
            assert not twin.entry.on_encoders
            assert twin.entry.trained_after is None
    assert ("present_pressure" in rows) == (data == "icu")
    variants = {m for m, row in rows.items() if row["reference"] == "physiome"}
    assert len(variants) == (5 if more == ["backbones"] else 1)
    assert "physiome_plus" in variants


def test_a_seed_is_added_to_the_seeds_of_training_and_to_nothing_else():
    plain = shipped()
    plain["train"]["seed"] = 5
    plain["systems"]["crossl"]["train"]["seed"] = 7
    first, second = (Config.load({**plain, "seed": seed}) for seed in (0, 2))
    for method, before in {"physiome": 5, "crossl": 7}.items():
        seeds = [c.resolve(method, "sleep_edf", 1).train.seed for c in (first, second)]
        assert seeds == [before, before + 2]
    plain["encoder_variants"]["dp_neuronet_tile"]["pretrain"] = {"seed": 3}
    tiled = [Config.load({**plain, "seed": s}) for s in (0, 2)]
    seeds = [
        json.loads(c.pretrain_settings("sleep_edf", 1, "dp_neuronet_tile"))["pretrain"]["seed"]
        for c in tiled
    ]
    assert seeds == [3, 5]
    slices = [json.loads(c.pretrain_settings("sleep_edf", 1, "neuronet")) for c in (first, second)]
    assert [s["pretrain"]["seed"] for s in slices] == [0, 2]
    for name in ("folds_settings", "shard_settings", "records_settings"):
        assert getattr(first, name)("sleep_edf") == getattr(second, name)("sleep_edf")
    assert first.probe_settings("sleep_edf", 1) == second.probe_settings("sleep_edf", 1)


def test_a_control_without_weights_is_scored_with_one_seed():
    plain = shipped()
    rows = [learned_rows(Config.load({**plain, "seed": s}), "sleep_edf") for s in (0, 1)]
    assert set(rows[0]) - set(rows[1]) == {"handmade", "majority"}


def test_a_variant_of_a_variant_has_the_changes_of_both():
    plain = shipped()
    plain["variants"]["twice"] = {
        "of": "masked_token",
        "title": "Twice",
        "method": {"mask_ratio": 0.3},
        "train": {"batch": 64},
    }
    plain["methods"].append("twice")
    config = Config.load(plain)
    found, below = (config.resolve(m, "sleep_edf") for m in ("twice", "masked_token"))
    assert found.base == "physiome"
    assert found.settings == below.settings | {"mask_ratio": 0.3}
    assert (found.train.epochs, found.train.batch) == (below.train.epochs, 64)
    plain["variants"]["thrice"] = {"of": "twice", "title": "Thrice"}
    with pytest.raises(ConfigError, match="thrice is of twice"):
        Config.load(plain)


def test_only_untrained_systems_say_so_in_their_slices():
    config = experiment("eegmat")
    slices = {m: config.train_settings("eegmat", 1, m) for m in ("physiome", "physiome_untrained")}
    assert "untrained" not in json.loads(slices["physiome"])
    assert json.loads(slices["physiome_untrained"])["untrained"] is True


@pytest.mark.parametrize("folder", ["eegmat/", "./eegmat", ".//eegmat/."])
def test_a_folder_of_recordings_has_one_spelling(folder):
    """Its settings are compared as text: of another one every training would run again."""
    plain = overlaid(SHARED, OVERLAYS / "learn-eegmat.yaml").plain()
    config = Config.load(plain)
    plain["datasets"]["eegmat"]["source"]["folder"] = folder
    assert Config.load(plain).records_settings("eegmat") == config.records_settings("eegmat")
    spelled = [Config.load({**plain, "data_folder": f}) for f in ("/d", "/d/", "/d/./")]
    assert len({c.records_settings("eegmat") for c in spelled}) == 1


def test_folders_of_recordings_begin_at_the_data_folder():
    plain = overlaid(SHARED, OVERLAYS / "learn-eegmat.yaml").plain()
    folders = [Config.load({**plain, "data_folder": f}).raw_folder("eegmat") for f in (None, "/d")]
    assert folders == ["eegmat", "/d/eegmat"]
    elsewhere = json.loads(Config.load({**plain, "data_folder": "/d"}).records_settings("eegmat"))
    assert elsewhere["folder"] == "/d/eegmat"
    assert Config.load(changed("data_folder", "/d")).raw_folder("sleep_edf") == (
        "results/raw/sleep_edf"
    )


def test_a_dense_target_changes_shards_only_where_it_is_asked_for():
    plain = shipped()["datasets"]["vitaldb"]
    settings = []
    for labels in ({}, {"dense": False}, {"dense": True}):
        changed_labels = {**plain, "labels": {**plain["labels"], **labels}}
        settings.append(Dataset.parse(changed_labels).shard_settings())
    assert settings[0] == settings[1]
    assert "dense" not in settings[0]["labels"]
    assert settings[2]["labels"]["dense"] is True
