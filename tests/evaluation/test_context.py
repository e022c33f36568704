"""The head `context` sees a window beside the mean of its neighbours."""

import json

import numpy as np
import pandas as pd
import pytest

from physiome.config.evaluation import ProbeSpec
from physiome.evaluation.centred import less_own_mean
from physiome.evaluation.context import of_recording, with_neighbours
from physiome.evaluation.embeddings import open_embeddings
from physiome.evaluation.heads_file import load_facts, load_heads
from physiome.evaluation.probe import fit_heads, predict
from physiome.steps.probe import run
from tests.evaluation.test_probe import accuracy

SPEC = ProbeSpec(
    strengths=(1e-2, 1.0), paper_head=None, one_head=False, centred="record", context_s=60.0
)


def by_hand(x, records, onset_s, reach_s):
    rows = []
    for i in range(len(x)):
        near = (records == records[i]) & (np.abs(onset_s - onset_s[i]) <= reach_s)
        near[i] = False
        rows.append(np.append(x[i], x[near].mean(axis=0) if near.any() else x[i]))
    return np.array(rows)


@pytest.mark.parametrize("reach_s", [10.0, 30.0, 90.0, 1e6])
def test_neighbours_are_those_of_the_recording_within_reach(reach_s):
    rng = np.random.default_rng(0)
    records = rng.permutation(np.repeat(["a", "b", "lone"], [30, 12, 1]))
    onset_s = 30.0 * rng.permutation(len(records))  # with gaps, in no order
    x = rng.normal(size=(len(records), 3)).astype(np.float32)
    found = with_neighbours(x, records, onset_s, reach_s)
    np.testing.assert_allclose(found, by_hand(x, records, onset_s, reach_s), atol=1e-5)


def test_of_one_recording_it_is_what_the_evaluation_sees():
    rng = np.random.default_rng(0)
    x, onset_s = rng.normal(size=(9, 4)).astype(np.float32), 30.0 * np.arange(9)
    one = np.zeros(9, int)
    less = less_own_mean(x, one)
    assert of_recording("logistic", None) is None
    np.testing.assert_array_equal(of_recording("centred", None)(x, onset_s), less)
    found = of_recording("context", 60.0)(x, onset_s)
    np.testing.assert_array_equal(found, with_neighbours(less, one, onset_s, 60.0))


def lasting(path, of=20):
    """The windows of each record in stretches of one class: as states last."""
    table = pd.read_parquet(path.with_suffix(".parquet"))
    stretch = table.groupby(["record", "label"]).cumcount() // of
    order = np.lexsort((table["label"], stretch, table["record"]))
    places = table.iloc[order].groupby("record", sort=False).cumcount()
    table.loc[table.index[order], "number"] = places.to_numpy()
    table["onset_s"] = 30.0 * table["number"]
    table.to_parquet(path.with_suffix(".parquet"), index=False)
    return path


@pytest.mark.slow
def test_where_states_last_neighbours_tell_of_them(embed):
    opened = open_embeddings(lasting(embed(windows=1200, separation=0.8)))
    acc = accuracy(predict(opened, fit_heads(opened, SPEC), SPEC))
    for subset in ("a", "a+b+c"):
        assert acc[subset, "context"] > acc[subset, "centred"] + 0.05


@pytest.mark.parametrize("whose", ["record", "subject"])
def test_test_windows_are_centred_on_record_or_subject_and_then_seen_beside_their_neighbours(
    embed, edit_windows, whose
):
    path = embed(windows=240)
    edit_windows(path, lambda t: t.assign(record=t["record"] + np.where(t["number"] % 2, "x", "y")))
    opened = open_embeddings(path)
    spec = SPEC.model_copy(update={"strengths": (1.0,), "centred": whose})
    fitted = fit_heads(opened, spec)
    found = predict(opened, fitted, spec).query("subset == 'a+b'").set_index("head")
    windows = opened.carrying(("a", "b"), "test")
    less = less_own_mean(opened.values(("a", "b"), windows), windows[whose].to_numpy(str))
    records, onset_s = windows["record"].to_numpy(str), windows["onset_s"].to_numpy()
    seen = {"centred": less, "context": with_neighbours(less, records, onset_s, 60.0)}
    (heads,) = (f.heads for f in fitted if f.subset == ("a", "b"))
    for kind, x in seen.items():
        p = found.loc[kind, ["p0", "p1", "p2"]].to_numpy()
        np.testing.assert_array_equal(heads[kind].probabilities(x), p.astype(np.float32))


@pytest.mark.slow
def test_its_heads_lie_beside_the_others_and_say_how_far_they_see(embed):
    path = embed(windows=600)
    output = path.parent / "probe.parquet"
    run(json.dumps(SPEC.plain()), path, output)
    heads = output.with_suffix(".heads.npz")
    own, beside = load_heads(heads, "centred"), load_heads(heads, "context")
    assert list(own) == list(beside) == list(load_heads(heads))
    assert all(len(beside[s].mean) == 2 * len(own[s].mean) for s in own)
    assert load_facts(heads)["context_s"] == 60.0
    run(json.dumps(SPEC.plain() | {"centred": None}), path, output)  # it is of centred embeddings
    assert set(pd.read_parquet(output)["head"]) == {"logistic"}
    assert load_heads(heads, "context") == {}
