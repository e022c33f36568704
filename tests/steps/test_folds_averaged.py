"""The models of several folds together: the mean of their probabilities."""

import shutil

import numpy as np
import pandas as pd
import pytest
from tiny_run import METHOD
from trained_nights import CLASSES

from physiome.errors import DataError, PhysioError
from physiome.evaluation.heads_file import load_facts, load_heads, save_heads
from physiome.files import file_digest, read_json
from physiome.predict import asked
from physiome.predict.api import load
from physiome.predict.members import Pair, joint, open_pairs

pytestmark = pytest.mark.slow  # it takes a run of two folds

P = [f"p_{name}" for name in CLASSES]


def predicted(tiny_run, recording, output, **which):
    model = asked.ModelFiles(run=tiny_run, method=METHOD, **which)
    asked.run([recording], model, output, None, [], None, "cpu")
    return pd.read_csv(output), read_json(output.with_suffix(".json"))


def test_probabilities_are_averaged_and_the_class_is_the_largest(
    tiny_run, nights, tmp_path, capsys
):
    still = nights.altered("averaged.edf", flat={"EOG horizontal": slice(0, 9000)})
    each = [predicted(tiny_run, still, tmp_path / f"{n}.csv", fold=n)[0] for n in (1, 2)]
    assert "warning: mean" not in capsys.readouterr().out
    table, facts = predicted(tiny_run, still, tmp_path / "all.csv", folds="all")
    mean = (each[0][P].to_numpy() + each[1][P].to_numpy()) / 2
    np.testing.assert_allclose(table[P].to_numpy(), mean, atol=1e-6)
    assert np.abs(each[0][P].to_numpy() - mean).max() > 0.01  # they are two models
    assert table["class"].tolist() == np.array(CLASSES)[mean.argmax(axis=1)].tolist()
    assert table["subset"].tolist() == each[0]["subset"].tolist()
    said = capsys.readouterr().out
    assert "scored by random (nights, mean of folds 1, 2)" in said
    assert "warning: mean of several folds' models: of recordings of nights itself" in said
    assert facts["folds"] == [1, 2]
    weights = tiny_run / "models" / "nights" / "fold2" / f"{METHOD}.safetensors"
    assert facts["models"][1]["fold"] == 2
    assert facts["models"][1]["weights"]["sha256"] == file_digest(weights)


def test_a_list_of_one_fold_is_that_fold(tiny_run, nights, tmp_path):
    one, _ = predicted(tiny_run, nights.recording, tmp_path / "1.csv", fold=2)
    two, facts = predicted(tiny_run, nights.recording, tmp_path / "2.csv", folds="2")
    pd.testing.assert_frame_equal(one, two)
    assert facts["fold"] == 2


@pytest.mark.parametrize(
    ("which", "said"),
    [
        ({"fold": 1, "folds": "all"}, "--fold and --folds exclude each other"),
        ({"folds": "1;2"}, "not folds - give all, or numbers such as 1,3"),
        ({"folds": "1,5"}, "no fold 5 of random - folds there: 1, 2"),
    ],
)
def test_folds_that_cannot_be_are_refused(tiny_run, nights, tmp_path, which, said):
    with pytest.raises(PhysioError, match=said):
        predicted(tiny_run, nights.recording, tmp_path / "o.csv", **which)
    assert list(tmp_path.iterdir()) == []


def test_python_averages_too_and_embeds_with_one_fold_only(tiny_run, nights):
    both = load(tiny_run, method=METHOD, folds="all")
    signals = both.read(nights.recording)
    each = [load(tiny_run, method=METHOD, fold=n).predict_proba(signals) for n in (1, 2)]
    np.testing.assert_allclose(both.predict_proba(signals), np.mean(each, axis=0), atol=1e-6)
    assert both.folds == (1, 2)
    with pytest.raises(DataError, match="nothing in common - load one fold"):
        both.embed(signals)


def test_only_heads_that_every_fold_has_are_used(tiny_run, tmp_path):
    """Else a window would be scored from other signals by one model than by another."""
    paths = [tiny_run / "scores" / "nights" / f"fold{n}" / f"{METHOD}.heads.npz" for n in (1, 2)]
    heads = load_heads(paths[1])
    lacking = tmp_path / "lacking.heads.npz"
    save_heads(lacking, {n: h for n, h in heads.items() if n != "fpz+pz"}, load_facts(paths[1]))
    found = joint(open_pairs([Pair(paths[0]), Pair(lacking)]))
    assert set(heads) - set(found.heads) == {"fpz+pz"}
    assert found.folds == [1, 2]


def test_what_is_usual_together_is_the_widest_range_about_the_mean_of_the_middles(
    tiny_run, tmp_path
):
    pairs = []
    for fold, spread in ((1, [1.0, 2.0, 9.0]), (2, [0.5, 4.0, 8.0])):
        path = tiny_run / "scores" / "nights" / f"fold{fold}" / f"{METHOD}.heads.npz"
        pairs.append(Pair(tmp_path / f"{fold}.heads.npz"))
        facts = load_facts(path) | {"spreads": {"eog": spread}}
        save_heads(pairs[-1].heads, load_heads(path), facts)
    assert joint(open_pairs(pairs)).spreads == {"eog": [0.5, 3.0, 9.0]}


def test_models_of_other_recordings_are_not_averaged(tiny_run, tmp_path):
    path = tiny_run / "scores" / "nights" / "fold1" / f"{METHOD}.heads.npz"
    facts = load_facts(path)
    facts["settings"] = facts["settings"] | {"dataset": "others"}
    save_heads(tmp_path / "o.heads.npz", load_heads(path), facts)
    with pytest.raises(DataError, match="do not belong together - other dataset than"):
        open_pairs([Pair(path), Pair(tmp_path / "o.heads.npz")])


def test_all_folds_of_a_run_that_has_one_are_said_to_be_one(tiny_run, nights, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    shutil.rmtree(run / "scores" / "nights" / "fold2")
    predicted(run, nights.recording, tmp_path / "all.csv", folds="all")
    assert "note: only fold 1 is there" in capsys.readouterr().out
