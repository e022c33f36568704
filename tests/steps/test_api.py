"""A model from Python gives what `physiome predict` and the embed step give."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from trained_nights import CLASSES, DATASET

from physiome.errors import DataError, PhysioError
from physiome.evaluation.embeddings import open_embeddings
from physiome.evaluation.heads_file import load_facts, load_heads, save_heads
from physiome.predict import api, score
from physiome.predict.api import LoadedModel, load
from physiome.predict.asked import ModelFiles
from physiome.predict.asked import run as run_asked
from physiome.predict.locate import choose
from physiome.predict.members import Pair, joint, load_members, open_pairs
from physiome.predict.sklearn import PhysioEmbedding
from physiome.steps import probe


@pytest.fixture(scope="module")
def model(nights, tmp_path_factory):
    """PhysioME with untrained weights, by its run."""
    found, run = nights.model("random"), tmp_path_factory.mktemp("run")
    for folder, key, name in (("scores", "heads", "random.heads.npz"),
                              ("models", "weights", "random.safetensors")):  # fmt: skip
        place = run / folder / "nights" / "fold1"
        place.mkdir(parents=True)
        shutil.copy(found[key], place / name)
    return load(run, method="random")


def test_it_knows_what_it_wants(model):
    assert model.classes == tuple(CLASSES)
    assert model.units == dict.fromkeys(DATASET["modalities"], "uV")
    assert (model.rate_hz, model.samples) == (100.0, 3000)
    assert repr(model) == "<LoadedModel: random (nights, fold 1); modalities fpz, pz, eog>"


def test_a_recording_is_predicted_as_on_the_command_line(model, nights, tmp_path):
    still = {"EOG horizontal": slice(5 * 3000, 9 * 3000), "EEG Pz-Oz": slice(8 * 3000, 9 * 3000)}
    night = nights.altered("api.edf", flat=still)
    files = nights.model("random")
    score.run(night, files["heads"], tmp_path / "o.csv", files["weights"], device="cpu")
    table = pd.read_csv(tmp_path / "o.csv")
    p = model.predict_proba(model.read(night))
    np.testing.assert_allclose(p, table[[f"p_{c}" for c in CLASSES]], atol=1e-6)


@pytest.fixture(scope="module", params=["centred", "context"])
def whole(nights, request):
    """The same model by the heads that see the whole recording."""
    pair = Pair(nights.model("random")["heads"], nights.model("random")["weights"])
    trained = open_pairs([pair], request.param)
    return LoadedModel(joint(trained), load_members([pair], trained, "cpu"))


def test_by_heads_of_whole_recordings_windows_are_scored_as_the_run_scores_them(whole, nights):
    known = pd.read_parquet(nights.model("random")["scores"])
    mine = (known["head"] == whole._trained.head) & (known["subset"] == "fpz+eog")
    known = known[mine].set_index("number")
    signals = whole.read(nights.recording)
    assert known.index.is_monotonic_increasing
    assert len(known) == known.index.max() - known.index.min() + 1  # one after the other, for both
    labelled = {m: signals[m][known.index] for m in ("fpz", "eog")}  # the run has seen no others
    p = whole.predict_proba(labelled)
    np.testing.assert_allclose(p, known[[f"p{c}" for c in range(5)]], atol=1e-4)


def test_a_window_that_lacks_a_modality_is_seen_against_all_that_have_the_others(whole, nights):
    signals = whole.read(nights.recording)
    lacking = {m: x.copy() for m, x in signals.items()}
    lacking["eog"][3:5] = np.nan
    two = whole.predict_proba({m: signals[m] for m in ("fpz", "pz")})
    np.testing.assert_allclose(whole.predict_proba(lacking)[3:5], two[3:5], atol=1e-4)


def test_the_command_line_takes_heads_of_whole_recordings_and_says_so(
    whole, nights, tmp_path, capsys
):
    files, head = nights.model("random"), whole._trained.head
    asked = ModelFiles(heads=files["heads"], weights=files["weights"], head=head)
    run_asked([nights.recording], asked, tmp_path / "o.csv", None, [], None, "cpu")
    table = pd.read_csv(tmp_path / "o.csv")
    p = whole.predict_proba(whole.read(nights.recording))
    np.testing.assert_allclose(p, table[[f"p_{c}" for c in CLASSES]], atol=1e-6)
    said = capsys.readouterr().out
    assert "seen against the mean of this recording's that carry as much" in said
    assert "a subject's recordings" not in said
    assert ("beside those within 60 s" in said) == (head == "context")
    assert json.loads((tmp_path / "o.json").read_text())["head"] == head


@pytest.mark.parametrize("head", ["logistic", "centred"])
def test_heads_of_all_of_a_subjects_recordings_are_warned_of(nights, tmp_path, capsys, head):
    """Of rest in one recording and a task in another, the mean of either takes the class away."""
    files, heads = nights.model("random"), tmp_path / "m.heads.npz"
    probe.run(
        '{"paper_head": null, "strengths": [0.01], "centred": "subject"}',
        files["heads"].parent / "rows.npy",
        tmp_path / "m.parquet",
    )
    asked = ModelFiles(heads=heads, weights=files["weights"], head=head)
    run_asked([nights.recording], asked, tmp_path / "o.csv", None, [], None, "cpu")
    said = capsys.readouterr().out
    warned = "warning: heads were fitted against the mean of all of a subject's recordings" in said
    assert warned == (head == "centred")


def test_a_head_that_is_not_there_is_refused(nights, tmp_path):
    heads = tmp_path / "h.npz"
    save_heads(
        heads,
        load_heads(nights.model("random")["heads"]),
        load_facts(nights.model("random")["heads"]),
    )
    with pytest.raises(DataError, match=r"no head 'centred' was fitted.* set probe\.centred and"):
        open_pairs([Pair(heads)], "centred")
    with pytest.raises(PhysioError, match=r"'centered'.*centred"):
        open_pairs([Pair(heads)], "centered")


def test_embeddings_are_those_of_the_run(model, nights):
    stored = open_embeddings(nights.model("random")["heads"].parent / "rows.npy")
    signals = model.read(nights.recording)
    for subset in (("fpz", "pz", "eog"), ("pz",)):
        windows = stored.carrying(subset, "test")
        mine = model.embed({m: signals[m] for m in subset})[windows["number"]]
        np.testing.assert_allclose(mine, stored.values(subset, windows), atol=1e-4)


def test_a_window_without_anything_gives_nothing_and_disturbs_no_other(model, nights):
    signals = {"fpz": model.read(nights.recording)["fpz"]}
    whole = model.predict_proba(signals)
    lacking = {"fpz": signals["fpz"].copy()}
    lacking["fpz"][3] = np.nan
    p, e = model.predict_proba(lacking), model.embed(lacking)
    assert np.isnan(p[3]).all()
    assert np.isnan(e[3]).all()
    others = np.arange(len(p)) != 3
    np.testing.assert_allclose(p[others], whole[others], atol=1e-4)  # other batches round otherwise
    assert np.isfinite(e[others]).all()


@pytest.mark.parametrize("windows", [0, 3])
def test_windows_that_all_carry_nothing_have_rows_of_nan_and_none_have_none(model, windows):
    signals = dict.fromkeys(("fpz", "eog"), np.full((windows, 3000), np.nan))
    width = model.embed({"fpz": np.zeros((1, 3000))}).shape[1]
    p, e = model.predict_proba(signals), model.embed(signals)
    assert p.shape == (windows, len(CLASSES))
    assert (e.shape, e.dtype) == ((windows, width), np.float32)
    assert np.isnan(p).all()
    assert np.isnan(e).all()
    stacked = np.full((windows, 3, 3000), np.nan)
    assert np.array_equal(PhysioEmbedding(model).transform(stacked), e, equal_nan=True)


def test_what_carries_nothing_is_as_wide_as_what_the_method_embeds(model, monkeypatch):
    method = model._members[0].method
    monkeypatch.setattr(method, "refuses", lambda subset: "" if len(subset) > 1 else "too few")
    lost = np.full((2, 3000), np.nan)
    assert np.isnan(model.embed({"pz": lost})).all()
    with pytest.raises(DataError, match="the method refuses pz - too few"):
        model.embed({"pz": np.zeros((2, 3000))})


def test_a_channel_of_another_name_is_found_by_the_map(model, nights):
    mapped = model.read(nights.recording, {"fpz": "EEG Pz-Oz", "pz": "EEG Fpz-Cz"})
    plain = model.read(nights.recording)
    assert np.array_equal(mapped["fpz"], plain["pz"])
    with pytest.raises(PhysioError, match="unknown modality 'fpzz' - did you mean 'fpz'"):
        model.read(nights.recording, {"fpzz": "EEG Pz-Oz"})


@pytest.mark.parametrize(
    ("signals", "said"),
    [
        ({}, "no modality is given"),
        ({"ecg": np.zeros((2, 3000))}, "unknown modality 'ecg'"),
        ({"fpz": np.zeros((2, 100))}, r"shape \(2, 100\) - \(2, 3000\) was expected"),
        ({"fpz": np.zeros((2, 3000)), "pz": np.zeros((3, 3000))}, "pz has shape"),
        ({"fpz": np.zeros(3000)}, r"shape \(3000,\) - \(windows, 3000\) was expected"),
        ({"fpz": 0.0}, r"shape \(\) - \(windows, 3000\) was expected"),
        (
            {"fpz": np.where(np.arange(3000) < 9, np.nan, np.zeros((2, 3000)))},
            "partly not a number",
        ),
    ],
)
def test_signals_that_do_not_fit_are_refused(model, signals, said):
    for ask in (model.embed, model.predict_proba):
        with pytest.raises(DataError, match=said):
            ask(signals)


@pytest.mark.parametrize("device", ["gpu", "auto", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(nights, device):
    """It ended with an error of torch."""
    files = nights.model("random")
    pairs = [Pair(files["heads"], files["weights"])]
    with pytest.raises(PhysioError, match=f"device '{device}' cannot be used - .* - give cpu"):
        api._loaded(pairs, device, "logistic")


@pytest.mark.parametrize(
    ("folds", "said"),
    [
        ([], "no fold is named - give all, or numbers"),
        (["1"], "no fold '1'"),
        ("1,2", "'1,2' are no folds - give all, or numbers"),
    ],
)
def test_folds_that_cannot_be_are_refused(folds, said):
    with pytest.raises(PhysioError, match=said):
        choose(folds, [1, 2], "random", "run")
