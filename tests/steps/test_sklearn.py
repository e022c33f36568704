"""Embeddings as a step of scikit-learn's pipelines."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from tiny_run import METHOD
from trained_nights import DATASET

from physiome.errors import DataError
from physiome.predict.api import load
from physiome.predict.sklearn import PhysioEmbedding

pytestmark = pytest.mark.slow  # it takes a run of two folds

NAMES = tuple(DATASET["modalities"])


@pytest.fixture(scope="module")
def model(tiny_run):
    return load(tiny_run, method=METHOD)


@pytest.fixture(scope="module")
def x(model, nights):
    """(windows, modalities, samples); the fourth window lacks the EOG."""
    signals = model.read(nights.recording)
    stacked = np.stack([signals[m] for m in NAMES], axis=1)
    stacked[3, 2] = np.nan
    return stacked


def test_it_gives_what_the_model_embeds(tiny_run, model, x):
    wanted = model.embed({m: x[:, i] for i, m in enumerate(NAMES)})
    embedding = PhysioEmbedding(tiny_run, method=METHOD)
    assert np.array_equal(embedding.fit(x).transform(x), wanted)
    assert np.array_equal(PhysioEmbedding(model).fit_transform(x), wanted)
    some = PhysioEmbedding(model, modalities=("eog", "fpz")).transform(x[:, [2, 0]])
    assert np.array_equal(some, model.embed({"eog": x[:, 2], "fpz": x[:, 0]}))
    given = {"pz": x[:, 1]}
    assert np.array_equal(PhysioEmbedding(model).transform(given), model.embed(given))


def test_a_window_without_a_modality_is_embedded_from_the_others(model, x):
    found = PhysioEmbedding(model).transform(x)
    assert np.isfinite(found).all()
    alone = model.embed({m: x[3:4, i] for i, m in enumerate(NAMES) if m != "eog"})
    np.testing.assert_allclose(found[3:4], alone, atol=1e-5)


def test_it_works_in_a_pipeline_and_in_cross_validation(tiny_run, x):
    y = np.arange(len(x)) % 2
    pipeline = make_pipeline(PhysioEmbedding(tiny_run, method=METHOD), LogisticRegression())
    p = pipeline.fit(x, y).predict_proba(x)
    assert p.shape == (len(x), 2)
    assert np.allclose(p.sum(axis=1), 1)
    assert set(cross_val_predict(pipeline, x, y, cv=2)) <= {0, 1}
    subjects = np.repeat(np.arange(4), -(-len(x) // 4))[: len(x)]
    scores = cross_val_score(pipeline, x, y, groups=subjects, cv=GroupKFold(4))
    assert np.isfinite(scores).all()


def test_it_keeps_the_conventions_of_estimators(tiny_run, x):
    embedding = PhysioEmbedding(tiny_run, method=METHOD, fold=1)
    first = embedding.transform(x)
    names = {"model", "dataset", "method", "fold", "modalities", "device"}
    assert set(embedding.get_params()) == names
    twin = clone(embedding)
    assert twin is not embedding
    assert twin.get_params() == embedding.get_params()
    assert f"method='{METHOD}'" in repr(twin)
    other = embedding.set_params(fold=2).transform(x)  # what was loaded before is not kept
    assert not np.allclose(first, other)


def test_an_array_of_another_shape_is_refused(model, x):
    with pytest.raises(DataError, match=r"X has shape .* - \(windows, 3, samples\) was expected"):
        PhysioEmbedding(model).transform(x[:, :2])
    with pytest.raises(DataError, match="unknown modality 'eeg'"):
        PhysioEmbedding(model, modalities=("eeg",)).transform(x[:, :1])
