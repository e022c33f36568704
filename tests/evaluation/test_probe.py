import json

import numpy as np
import pandas as pd
import pytest

from physiome.config.evaluation import PaperHead, ProbeSpec
from physiome.errors import DataError
from physiome.evaluation.embeddings import open_embeddings
from physiome.evaluation.heads_file import load_heads
from physiome.evaluation.probe import fit_heads, predict, with_one_head
from physiome.files import read_json
from physiome.reporting.scores import read_scores
from physiome.steps import scores, table
from physiome.steps.probe import run

pytestmark = pytest.mark.slow

QUICK = ProbeSpec(
    strengths=(1e-3, 1e-1, 10.0), paper_head=PaperHead(epochs=2, hidden=8, learning_rate=0.01)
)
SETTINGS = json.dumps(QUICK.plain())
KEYS = ["record", "number", "subset", "head"]


def probed(path, settings=SETTINGS, output="probe.parquet", workers=1):
    output = path.parent / output
    run(settings, path, output, workers)
    return pd.read_parquet(output), read_json(output.with_suffix(".json"))


def accuracy(table):
    p = [name for name in table if name[0] == "p" and name[1:].isdigit()]
    right = table[p].to_numpy().argmax(axis=1) == table["label"]
    return right.groupby([table["subset"], table["head"]]).mean()


def test_separable_classes_are_found_and_more_modalities_help(embed):
    table, facts = probed(embed(windows=1200))
    acc = accuracy(table)
    assert acc["a+b+c", "logistic"] > 0.95
    assert acc["a+b+c", "logistic"] > acc["a+b", "logistic"] > acc["a", "logistic"]
    assert set(table["head"]) == {"logistic", "paper", "one_head"}
    assert len(table) == 400 * 7 * 3
    assert facts["subsets"]["a"] | {"choices": 0} == {
        "train": 800,
        "test": 400,
        "width": 6,
        "choices": 0,
    }
    assert sum(facts["class_counts"]["test"].values()) == 400


def test_labels_without_structure_are_not_predicted(embed):
    table, _ = probed(embed(windows=1200, separation=0.0))
    assert accuracy(table).max() < 0.45


def test_test_labels_change_neither_choices_nor_probabilities(embed, edit_windows):
    path = embed()
    before, told = probed(path)
    edit_windows(
        path, lambda t: t.assign(label=t["label"].where(t["role"] != "test", (t["label"] + 1) % 3))
    )
    after, told_after = probed(path)
    assert not before["label"].equals(after["label"])
    pd.testing.assert_frame_equal(before.drop(columns="label"), after.drop(columns="label"))
    assert told["subsets"] == told_after["subsets"]


def test_fitting_never_reads_a_test_label(embed, edit_windows):
    path = embed()
    edit_windows(path, lambda t: t.assign(label=t["label"].where(t["role"] != "test", -1)))
    opened = open_embeddings(path)
    fitted = fit_heads(opened, QUICK)
    with pytest.raises(DataError, match="label -1"):
        predict(opened, fitted, QUICK)


def test_order_of_rows_on_disk_changes_nothing(embed):
    stored, told = probed(embed(incomplete=True))
    shuffled, told_too = probed(embed(incomplete=True, order="shuffled", name="shuffled"))
    pd.testing.assert_frame_equal(stored, shuffled, atol=1e-6)
    assert told["subsets"] == told_too["subsets"]


def test_workers_change_nothing(embed):
    path = embed(windows=240)
    one, _ = probed(path)
    two, _ = probed(path, output="two.parquet", workers=2)
    pd.testing.assert_frame_equal(one, two)


def test_every_window_is_predicted_under_the_subsets_it_carries_and_no_others(embed):
    path = embed(incomplete=True)
    table, _ = probed(path)
    windows = pd.read_parquet(path.with_suffix(".parquet")).query("role == 'test'")
    for subset in ("a", "a+c", "a+b+c"):
        carried = windows[[f"has_{m}" for m in subset.split("+")]].all(axis=1)
        mine = table[(table["subset"] == subset) & (table["head"] == "logistic")]
        assert set(zip(mine["record"], mine["number"], strict=True)) == set(
            zip(windows[carried]["record"], windows[carried]["number"], strict=True)
        )
    complete = windows.set_index(["record", "number"])[["has_a", "has_b", "has_c"]].all(axis=1)
    told = table.set_index(["record", "number"])["complete"]
    assert (told == complete.reindex(told.index)).all()


def test_as_recorded_scores_each_window_once_with_what_it_has(embed):
    path = embed(incomplete=True)
    table, _ = probed(path)
    windows = pd.read_parquet(path.with_suffix(".parquet")).query("role == 'test'")
    recorded = table[(table["subset"] == "as_recorded") & (table["head"] == "paper")]
    assert len(recorded) == len(windows)
    has = windows.set_index(["record", "number"])[["has_a", "has_b", "has_c"]]
    by_subset = table[table["head"] == "paper"].set_index(["subset", "record", "number"])
    for row in recorded.head(40).itertuples():
        own = "+".join(m for m in "abc" if has.loc[(row.record, row.number), f"has_{m}"])
        assert row.carried == own
        assert by_subset.loc[(own, row.record, row.number), "p0"] == row.p0


def test_complete_test_windows_need_no_as_recorded_rows(embed):
    table, _ = probed(embed())
    assert "as_recorded" not in set(table["subset"])
    assert table["complete"].all()


def test_one_head_is_the_head_of_the_full_set(embed):
    path = embed()
    opened = open_embeddings(path)
    fitted = fit_heads(opened, QUICK)
    table = predict(opened, with_one_head(fitted, opened), QUICK)
    full = table[table["subset"] == "a+b+c"].set_index(["head", "record", "number"])["p0"]
    assert (full["one_head"] == full["logistic"]).all()
    single = table[(table["subset"] == "a") & (table["head"] == "one_head")]
    windows = opened.carrying(["a"], "test")
    expected = fitted[0].heads["logistic"].probabilities(opened.values(("a",), windows))
    np.testing.assert_array_equal(single[["p0", "p1", "p2"]], expected)


@pytest.mark.parametrize(("comparable", "one_head"), [(False, True), (True, False)])
def test_one_head_is_left_out_where_it_means_nothing_or_is_unwanted(embed, comparable, one_head):
    settings = QUICK.plain() | {"one_head": one_head, "paper_head": None}
    table, _ = probed(embed(comparable=comparable, windows=240), json.dumps(settings))
    assert set(table["head"]) == {"logistic"}


def test_constant_embedding_predicts_the_majority_class(embed, recwarn):
    path = embed(constant=True, width=1)
    table, facts = probed(path)
    logistic = table[table["head"] == "logistic"]
    assert logistic[["p0", "p1", "p2"]].drop_duplicates().shape[0] == 1
    counts = facts["class_counts"]
    shares = [counts["train"][k] for k in ("k0", "k1", "k2")]
    np.testing.assert_allclose(
        logistic[["p0", "p1", "p2"]].iloc[0], np.array(shares) / sum(shares), atol=2e-3
    )
    assert facts["notes"] == []
    assert not recwarn.list


def test_saved_heads_repeat_the_predictions(embed):
    path = embed(windows=240)
    table, _ = probed(path)
    heads = load_heads(path.parent / "probe.heads.npz")
    opened = open_embeddings(path)
    x = opened.values(("b", "c"), opened.carrying(["b", "c"], "test"))
    mine = table[(table["subset"] == "b+c") & (table["head"] == "logistic")]
    np.testing.assert_array_equal(heads["b+c"].probabilities(x), mine[["p0", "p1", "p2"]])


def test_absent_classes_are_noted(embed, edit_windows, caplog):
    path = embed(windows=240)

    def only_in_train(t):
        return t.assign(label=t["label"].where((t["role"] != "test") | (t["label"] != 2), 1))

    edit_windows(path, only_in_train)
    _, facts = probed(path)
    assert "class k2 absent in test; its scores are undefined" in facts["notes"]
    assert "class k2 absent" in caplog.text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.assign(label=-1), "label -1"),
        (lambda t: t.assign(label=3), "label 3"),
        (lambda t: t.assign(role=t["role"].replace("test", "tests")), "unknown role"),
        (lambda t: t.assign(role=t["role"].replace("test", "train")), "no test windows"),
        (lambda t: t.assign(number=0), "twice"),
        (lambda t: t.iloc[1:], "do not fit"),
        (
            lambda t: t.assign(subject=t["subject"].replace("s11", "s00")),
            "s00 is in test and train",
        ),
        (lambda t: t.assign(role=t["role"].replace("train", "valid")), "unknown role"),
    ],
)
def test_unusable_windows_are_refused_and_nothing_is_written(embed, edit_windows, change, message):
    path = embed(windows=240)
    edit_windows(path, change)
    with pytest.raises(DataError, match=message):
        run(SETTINGS, path, path.parent / "probe.parquet")
    assert not list(path.parent.glob("*probe*"))


ONE_CLASS = "a head needs at least two classes to learn from; labelled windows: k0 0, k1 160, k2 0"


def test_labelled_windows_of_one_class_predict_nothing_and_say_why(embed, edit_windows):
    path = embed(windows=240)
    edit_windows(path, lambda t: t.assign(label=t["label"].where(t["role"] == "test", 1)))
    table, facts = probed(path)
    assert len(table) == 0
    assert load_heads(path.parent / "probe.heads.npz") == {}
    assert f"a+b: {ONE_CLASS}" in facts["notes"]
    cells = pd.DataFrame(facts["empty"])
    assert len(cells) == len(cells.drop_duplicates(["subset", "head"])) == 7 * 3
    assert set(cells["reason"]) == {ONE_CLASS}
    assert not any("carry no used modality" in note for note in facts["notes"])


def test_a_subset_that_only_one_subject_carries_is_empty_and_others_are_not(embed, edit_windows):
    path = embed(windows=240)

    def only_the_first_has_c(t):
        return t.assign(has_c=t["has_c"] & ((t["role"] == "test") | (t["subject"] == "s00")))

    edit_windows(path, only_the_first_has_c)
    table, facts = probed(path)
    logistic = table[table["head"] == "logistic"]
    assert set(logistic["subset"]) == {"a", "b", "a+b"}
    told = {(c["subset"], c["head"]): c["reason"] for c in facts["empty"]}
    assert {s for s, head in told if head == "paper"} == {"c", "a+c", "b+c", "a+b+c"}
    assert told["a", "one_head"].startswith("no head of the full set: one labelled subject")
    assert all("one labelled subject only" in c["reason"] for c in facts["empty"])


def test_as_recorded_is_empty_where_a_window_carries_what_no_head_was_fitted_for(
    embed, edit_windows
):
    path = embed(windows=240, incomplete=True)

    def only_one_class_has_c(t):
        return t.assign(has_c=t["has_c"] & ((t["role"] == "test") | (t["label"] == 0)))

    edit_windows(path, only_one_class_has_c)
    table, facts = probed(path)
    assert not ((table["subset"] == "as_recorded") & (table["head"] == "logistic")).any()
    (told,) = [
        c["reason"]
        for c in facts["empty"]
        if (c["subset"], c["head"]) == ("as_recorded", "logistic")
    ]
    assert "a+c: a head needs" in told


def test_scores_and_tables_show_the_empty_cells_of_a_fold_with_the_reason(
    embed, edit_windows, tmp_path
):
    probes = []
    for fold in (1, 2):
        path = embed(windows=240, name=f"fold{fold}", fold=fold)
        if fold == 2:
            edit_windows(path, lambda t: t.assign(label=t["label"].where(t["role"] == "test", 1)))
        probed(path, output=f"probe{fold}.parquet")
        probes.append(tmp_path / f"probe{fold}.parquet")
    spec = {
        "dataset": "toy",
        "title": "Toy",
        "modalities": {m: m.upper() for m in "abc"},
        "methods": {"m": {"title": "M", "scope": "single"}},
    }
    for some, shown in ((probes, f"1 of 2 folds: fold 2: {ONE_CLASS}"), (probes[1:], ONE_CLASS)):
        scores.run(some, tmp_path / "s.csv", tmp_path / "b.csv")
        table.run(json.dumps(spec), tmp_path / "s.csv", tmp_path / "t.csv", tmp_path / "t.tex")
        cells = pd.read_csv(tmp_path / "t.csv").query("head == 'logistic'").set_index("subset")
        assert f"M: {shown}" in cells.loc["a+b", "note"]
    found = read_scores(tmp_path / "s.csv")
    assert set(found["head"]) == {"logistic", "paper", "one_head"}
    assert found["value"].isna().all()
    assert (found["windows"] == 0).all()


def test_an_area_under_the_curve_without_positives_says_so_in_the_table(
    embed, edit_windows, tmp_path
):
    path = embed(windows=240, classes=2)
    edit_windows(path, lambda t: t.assign(label=t["label"].where(t["role"] != "test", 0)))
    probed(path)
    scores.run([tmp_path / "probe.parquet"], tmp_path / "s.csv", tmp_path / "b.csv")
    spec = {
        "dataset": "toy",
        "title": "Toy",
        "modalities": {m: m.upper() for m in "abc"},
        "methods": {"m": {"title": "M", "scope": "single"}},
    }
    table.run(json.dumps(spec), tmp_path / "s.csv", tmp_path / "t.csv", tmp_path / "t.tex")
    notes = pd.read_csv(tmp_path / "t.csv").query("head == 'logistic'")["note"]
    assert notes.iloc[0] == "M AUC, AUPRC: no test window of k1"


def test_embedding_that_is_not_finite_is_refused_with_the_window(embed):
    path = embed(windows=240)
    values = np.load(path)
    values[3, 0] = np.inf
    np.save(path, values)
    with pytest.raises(DataError, match=r"1 of 160 embeddings of a\+b\+c .* record r00 window 3"):
        run(SETTINGS, path, path.parent / "probe.parquet")


def test_levels_weigh_as_much_together_as_all_other_columns(embed):
    opened = open_embeddings(embed(level_columns=2))
    for subset in opened.subsets:
        weights = opened.weights(subset)
        assert np.square(weights[-2:]).sum() == pytest.approx(np.square(weights[:-2]).sum())
        assert (weights[:-2] == 1).all()
        np.testing.assert_allclose(opened.weights(subset, 4.0)[-2:], 4 * weights[-2:])
    assert (open_embeddings(embed(name="plain")).weights(("a",)) == 1).all()
