"""One real run of the whole workflow at the smallest size; then what reruns after which change.

Every test that changes something works on a copy of the finished tree.
"""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from project_copy import Project
from safetensors.numpy import load_file
from sklearn.metrics import roc_auc_score
from waiting import kill_tree, stop_tree, wait_until

from physiome.subsets import all_subsets, subset_name

pytestmark = pytest.mark.slow

MODALITIES = ("eeg_fpz_cz", "eeg_pz_oz", "eog")
SUBSETS = [subset_name(subset) for subset in all_subsets(MODALITIES)]
METHODS = ("physiome", "handmade")
SCORES = ("scores", "table", "intervals", "really_missing", "all_scores")
FIGURES = dict.fromkeys(("figures", "comparison", "diagnostics", "summary"), 1)
REPORTS = {**dict.fromkeys((*SCORES, "all"), 1), **FIGURES}
TRAINED = {**REPORTS, "train": 2, "embed": 2, "probe": 2, "curves": 1, "costs": 1}
CONFIG = ["workflow/overlays/demo.yaml", "small.yaml"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A tree in which everything was run once. Never changed: tests work on clones."""
    project = Project.copy(tmp_path_factory.mktemp("finished"))
    shutil.copy(Path(__file__).with_name("small.yaml"), project.root)
    project.snakemake("--cores", 2, "--configfile", *CONFIG)
    return project


@pytest.fixture
def tree(finished, tmp_path):
    """A clone of the finished tree."""
    return finished.clone(tmp_path / "tree")


def plan(project, changes=None):
    """What a dry run plans; `changes` is configuration in a further file."""
    return project.plan("--configfile", *CONFIG, *extra(project, changes))


def extra(project, changes):
    if changes is None:
        return []
    (project.root / "mine.yaml").write_text(yaml.safe_dump(changes), encoding="utf-8")
    return ["mine.yaml"]


# What it made


def test_nothing_is_planned_when_everything_is_done(finished):
    assert plan(finished) == {}


def test_nothing_is_left_beside_the_results(finished):
    left = [
        p for p in (finished.root / "results").rglob("*") if re.search(r"tmp|resume|part$", p.name)
    ]
    assert left == []


def test_scores_hold_every_fold_method_and_subset_in_known_columns(finished):
    scores = pd.read_csv(finished.root / "results" / "scores.csv")
    assert scores.columns.tolist() == [
        "dataset",
        "fold",
        "method",
        "subset",
        "head",
        "metric",
        "value",
        "windows",
        "subjects",
    ]
    cells = scores[(scores["metric"] == "acc") & (scores["head"] == "logistic")]
    found = set(zip(cells["fold"], cells["method"], cells["subset"], strict=True))
    assert found == {(f, m, s) for f in (1, 2) for m in METHODS for s in SUBSETS}
    assert cells["value"].between(0, 1).all()
    assert cells.groupby("fold")["windows"].nunique().tolist() == [1, 1]  # the same test windows


def test_a_cell_of_the_table_is_recomputed_from_the_windows(finished):
    results = finished.root / "results"
    table = pd.read_csv(results / "tables" / "table1.long.csv")
    table = table.set_index(["head", "subset", "title", "metric"])
    for method, title in (("physiome", "PhysioME"), ("handmade", "Hand-made")):
        for subset in SUBSETS:
            acc, auc = [], []
            for fold in (1, 2):
                windows = pd.read_parquet(results / f"scores/sleep_edf/fold{fold}/{method}.parquet")
                part = windows.query("subset == @subset and head == 'logistic' and complete")
                p = part[[f"p{c}" for c in range(5)]].to_numpy()
                acc.append(100 * np.mean(p.argmax(axis=1) == part["label"]))
                p = p / p.sum(axis=1, keepdims=True)
                auc.append(100 * roc_auc_score(part["label"], p, multi_class="ovr"))
            for metric, values in (("acc", acc), ("auc", auc)):
                cell = table.loc[("logistic", subset, title, metric)]
                assert cell["mean"] == pytest.approx(np.mean(values), abs=1e-3)
                assert cell["sd"] == pytest.approx(np.std(values, ddof=1), abs=1e-3)


def test_the_latex_table_says_what_the_csv_says(finished):
    tables = finished.root / "results" / "tables"
    text = (tables / "table1.tex").read_text(encoding="utf-8")
    csv = pd.read_csv(tables / "table1.csv", na_values="–").set_index(["head", "subset"])
    csv = csv.loc["logistic"]
    rows = [line for line in text.splitlines() if "bullet" in line]
    assert len(rows) == len(SUBSETS)
    for row, subset in zip(rows, SUBSETS, strict=True):
        assert f"{csv.loc[subset, 'PhysioME ACC']:.2f}" in row
        assert f"{csv.loc[subset, 'Hand-made AUC']:.2f}" in row
    assert text.count(r"\begin{") == text.count(r"\end{")
    assert text.count("{") == text.count("}")


def test_costs_and_intervals_stand_beside_the_table(finished):
    results = finished.root / "results"
    costs = pd.read_csv(results / "tables" / "table1.costs.csv").set_index("method")
    trained = [
        json.loads((results / f"models/sleep_edf/fold{fold}/physiome.json").read_text())["training"]
        for fold in (1, 2)
    ]
    assert costs.loc["physiome", "parameters"] == trained[0]["parameters"]
    seconds = np.mean([training["seconds"] for training in trained])
    assert costs.loc["physiome", "training_s"] == pytest.approx(seconds, abs=1e-2)
    assert costs.loc["physiome", "pretraining_s"] > 0
    assert costs.loc["physiome", "cpu_s"] > 0
    assert costs.loc["handmade", "folds"] == 0
    table = pd.read_csv(results / "tables" / "table1.csv").query("head == 'logistic'")
    found = pd.read_csv(results / "tables" / "table1.intervals.csv")
    assert set(found["method"]) == {"handmade"}
    for subset in SUBSETS:
        row = table[table["subset"] == subset].iloc[0]
        mine = found.query("subset == @subset and metric == 'acc'").iloc[0]
        difference = row["Hand-made ACC"] - row["PhysioME ACC"]
        assert mine["difference"] == pytest.approx(difference, abs=1e-3)
        assert mine["low"] <= mine["high"]
        assert (mine["subjects"], mine["folds"]) == (8, 2)


def test_no_test_subject_was_seen_before_it_was_tested(finished):
    results = finished.root / "results"
    folds = json.loads((results / "folds/sleep_edf.json").read_text(encoding="utf-8"))["folds"]
    tested = []
    for fold in folds:
        scores = results / f"scores/sleep_edf/fold{fold['fold']}/physiome.parquet"
        subjects = set(pd.read_parquet(scores)["subject"])
        assert subjects == set(fold["test"])
        assert not subjects & {s for role in ("pretrain", "train") for s in fold[role]}
        tested += subjects
    assert len(tested) == len(set(tested)) == 8


def test_every_job_left_a_log_and_the_figures_are_drawings(finished):
    results = finished.root / "results"
    assert len(list((results / "logs" / "pretrain").rglob("*.log"))) == 6
    assert len(list((results / "benchmarks" / "train").rglob("*.tsv"))) == 2
    drawn = sorted(p.name for p in (results / "figures" / "sleep_edf").iterdir())
    names = {
        "confusion", "cost_score", "curves", "embedding_map", "paired", "reliability",
        "restoration", "restored", "robustness", "subsets", "timeline",
    }  # fmt: skip
    files = [f"{name}.{kind}" for name in names for kind in ("svg", "pdf")]
    assert drawn == sorted([*files, "restoration.csv"])
    for figure in (results / "figures" / "sleep_edf").glob("*.svg"):
        assert "<svg" in figure.read_text(encoding="utf-8")


# What runs again

FRAMES = ("physiome/nn/neuronet_frames.py", "import torch\n", "import torch\n\nANOTHER = 1\n")
EDITS = {
    "a layer of the encoders": (FRAMES, {**TRAINED, "pretrain": 6}),
    "the writer of tables": (
        ("physiome/reporting/latex.py", "import pandas as pd\n", "import pandas as pd\n\nX = 1\n"),
        {"table": 1, "summary": 1, "all": 1},
    ),
    "what tables and figures share": (
        ("physiome/reporting/tables.py", "import pandas as pd\n", "import pandas as pd\n\nX = 1\n"),
        {"table": 1, "intervals": 1, **FIGURES, "all": 1},
    ),
    "the heads": (
        ("physiome/evaluation/heads.py", "import numpy as np\n", "import numpy as np\n\nX = 1\n"),
        {**REPORTS, "probe": 4},
    ),
    "another method": (
        ("physiome/methods/controls.py", "import torch\n", "import torch\n\nX = 1\n"),
        {**REPORTS, "embed": 2, "probe": 2},
    ),
    "the reading of raw files": (
        (
            "physiome/data/cutting/signals.py",
            "import numpy as np\n",
            "import numpy as np\n\nX = 1\n",
        ),
        {**TRAINED, "shard": 2, "folds": 1, "pretrain": 6, "embed": 4, "probe": 4},
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_of_code_plans_what_it_can_change(tree, edit):
    change, expected = EDITS[edit]
    tree.edit(*change)
    assert plan(tree) == expected


def test_edits_that_can_change_nothing_plan_nothing(tree):
    tree.edit("physiome/nn/neuronet_frames.py", "import torch\n", "import torch  # a library\n")
    tree.edit("physiome/cli/__init__.py", "import logging\n", "import logging\n\nANOTHER = 1\n")
    entry = '    "x": Entry("physiome.x", "X", "X", "single"),\n'
    marker = "METHODS: dict[str, Entry] = {\n"
    tree.edit("physiome/registry.py", marker, marker + entry)
    tree.edit("README.md", "#", "##")
    for path in (tree.root / "physiome").rglob("*.py"):
        path.touch()
    assert plan(tree) == {}


CHANGES = {
    "how it is printed": ({"tables": {"decimals": 1}}, {"table": 1, "summary": 1, "all": 1}),
    "a title": (
        {"datasets": {"sleep_edf": {"title": "Nights"}}},
        {"table": 1, **FIGURES, "all": 1},
    ),
    "the heads": ({"probe": {"max_iterations": 50}}, {**REPORTS, "probe": 4}),
    "what no job depends on": (
        {
            "threads": {"train": 2},
            "device": "cpu",
            "embed_batch": 64,
            "datasets": {"vitaldb": {"window": {"length_s": 20.0}}},
            "overrides": {"sleep_edf/1": {"train": {}}},
        },
        {},
    ),
    "one fold's encoders": (
        {"overrides": {"sleep_edf/2": {"pretrain": {"epochs": 3}}}},
        {**TRAINED, "pretrain": 3, "train": 1, "embed": 1, "probe": 1},
    ),
    "which folds are run": (
        {"folds": {"use": 1}},
        {**REPORTS, "curves": 1, "costs": 1},
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_configuration_plans_what_it_can_change(finished, tmp_path, change):
    changes, expected = CHANGES[change]
    mine = tmp_path / "mine.yaml"
    mine.write_text(yaml.safe_dump(changes), encoding="utf-8")
    assert finished.plan("--configfile", *CONFIG, mine) == expected


def test_results_of_other_settings_are_refused_where_nothing_remembers_them(tree):
    shutil.rmtree(tree.root / ".snakemake")
    assert plan(tree) == {}
    arguments = ["--configfile", *CONFIG, *extra(tree, CHANGES["one fold's encoders"][0])]
    done = tree.snakemake("-n", *arguments, check=False)
    assert done.returncode == 2
    assert re.search(r"like 2 more - pretrain\.epochs: 2, not 3", done.stderr)
    assert "--forcerun pretrain " in done.stderr
    assert tree.plan("--forcerun", "pretrain", *arguments) == {**TRAINED, "pretrain": 6, "embed": 2}


def test_an_override_of_one_fold_reruns_that_fold_and_what_reads_it(tree):
    changes = {"overrides": {"sleep_edf/2": {"train": {"learning_rate": 3.0e-4}}}}
    expected = {**TRAINED, "train": 1, "embed": 1, "probe": 1}
    assert plan(tree, changes) == expected
    folders = ("records", "raw", "shards", "folds", "models", "embeddings", "scores")
    before = tree.stamps(folders)
    tree.snakemake("--cores", 2, "--configfile", *CONFIG, "mine.yaml")
    after = tree.stamps(folders)
    assert before.keys() == after.keys()
    changed = {path for path in after if after[path] != before[path]}
    own = re.compile(r"(models|embeddings|scores)/sleep_edf/fold2/physiome\.")
    assert {p for p in changed if not own.match(p)} == {
        "scores/sleep_edf.csv",
        "scores/sleep_edf.by_subject.csv",
        "scores/sleep_edf.notes.json",
    }
    assert {p.split("/")[0] for p in changed} == {"models", "embeddings", "scores"}
    assert plan(tree, changes) == {}


def test_a_deleted_model_is_made_again_without_its_encoders(tree):
    (tree.root / "results/models/sleep_edf/fold1/physiome.safetensors").unlink()
    (tree.root / "results/embeddings/sleep_edf/fold1/physiome.npy").unlink()
    assert plan(tree) == {}  # Snakemake: what is there is there, its inputs do not matter
    target = "results/embeddings/sleep_edf/fold1/physiome.npy"
    found = tree.plan(target, "--configfile", *CONFIG)
    assert found == {"train": 1, "embed": 1}


# What survives a kill


KILLED = {
    "pretrain": "results/models/sleep_edf/fold1/encoders/dp_neuronet/eog.safetensors",
    "train": "results/models/sleep_edf/fold1/physiome.safetensors",
}


@pytest.mark.parametrize("section", KILLED)
def test_a_killed_training_ends_in_the_weights_of_an_uninterrupted_one(finished, tmp_path, section):
    target = Path(KILLED[section])
    whole, killed = finished.clone(tmp_path / "whole"), finished.clone(tmp_path / "killed")
    for project in (whole, killed):
        extra(project, {section: {"epochs": 10}})
    same = [target, "--cores", 1, "--configfile", *CONFIG, "mine.yaml"]
    uninterrupted, process = whole.start(*same), killed.start(*same)
    resume = killed.root / (str(target) + ".resume")
    wait_until((resume / "state.previous.pt").exists, process, "it saved twice")
    stop_tree(process)  # or it might end before it is killed
    second = killed.snakemake(*same, check=False)  # beside the first: refused, and says how
    kill_tree(process)
    assert second.returncode != 0
    assert "--unlock" in second.stdout + second.stderr
    assert not (killed.root / target).exists()

    killed.snakemake("--unlock")
    killed.snakemake(*same)
    assert uninterrupted.wait() == 0
    log = next(
        (killed.root / f"results/logs/{section}/sleep_edf/fold1").glob(f"*{target.stem}.log")
    )
    assert "resumed from state" in log.read_text(encoding="utf-8")
    expected, found = load_file(whole.root / target), load_file(killed.root / target)
    assert expected.keys() == found.keys()
    assert all(expected[name].tobytes() == found[name].tobytes() for name in expected)
    metrics = target.with_suffix(".metrics.jsonl")
    assert (killed.root / metrics).read_bytes() == (whole.root / metrics).read_bytes()
    assert not resume.exists()
