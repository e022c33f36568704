"""Fault 21: A class missing in a fold, fewer subjects than folds.

Too few subjects, or a class missing in train or test: an error that names fold, role, class and
counts, and no folds file; with `folds.allow_missing_classes` no score (NaN) and a reason in the
cell.
"""

import pandas as pd
import pytest
from nights import CLASSES, STAGES, sleep, to_folds, to_shard, write_nights
from small import settings_of
from tiny import NAMES
from tinyshards import tiny_store

from physiome.errors import DataError
from physiome.files import canonical_json, read_json, sums, write_json
from physiome.reporting.scores import read_scores
from physiome.steps import embed, probe, scores

NIGHTS = 6


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    return write_nights(tmp_path_factory.mktemp("raw"), NIGHTS)


def labels(texts):
    return {"rule": "annotations", "texts": texts, "unscored": ["Sleep stage ?", "Movement time"]}


def test_fault_21_fewer_subjects_than_folds_need_are_refused_with_both_numbers(raw, tmp_path):
    dataset = sleep(raw)
    to_shard(dataset, raw, tmp_path)
    with pytest.raises(DataError, match=r"6 subjects with labels are too few for 7 folds - .*add"):
        to_folds(dataset, tmp_path, count=7)
    assert not (tmp_path / "folds.json").exists()
    assert (pd.read_csv(tmp_path / "records_used.csv")["status"] == "used").all()


def test_fault_21_a_class_missing_in_train_is_refused_with_the_counts_of_all(raw, tmp_path):
    texts = {f"Sleep stage {text}": name for text, name in STAGES.items()}
    dataset = sleep(
        raw, classes=[*CLASSES, "coma"], labels=labels({**texts, "Sleep stage 5": "coma"})
    )
    to_shard(dataset, raw, tmp_path)
    said = r"fold 1, labelled: no subjects with class 'coma' \(0 in all\).*allow_missing_classes"
    with pytest.raises(DataError, match=said):
        to_folds(dataset, tmp_path, train_share=0.9)
    assert not (tmp_path / "folds.json").exists()


def test_fault_21_a_class_missing_in_test_has_no_score_and_a_note(tmp_path):
    tiny_store(tmp_path, windows=20)
    for name in ("shard0", "shard1"):  # all windows of the tested subject become class 0
        path = tmp_path / name / "windows.parquet"
        table = pd.read_parquet(path)
        table.loc[table["subject"] == "s4", "label"] = 0
        table.to_parquet(path, index=False)
        manifest = read_json(path.with_name("manifest.json"))
        write_json(path.with_name("manifest.json"), manifest | {"sha256": sums(path)})
    fold = {"pretrain": ["s0"], "train": ["s1", "s2", "s3"], "test": ["s4"]}
    write_json(tmp_path / "folds.json", {"folds": [{"fold": 1, **fold}]})
    plain = settings_of("handmade") | {"dataset": "d", "name": "handmade", "base": "handmade"}
    del plain["encoder"]
    shards = [tmp_path / "shard0", tmp_path / "shard1"]
    embed.run(
        canonical_json({**plain, "batch": 4, "subsets": ["+".join(NAMES)]}),
        shards,
        tmp_path / "folds.json",
        1,
        tmp_path / "x.npy",
    )
    quick = {"strengths": [0.1], "paper_head": None, "one_head": False}
    probe.run(canonical_json(quick), tmp_path / "x.npy", tmp_path / "probe.parquet")
    notes = read_json(tmp_path / "probe.json")["notes"]
    assert "class fast absent in test; its scores are undefined" in notes
    scores.run([tmp_path / "probe.parquet"], tmp_path / "scores.csv", tmp_path / "subjects.csv")
    found = read_scores(tmp_path / "scores.csv").set_index("metric")["value"]
    assert found[["auc", "f1_fast", "recall_fast", "auc_fast"]].isna().all()
    assert 0 <= found["acc"] <= 1
