"""The plan that the plain workflow is made of names rules and files of every job."""

import shutil

from tests.bench import common
from tests.bench.plain_plan import plain_snakefile
from tests.bench.planning import without_messages

PLAN = """
rule shard:
    input: results/raw/a.batch1.json
    output: results/shards/a/batch1.json
    log: results/logs/shard/a.batch1.log
    wildcards: dataset=a, batch=1

rule all:
    input: results/shards/a/batch1.json
"""


def test_no_rule_keeps_its_message(tmp_path):
    shutil.copytree(common.ROOT / "workflow", tmp_path / "workflow")
    without_messages(tmp_path)
    rules = "".join(path.read_text() for path in (tmp_path / "workflow").rglob("*.smk"))
    assert "rule shard:" in rules
    assert "message:" not in rules


def test_the_plain_workflow_has_the_plans_rules_and_files():
    text = plain_snakefile(PLAN)
    assert text.count("\nrule ") == 2
    assert 'output: "results/shards/{dataset}/batch{batch}.json"' in text
    assert '"shard batch=1 dataset=a": ["results/raw/a.batch1.json"]' in text
