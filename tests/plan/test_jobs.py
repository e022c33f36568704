"""By where a result lies, the job that makes it and its log are known: of every rule there is."""

import re

import pytest

from physiome.plan.jobs import RULES, job_of

RULE = re.compile(r"^rule (\w+):(.*?)(?=^rule |\Z)", re.M | re.S)
WILDCARDS = {"fold": "2", "batch": "13", "modality": "eeg_fpz_cz"}  # others: a name


def filled(text):
    text = text.replace("<results>", "some/results/demo")
    return re.sub(r"\{(\w+)\}", lambda found: WILDCARDS.get(found[1], found[1]), text)


def rules(repository):
    for path in sorted((repository / "workflow/rules").glob("*.smk")):
        for name, body in RULE.findall(path.read_text("utf-8")):
            output = body[body.index("    output:") : body.index("    log:")]
            (log,) = re.findall(r'    log:\n\s+"(.+?)"', body)
            yield name, [filled(p) for p in re.findall(r'"(<results>.+?)"', output)], filled(log)


def test_every_output_of_every_rule_is_told_as_that_rules_with_its_log(repository):
    found = [*rules(repository)]
    wrong = [
        (name, path, job)
        for name, paths, log in found
        for path in paths
        if (job := job_of(path)) is None or (job.rule, job.log) != (name, log)
    ]
    assert wrong == []
    assert {name for name, _, _ in found} == set(RULES)


@pytest.mark.parametrize("path", ["results/notes.txt", "records/a.csv", "results/models/a.json"])
def test_what_no_rule_makes_is_no_jobs(path):
    assert job_of(path) is None


def test_a_job_is_named_in_words():
    said = [
        job_of(f"r/{path}").what
        for path in (
            "models/sleep_edf/fold2/encoders/dp_neuronet/eog.safetensors",
            "scores/vitaldb/fold1/physiome.parquet",
            "shards/mine/batch3/manifest.json",
            "tables/table4.costs.csv",
            "scores.csv",
        )
    ]
    assert said == [
        "dp_neuronet eog, sleep_edf fold 2",
        "physiome, vitaldb fold 1",
        "mine batch 3",
        "table4",
        "",
    ]
