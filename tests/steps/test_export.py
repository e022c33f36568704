"""A model that is handed on scores as it did at home; its card says what the run's files say."""

import zipfile
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from bundle_scores import compare
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from tiny_run import CONTROLS, FOLDS, METHOD, NAME

from physiome.config.metrics import METRICS
from physiome.errors import PhysioError
from physiome.evaluation.bootstrap import draw
from physiome.files import file_digest, read_json, write_json
from physiome.predict.bundle import card, export
from physiome.predict.bundle.card import percent
from physiome.predict.bundle.opened import open_bundle
from physiome.predict.bundle.origin import FoldOrigin
from physiome.predict.bundle.tested import RANKED, SEED, control_rows, score_rows
from physiome.reporting.scores import read_scores

pytestmark = pytest.mark.slow  # it takes a run of two folds


@pytest.fixture(scope="module")
def bundle(tiny_run, tmp_path_factory):
    """The model of fold 1 as a folder."""
    output = tmp_path_factory.mktemp("bundles") / "one"
    export.run(tiny_run, output, method=METHOD)
    return output


@pytest.mark.parametrize(("kind", "fold"), [("folder", 1), ("zip", 2)])
def test_a_bundle_scores_test_recordings_as_the_workflow_did(tiny_run, tmp_path, kind, fold):
    """`python -m tests.bundle_scores RUN DATASET METHOD FOLD` does so for any finished run."""
    output = tmp_path / ("b" if kind == "folder" else "b.zip")
    export.run(tiny_run, output, method=METHOD, folds="all")
    both = compare(tiny_run, NAME, METHOD, fold, output, tmp_path / "scored")
    assert both.windows > 15
    assert both.furthest < 1e-5
    for metric in ("acc", "auc", "balanced_acc", "ece"):
        assert both.bundle[metric] == pytest.approx(both.workflow[metric], abs=1e-4)


def table_of(card, heading):
    """Rows of the table below a heading of a card, cells by column."""
    part = card.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("|")]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[2:]]


def test_the_card_has_the_scores_of_the_run(tiny_run, bundle):
    stored = read_scores(tiny_run / "scores" / f"{NAME}.csv")
    stored = stored[(stored["fold"] == 1) & (stored["head"] == "logistic")]
    known = stored.set_index(["method", "subset", "metric"])["value"]
    card = (bundle / "README.md").read_text("utf-8")
    rows = table_of(card, "Scores")
    assert {row["given"] for row in rows} == set(stored.loc[stored["method"] == METHOD, "subset"])
    for row in rows:
        for metric in (*RANKED, "ece"):
            short = METRICS[metric].short
            said = row.get(f"{short} (95 %)") or row[short]
            assert said == percent(known[METHOD, row["given"], metric])  # one subject: no interval
    for row in table_of(card, "Controls of the same run"):
        for method, title in zip(CONTROLS, ("Hand-made", "Majority"), strict=True):
            values = [percent(known[method, row["given"], metric]) for metric in RANKED]
            assert row[title] == " / ".join(values)


def test_the_card_says_who_was_learned_from_and_that_few_were_tested(tiny_run, bundle):
    card = (bundle / "README.md").read_text("utf-8")
    records = pd.read_csv(tiny_run / "folds" / f"{NAME}.records.csv").set_index("subject")
    fold = read_json(tiny_run / "folds" / f"{NAME}.json")["folds"][0]
    assert "pretrain: not used" in card  # the network has its first weights
    for row in table_of(card, "Learned from"):
        subjects = fold[row["role"].split(":")[0]]
        assert int(row["subjects"]) == int(row["records"]) == len(subjects)
        assert int(row["windows"]) == records.loc[subjects, "windows"].sum()
    assert "Few test subjects: 1." in card
    assert "Not a medical device" in card
    assert "Hand-made: AUC at least as high as that of Tiny net in" in card
    words = " ".join(card.split())  # other controls say nothing of what training gained
    assert "above its own network untrained is what it has learned" in words
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["license"] == "unknown"
    assert front["library_name"] == "physiome"
    assert {"missing-modalities", "fpz"} <= set(front["tags"])


@pytest.mark.parametrize("takes", [True, False])
def test_the_card_says_whom_weights_that_are_anothers_were_learned_from(takes):
    sizes = {"subjects": 1, "records": 1, "windows": 2, "labelled": 2}
    took = {"epochs": 0, "steps": 0, "trained_parameters": 3, "parameters": 3}
    training = {"settings": {"base": "crossl", "takes": takes}, "identity": "i"}
    training |= {"training": took | {"device": "cpu", "precision": "fp32"}}
    origin = FoldOrigin(1, dict.fromkeys(("pretrain", "train", "test"), sizes), training, {})
    told = SimpleNamespace(contents=SimpleNamespace(dataset_title="Nights"), origins=[origin])
    said = card._learned_from(told)
    assert ("pretrain: learned from without labels" in said) == takes
    assert ("those that the run trained for `crossl`" in said) == takes
    assert ("0 epochs" in said) != takes


def test_the_contents_say_what_a_model_wants_and_every_sum(bundle):
    contents = read_json(bundle / "bundle.json")
    assert contents["title"] == "Tiny net"
    assert contents["dataset_title"] == "Made-up nights"
    assert contents["modalities"]["eog"]["channels"][0]["name"] == "EOG horizontal"
    assert contents["modalities"]["eog"]["unit"] == "uV"
    assert contents["window"]["length_s"] == 30.0
    below = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()}
    assert below == {"bundle.json", *contents["files"]}
    for name, file in contents["files"].items():
        assert file["sha256"] == file_digest(bundle / name)


def test_intervals_are_those_of_subjects_drawn_again(tmp_path):
    """Against a plain loop that repeats the windows of each drawn subject."""
    rng, classes, n = np.random.default_rng(0), ["a", "b", "c"], 240
    p = rng.dirichlet(np.ones(3), n).astype(np.float32)
    table = pd.DataFrame({
        "record": "r", "number": range(n), "subject": np.repeat(list("uvwxyz"), n // 6),
        "label": np.where(rng.random(n) < 0.5, p.argmax(axis=1), rng.integers(0, 3, n)),
        "complete": True, "subset": "fpz", "head": "logistic", "event": False,
    }).assign(**{f"p{i}": p[:, i] for i in range(3)})  # fmt: skip
    folder = tmp_path / "fold3"
    folder.mkdir()
    table.to_parquet(folder / "m.parquet")
    write_json(folder / "m.json", {"classes": classes, "fold": 3})
    (row,) = score_rows([folder], "m", resamples=200)
    parts = [part for _, part in table.groupby("subject")]
    again: dict[str, list[float]] = {"acc": [], "auc": [], "balanced_acc": []}
    for times in draw(6, 200, (SEED, 3)).astype(int):
        one = pd.concat([part for part, k in zip(parts, times, strict=True) for _ in range(k)])
        y, scores = one["label"], one[["p0", "p1", "p2"]].to_numpy(float)
        scores /= scores.sum(axis=1, keepdims=True)
        again["acc"].append(float((scores.argmax(axis=1) == y).mean()))
        again["auc"].append(float(roc_auc_score(y, scores, multi_class="ovr")))
        again["balanced_acc"].append(float(balanced_accuracy_score(y, scores.argmax(axis=1))))
    for metric, values in again.items():
        low, high = np.quantile(values, [0.025, 0.975])
        assert row[f"{metric}_low"] == pytest.approx(low, abs=1e-4)
        assert row[f"{metric}_high"] == pytest.approx(high, abs=1e-4)
        assert low < row[metric] < high


def test_only_folds_that_have_the_score_give_it_an_interval(tmp_path):
    """Of two folds, that with two subjects has one class alone."""
    folders = [tmp_path / "fold1", tmp_path / "fold2"]
    for folder, subjects in zip(folders, (1, 2), strict=True):
        folder.mkdir()
        n = 40
        p = np.random.default_rng(subjects).dirichlet(np.ones(2), n).astype(np.float32)
        pd.DataFrame({
            "record": "r", "number": range(n), "subject": np.arange(n) // 20 % subjects,
            "label": np.arange(n) % 2 if subjects == 1 else 0, "complete": True, "subset": "fpz",
            "head": "logistic", "event": False, "p0": p[:, 0], "p1": p[:, 1],
        }).to_parquet(folder / "m.parquet")  # fmt: skip
        write_json(folder / "m.json", {"classes": ["a", "b"], "fold": subjects})
    (row,) = score_rows(folders, "m", resamples=50)
    assert (row["folds"], row["subjects"], row["windows"]) == (2, 3, 80)
    assert row["acc_low"] < row["acc_high"]
    assert row["auc"] is not None
    assert row["auc_low"] is row["auc_high"] is None
    (row,) = score_rows(folders[:1], "m", resamples=50)
    assert row["acc_low"] is row["acc_high"] is None


def test_heads_that_a_fold_lacks_are_not_set_beside_the_scores_of_all(tmp_path):
    folders = [tmp_path / "fold1", tmp_path / "fold2"]
    for fold, (folder, kinds) in enumerate(
        zip(folders, (["logistic", "centred"], ["logistic"]), strict=True), start=1
    ):
        folder.mkdir()
        n = 40
        p = np.random.default_rng(fold).dirichlet(np.ones(2), n).astype(np.float32)
        one = pd.DataFrame({
            "record": "r", "number": range(n), "subject": np.arange(n) // 20,
            "label": np.arange(n) % 2, "complete": True, "subset": "fpz", "event": False,
            "p0": p[:, 0], "p1": p[:, 1],
        })  # fmt: skip
        pd.concat([one.assign(head=kind) for kind in kinds]).to_parquet(folder / "m.parquet")
        write_json(folder / "m.json", {"classes": ["a", "b"], "fold": fold})
    (row,) = score_rows(folders, "m", resamples=50)
    assert row["folds"] == 2
    assert "centred" not in row  # of one fold alone
    (row,) = score_rows(folders[:1], "m", resamples=50)
    assert row["centred"]["acc"] == row["acc"]


def test_of_untrained_methods_the_same_network_alone_is_a_models_twin(tmp_path):
    folder = tmp_path / "fold1"
    folder.mkdir()
    scored = pd.DataFrame({
        "record": "r", "number": range(4), "subject": "s", "label": [0, 1, 0, 1], "complete": True,
        "subset": "fpz", "head": "logistic", "event": False, "p0": 0.4, "p1": 0.6,
    })  # fmt: skip
    own = {"base": "physiome", "encoder": {"name": "neuronet"}, "method": {"dim": 8}}
    fresh = own | {"untrained": True}
    for name, settings in {
        "physiome": own,
        "fresh": fresh | {"subsets": ["fpz"]},
        "fresh_plus": fresh | {"method": {"dim": 8, "levels": True}},
        "fresh_on_resnet": fresh | {"encoder": {"name": "resnet18"}},
        "fresh_crossl": fresh | {"base": "crossl"},
        "variant": own,  # trained
        "random": own | {"base": "random"},
    }.items():
        scored.to_parquet(folder / f"{name}.parquet")
        (folder / f"{name}.heads.npz").touch()
        facts = {"classes": ["a", "b"], "fold": 1, "embed_settings": settings | {"name": name}}
        write_json(folder / f"{name}.json", facts)
    titles = {row["method"]: row["title"] for row in control_rows([folder], "physiome")}
    assert titles == {"fresh": "fresh (untrained)", "random": "Random PhysioME"}
    titles = {row["method"] for row in control_rows([folder], "fresh_plus")}
    assert titles == {"random"}


def test_several_folds_are_told_apart_and_averaged_in_the_card(tiny_run, tmp_path):
    output = tmp_path / "all.zip"
    export.run(tiny_run, output, method=METHOD, folds=list(FOLDS))
    stored = read_scores(tiny_run / "scores" / f"{NAME}.csv")
    mine = stored[stored["method"] == METHOD]
    means = mine.groupby(["head", "subset", "metric"])["value"].mean()
    with open_bundle(output) as bundle:
        assert set(bundle.contents.folds) == {"1", "2"}
        for row in bundle.contents.tested:
            assert row["folds"] == row["subjects"] == 2
            for own, head in (row, "logistic"), (row["centred"], "centred"):
                assert own["acc"] == pytest.approx(means[head, row["subset"], "acc"])
                assert own["auc"] == pytest.approx(means[head, row["subset"], "auc"])
        card = (bundle.root / "README.md").read_text("utf-8")
    assert "fold 1: 1 subject; fold 2: 1 subject" in card
    assert "by `--head centred`, which sees" in card
    assert "(`--folds all`) has no test score" in " ".join(card.split())


def test_the_same_model_gives_the_same_bytes(tiny_run, tmp_path):
    for name in ("a.zip", "b.zip"):
        export.run(tiny_run, tmp_path / name, method="handmade", licence="mit")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert "fold1/handmade.heads.npz" in archive.namelist()
        assert not [name for name in archive.namelist() if name.endswith(".safetensors")]
        assert b"license: mit" in archive.read("README.md")


def test_what_is_there_stays_and_an_altered_run_is_not_exported(tiny_run, tmp_path, bundle):
    before = file_digest(bundle / "bundle.json")
    with pytest.raises(PhysioError, match="is there already - remove it"):
        export.run(tiny_run, bundle, method=METHOD)
    assert file_digest(bundle / "bundle.json") == before
    with pytest.raises(PhysioError, match=r"no fold 7 of random - folds there: 1, 2"):
        export.run(tiny_run, tmp_path / "b", method=METHOD, folds=[7])
    (tmp_path / "run").mkdir()
    for part in ("folds", "models", "tables"):
        (tmp_path / "run" / part).symlink_to(tiny_run / part)
    copied = tmp_path / "run" / "scores" / NAME / "fold1"
    copied.mkdir(parents=True)
    for path in (tiny_run / "scores" / NAME / "fold1").glob(f"{METHOD}.*"):
        (copied / path.name).write_bytes(path.read_bytes())
    table = pd.read_parquet(copied / f"{METHOD}.parquet")
    table.assign(p0=1.0).to_parquet(copied / f"{METHOD}.parquet")
    with pytest.raises(PhysioError, match=f"{METHOD}.parquet: file was altered"):
        export.run(tmp_path / "run", tmp_path / "b", method=METHOD)
    assert {path.name for path in tmp_path.iterdir()} == {"run"}
