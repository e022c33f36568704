"""The ridge on a dense target: a closed form, and whose windows choose its strength."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from physiome.errors import DataError
from physiome.evaluation.ridge import STRENGTHS, fit_ridge
from physiome.steps import probe

RNG = np.random.default_rng(0)
SUBJECTS = np.repeat([f"s{i}" for i in range(6)], 20)


def test_it_solves_the_normal_equations_of_standardised_embeddings():
    x = RNG.normal(size=(120, 3)) * [1.0, 10.0, 0.1] + 5
    y = x @ [1.0, -0.2, 3.0] + RNG.normal(size=120) + 70
    head = fit_ridge(x.astype(np.float32), y, SUBJECTS, "here")
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    gram = z.T @ z + head.strength * np.eye(3)
    expected = z @ np.linalg.solve(gram, z.T @ (y - y.mean())) + y.mean()
    assert head.predict(x.astype(np.float32)) == pytest.approx(expected, abs=1e-3)


def test_a_linear_target_is_found_on_unseen_windows_and_a_constant_column_does_no_harm():
    x = RNG.normal(size=(240, 4))
    x[:, 3] = 7.0
    y = 80 + 12 * x[:, 0] - 3 * x[:, 2]
    head = fit_ridge(x[:120], y[:120], SUBJECTS, "here")
    left = y[120:] - head.predict(x[120:])
    assert 1 - (left**2).sum() / ((y[120:] - y[120:].mean()) ** 2).sum() > 0.999


def test_strength_is_that_of_the_smallest_error_on_subjects_left_out():
    """Features that tell subjects apart look better if windows are left out instead."""
    rng = np.random.default_rng(0)
    y = np.repeat(rng.normal(size=6), 20) + 0.1 * rng.normal(size=120)
    x = np.repeat(rng.normal(size=(6, 20)), 20, axis=0) + 0.1 * rng.normal(size=(120, 20))
    windows = np.arange(120).astype(str)  # as if each window were another person's
    chosen = {}
    for name, groups, split in (
        ("subjects", SUBJECTS, LeaveOneGroupOut()),
        ("windows", windows, GroupKFold(5)),
    ):
        chosen[name] = fit_ridge(x, y, groups, "here").strength
        errors = {}
        for strength in STRENGTHS:
            model = make_pipeline(StandardScaler(), Ridge(alpha=strength))
            said = cross_val_predict(model, x, y, groups=groups, cv=split)
            errors[strength] = ((y - said) ** 2).sum()
        assert chosen[name] == min(errors, key=errors.__getitem__)
    assert chosen["subjects"] > 1e3 * chosen["windows"]


def test_one_subject_cannot_choose_a_strength():
    with pytest.raises(DataError, match="two labelled subjects"):
        fit_ridge(np.ones((4, 2)), np.ones(4), np.array(["s"] * 4), "here")


def test_a_weight_is_that_many_copies_of_a_column_squared():
    x = RNG.normal(size=(120, 3)).astype(np.float32)
    y = x @ [0.2, 1.0, 0.0] + RNG.normal(size=120)
    copied = np.hstack([x, x[:, 2:], x[:, 2:], x[:, 2:]])
    weighted = fit_ridge(x, y, SUBJECTS, "here", [np.array([1.0, 1.0, 2.0])])
    plain = fit_ridge(copied, y, SUBJECTS, "here")
    assert weighted.strength == plain.strength
    np.testing.assert_allclose(weighted.predict(x), plain.predict(copied), atol=1e-8)


def test_among_weights_those_of_the_smallest_error_on_subjects_left_out_are_taken():
    """A target that is one column, beside fifty that tell subjects apart and nothing else."""
    rng = np.random.default_rng(1)
    level = np.repeat(rng.normal(size=6), 20) + rng.normal(size=120)
    x = np.hstack([np.repeat(rng.normal(size=(6, 50)), 20, axis=0), level[:, None]])
    x[:, :50] += 0.1 * rng.normal(size=(120, 50))
    y = level + 0.3 * rng.normal(size=120)
    heavy = np.array([1.0] * 50 + [100.0])
    light = fit_ridge(x, y, SUBJECTS, "here", [1.0])
    chosen = fit_ridge(x, y, SUBJECTS, "here", [1.0, heavy])
    alone = fit_ridge(x, y, SUBJECTS, "here", [heavy])
    assert chosen.strength == alone.strength
    np.testing.assert_array_equal(chosen.predict(x), alone.predict(x))
    other = np.hstack([rng.normal(size=(500, 50)), rng.normal(size=(500, 1))])

    def error(head):
        return np.square(other[:, 50] - head.predict(other)).mean()

    assert error(chosen) < 0.2 * error(light)
    same = fit_ridge(x, y, SUBJECTS, "here", [1.0, np.ones(51)])  # equally good: the first
    np.testing.assert_array_equal(same.predict(x), light.predict(x))


def dense(path, edit_windows, **has):
    """Probed embeddings with a dense target: their table, facts and the classes' probabilities.

    has: modality -> (windows table) -> which windows carry it.
    """

    def change(t):
        t = t.assign(**{f"has_{m}": t[f"has_{m}"] & which(t) for m, which in has.items()})
        return t.assign(target=70.0 + 5.0 * t["label"])

    edit_windows(path, change)
    output = path.parent / "dense.parquet"
    probe.run(json.dumps({"strengths": [0.1, 1.0], "paper_head": None}), path, output)
    return pd.read_parquet(output), json.loads(output.with_suffix(".json").read_text())


def test_a_subset_of_one_labelled_subject_has_no_ridge_and_the_others_have_theirs(
    embed, edit_windows
):
    path = embed(windows=240)
    whole, facts = dense(path, edit_windows)
    assert not any("ridge" in note for note in facts["notes"])
    has = {"c": lambda t: (t["role"] == "test") | (t["subject"] == "s00")}
    table, facts = dense(path, edit_windows, **has)
    assert set(table["subset"]) == {"a", "b", "a+b"}
    mine = whole[whole["subset"].isin(set(table["subset"])) & (whole["head"] == "logistic")]
    pd.testing.assert_frame_equal(table.reset_index(drop=True), mine.reset_index(drop=True))
    said = {note for note in facts["notes"] if "ridge" in note}
    why = "a ridge needs at least two labelled subjects: 1 found"
    assert said == {f"{subset}: {why}" for subset in ("c", "a+c", "b+c", "a+b+c")}


def test_where_the_classes_have_a_head_and_the_target_has_none_it_stays_unknown(
    embed, edit_windows
):
    """With one strength a head needs one labelled subject, and a ridge two."""
    path = embed(windows=240)
    edit_windows(path, lambda t: t.assign(target=1.0, has_c=t["has_c"] & (t["subject"] >= "s07")))
    output = path.parent / "dense.parquet"
    probe.run(json.dumps({"strengths": [1.0], "paper_head": None}), path, output)
    table = pd.read_parquet(output)
    lacking = table[table["subset"].isin(["c", "a+c", "b+c", "a+b+c"])]
    assert len(lacking) > 0
    assert lacking["predicted"].isna().all()
    assert (lacking["target"] == 1.0).all()
    assert table.drop(lacking.index)["predicted"].notna().all()


def test_a_subset_that_no_test_window_carries_has_no_rows(embed, edit_windows):
    path = embed(windows=240)
    table, facts = dense(path, edit_windows, c=lambda t: t["role"] == "train")
    assert set(table["subset"]) == {"a", "b", "a+b", "as_recorded"}
    scored = table[table["subset"] != "as_recorded"]
    assert scored["predicted"].notna().all()
    assert not any("ridge" in note for note in facts["notes"])
