"""One graph: plan, doctor and costs agree on what is trained before what."""

import json

import pandas as pd
import pytest
import yaml
from model_manifests import model_manifest

from physiome.config.tree import load_files
from physiome.doctor import work
from physiome.files import write_json
from physiome.plan.graph import Graph
from physiome.plan.layout import Layout, Model, Row
from physiome.registry import lineage
from physiome.steps import costs

STAGES = ["physioomni_tokenizer", "physioomni", "physioomni_tuned"]


@pytest.fixture
def mine(repository, tmp_path, monkeypatch):
    """`mine(changes)`: the shipped configuration with results in a folder of the test."""
    monkeypatch.chdir(tmp_path)

    def load(**changes):
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump({"use_datasets": ["sleep_edf"], **changes}))
        return load_files([repository / "config.yaml", path])

    return load


def test_a_method_of_three_stages_has_two_ancestors_and_one_parent(mine):
    graph = Graph(mine(methods=["physioomni_tuned"]))
    row = Row("sleep_edf", 2, "physioomni_tuned")
    tokenizer, physioomni, own = (Model("sleep_edf", 2, name) for name in STAGES)
    assert graph.parents(row) == [physioomni]
    assert graph.ancestors(row) == (tokenizer, physioomni)
    assert graph.models([row]) == [tokenizer, physioomni, own]
    assert [graph.learns_from_labels(m) for m in (tokenizer, physioomni, own)] == [
        False,
        False,
        True,
    ]
    assert lineage("physioomni_tuned") == STAGES[::-1]
    assert {m.rsplit(".", 1)[1] for m in graph.modules(row)} == {"physioomni", "physioomni_tuned"}


def test_plan_doctor_and_costs_agree_on_ancestors_and_seconds(mine, tmp_path):
    """Trainings of 100, 10 and 1 seconds: all three are known, and the first two are told."""
    config = mine(methods=["physioomni_tuned"], use_tables=["table1"], folds={"use": 1})
    graph, at = Graph(config), Layout(config.results)
    rows = graph.rows("table1")
    planned = graph.models(rows)
    assert [m.name for m in planned] == STAGES
    assert [*work.trainings(graph, rows)] == planned
    for model, seconds in zip(planned, (100.0, 10.0, 1.0), strict=True):
        found = model_manifest(model.dataset, model.fold, model.name, {"seconds": seconds})
        write_json(tmp_path / at.manifest(model), found.plain())
    before = {row.method: {m.below: [m.fold] for m in graph.ancestors(row)} for row in rows}
    settings = config.cost_settings("table1", at.models("sleep_edf"), before)
    assert json.loads(settings)["ancestors"] == before
    costs.run(settings, [tmp_path / at.manifest(m) for m in planned], tmp_path / "costs.csv")
    told = pd.read_csv(tmp_path / "costs.csv").set_index("method").loc["physioomni_tuned"]
    assert (told["pretraining_s"], told["training_s"]) == (110.0, 1.0)


def test_models_of_many_rows_come_once_and_encoders_before_what_is_made_of_them(mine):
    config = mine()
    graph = Graph(config)
    models = graph.models(graph.shown("sleep_edf"))
    assert len(models) == len(set(models))
    place = {model: i for i, model in enumerate(models)}
    for row in graph.shown("sleep_edf"):
        own = graph.model(row)
        for model in graph.ancestors(row):
            assert place[model] < place[own]
    assert sum(m.modality is not None for m in models) == 105
    assert graph.model(Row("sleep_edf", 1, "handmade")) is None


def test_an_untrained_variant_has_no_parents(mine):
    raw = {"of": "physiome", "title": "Raw", "untrained": True}
    graph = Graph(mine(methods=["raw"], variants={"raw": raw}))
    row = Row("sleep_edf", 1, "raw")
    assert graph.parents(row) == []
    assert graph.training(graph.model(row)).epochs == 0


def test_a_result_tells_the_rule_that_makes_it():
    at, row, encoder = Layout("deep/results"), Row("d", 1, "m"), Model("d", 1, "e", "eeg")
    made_by = {
        at.shard("d", 0): "shard",
        at.folds("d"): "folds",
        at.fetched("d", 3): "fetch",
        at.manifest(Model("d", 1, "m")): "train",
        at.manifest(encoder): "pretrain",
        at.embeddings(row, "json"): "embed",
        at.scores(row, "json"): "probe",
        at.table("t", "json"): "table",
    }
    assert {path: at.step_of(path) for path in made_by} == made_by


def test_the_rules_write_where_the_layout_says(repository):
    """A benchmark is no input: a wrong path of one would only lose its seconds, without a word."""
    rules = "".join(p.read_text("utf-8") for p in (repository / "workflow" / "rules").glob("*.smk"))
    at, row = Layout("<results>"), Row("{dataset}", "{fold}", "{method}")
    encoder = Model("{dataset}", "{fold}", "{encoder}", "{modality}")
    models = (Model("{dataset}", "{fold}", "{method}"), encoder)
    for model in models:
        for place in (at.weights, at.manifest, at.metrics, at.benchmark):
            assert f'"{place(model)}"' in rules
    for suffix in ("npy", "json", "parquet"):
        assert f'"{at.embeddings(row, suffix)}"' in rules
    for path in (
        at.scores(row),
        at.scores(row, "json"),
        at.lost_leads(row),
        at.few_labels(row),
        at.records("{dataset}"),
        at.folds("{dataset}"),
        at.fetched("{dataset}", "{batch}"),
        at.shard("{dataset}", "{batch}"),
        at.table("{table}", "csv"),
        at.table("{table}", "json"),
    ):
        assert f'"{path}"' in rules


def test_a_variant_that_is_only_read_otherwise_takes_the_weights_of_its_system(mine):
    graph = Graph(mine())
    row = Row("sleep_edf", 1, "crossl_latents")
    assert graph.parents(row) == [Model("sleep_edf", 1, "crossl")]
    assert graph.training(graph.model(row)).epochs == 0
    assert graph.training(Model("sleep_edf", 1, "crossl")).epochs > 0
    assert json.loads(graph.settings(graph.model(row)))["takes"] is True


@pytest.mark.parametrize(
    "change", [{"method": {"embedding": "latents", "keep": 0.5}}, {"train": {"epochs": 3}}]
)
def test_a_variant_that_is_trained_otherwise_is_trained(mine, change):
    other = {"of": "crossl", "title": "Other", "method": {"embedding": "latents"}, **change}
    graph = Graph(mine(variants={"other": other}, methods=["crossl", "other"]))
    row = Row("sleep_edf", 1, "other")
    assert graph.parents(row) == []
    assert graph.training(graph.model(row)).epochs > 0
