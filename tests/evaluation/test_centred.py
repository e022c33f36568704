import json

import numpy as np
import pandas as pd
import pytest

from physiome.config.evaluation import ProbeSpec
from physiome.evaluation.centred import less_own_mean
from physiome.evaluation.embeddings import open_embeddings
from physiome.evaluation.heads_file import load_heads
from physiome.evaluation.probe import fit_heads, notes, predict
from physiome.steps.probe import run
from tests.evaluation.test_probe import accuracy

SPEC = ProbeSpec(strengths=(1e-2, 1.0), paper_head=None, one_head=False, centred="record")


def test_what_is_always_so_of_a_recording_is_gone():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4)).astype(np.float32)
    whose = np.repeat(["b", "a", "c"], 20)[rng.permutation(60)]
    found = less_own_mean(x, whose)
    for name in "abc":
        mine = whose == name
        np.testing.assert_allclose(found[mine], x[mine] - x[mine].mean(axis=0), atol=1e-6)
    shift = {name: rng.normal(scale=100.0, size=4) for name in "abc"}
    moved = x + np.stack([shift[name] for name in whose])
    np.testing.assert_allclose(less_own_mean(moved, whose), found, atol=1e-4)
    assert not less_own_mean(x[:1], whose[:1]).any()  # nothing is left of a window alone
    x[whose == "b", 0] = np.nan
    assert (np.isnan(less_own_mean(x, whose)) == np.isnan(x)).all()  # and no zero made of nothing


def moved(path, by):
    """The embeddings with a constant of its own added to all windows of each record."""
    windows = pd.read_parquet(path.with_suffix(".parquet"))
    rows = np.lib.format.open_memmap(path, "r+")
    for index, (_, part) in enumerate(windows.groupby("record", sort=False)):
        places = part.index.to_numpy()
        rows[places] += np.random.default_rng(index).normal(scale=by, size=rows.shape[1])
    rows.flush()
    return path


@pytest.mark.slow
def test_people_who_differ_more_than_their_states_are_scored_by_the_centred_head(embed):
    opened = open_embeddings(moved(embed(windows=1200), by=30.0))
    acc = accuracy(predict(opened, fit_heads(opened, SPEC), SPEC))
    assert acc["a+b+c", "centred"] > 0.9
    assert acc["a+b+c", "centred"] > acc["a+b+c", "logistic"] + 0.1


@pytest.mark.slow
def test_test_windows_are_seen_against_their_own_recording_alone(embed):
    opened = open_embeddings(embed(windows=600))
    fitted = fit_heads(opened, SPEC)
    table = predict(opened, fitted, SPEC)
    mine = table[(table["head"] == "centred") & (table["subset"] == "a+b")]
    one = mine["record"].iloc[0]
    windows = opened.carrying(("a", "b"), "test")
    x = opened.values(("a", "b"), windows[windows["record"] == one])
    head = next(f.heads["centred"] for f in fitted if f.subset == ("a", "b"))
    p = mine.loc[mine["record"] == one, ["p0", "p1", "p2"]].to_numpy()
    np.testing.assert_allclose(head.probabilities(x - x.mean(axis=0)), p, atol=1e-5)


@pytest.mark.slow
def test_both_kinds_of_heads_are_kept_apart_in_one_file(embed):
    path = embed(windows=600)
    output = path.parent / "probe.parquet"
    run(json.dumps(SPEC.plain()), path, output)
    heads = output.with_suffix(".heads.npz")
    plain, centred = (load_heads(heads, kind) for kind in ("logistic", "centred"))
    assert list(plain) == list(centred) == ["a+b+c", "a", "b", "c", "a+b", "a+c", "b+c"]
    assert not any(np.array_equal(plain[s].weight, centred[s].weight) for s in plain)
    found = pd.read_parquet(output)
    assert set(found["head"]) == {"logistic", "centred"}
    run(json.dumps(SPEC.plain() | {"centred": None}), path, output)
    assert load_heads(heads, "centred") == {}
    assert pd.read_parquet(output).equals(found[found["head"] == "logistic"].reset_index(drop=True))


@pytest.mark.slow
@pytest.mark.parametrize(("whose", "told"), [("record", True), ("subject", False)])
def test_records_of_one_class_throughout_are_told_of(embed, edit_windows, whose, told):
    """As rest and a task in two recordings: their means take the classes away."""
    path = embed(windows=600)
    edit_windows(
        path,
        lambda t: t.assign(
            record=t["subject"] + "-" + t["label"].astype(str), number=range(len(t))
        ),
    )
    opened = open_embeddings(path)
    spec = SPEC.model_copy(update={"centred": whose})
    said = [note for note in notes(opened, fit_heads(opened, spec), spec) if "one class" in note]
    assert bool(said) == told
