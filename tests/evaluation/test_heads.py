import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from physiome.config.evaluation import PaperHead, ProbeSpec
from physiome.errors import DataError
from physiome.evaluation.heads import Labelled, fit_logistic, softmax
from physiome.evaluation.heads_file import load_facts, load_heads, save_heads
from physiome.evaluation.paper_head import batches, fit_paper_head

NAMES = ("w", "n", "r")


def clusters(n: int, classes: int = 3, seed: int = 0, noise: float = 1.0) -> Labelled:
    rng = np.random.default_rng(seed)
    y = rng.integers(classes, size=n)
    centres = 2 * np.eye(classes, 4) + 5
    x = (centres[y] + noise * rng.normal(size=(n, 4))) * [1, 10, 0.1, 3]
    return Labelled(x.astype(np.float32), y)


def fit(train, valid, classes=NAMES, **spec):
    return fit_logistic(train, valid, classes, ProbeSpec(**spec), "toy")


def test_head_is_the_minimum_of_the_penalised_log_loss():
    data, strength = clusters(150), 0.1
    head, _ = fit(data, Labelled(data.x[:0], data.y[:0]), strengths=(strength,))
    z = (data.x - data.x.mean(axis=0)) / data.x.std(axis=0)

    def objective(theta):
        weight, bias = theta[:12].reshape(3, 4), theta[12:]
        p = softmax(z @ weight.T + bias)[np.arange(150), data.y]
        return -np.log(p).sum() * strength + 0.5 * (weight**2).sum()

    slow = minimize(objective, np.zeros(15), method="BFGS").x
    expected = softmax(z @ slow[:12].reshape(3, 4).T + slow[12:])
    np.testing.assert_allclose(head.probabilities(data.x), expected, atol=1e-3)


def test_strength_is_the_one_with_least_validation_loss_found_by_separate_fits():
    train, valid = clusters(60, noise=2.0), clusters(300, seed=1, noise=2.0)
    strengths = (1e-4, 1e-2, 1.0, 100.0)
    _, choice = fit(train, valid, strengths=strengths)
    scaler = StandardScaler().fit(train.x.astype(float))
    losses = []
    for c in strengths:
        model = LogisticRegression(C=c, max_iter=1000).fit(scaler.transform(train.x), train.y)
        p = model.predict_proba(scaler.transform(valid.x))[np.arange(300), valid.y]
        losses.append(-np.log(p).mean())
    assert choice["strength"] == strengths[int(np.argmin(losses))]
    found = [step["valid_log_loss"] for step in choice["path"]]
    np.testing.assert_allclose(found, losses, atol=2e-3)
    assert 1e-4 < choice["strength"] < 100.0


def test_final_head_has_also_seen_the_validation_rows():
    train, valid = clusters(40), clusters(400, seed=1)
    head, choice = fit(train, valid)
    both = Labelled(np.concatenate([train.x, valid.x]), np.concatenate([train.y, valid.y]))
    alone, _ = fit(both, Labelled(train.x[:0], train.y[:0]), strengths=(choice["strength"],))
    np.testing.assert_array_equal(head.weight, alone.weight)


def test_units_of_the_embedding_do_not_matter():
    train, valid, test = clusters(200), clusters(100, seed=1), clusters(50, seed=2)
    scale = np.array([1e4, 1e-4, 1, 7], dtype=np.float32)
    plain, _ = fit(train, valid)
    scaled, _ = fit(Labelled(train.x * scale, train.y), Labelled(valid.x * scale, valid.y))
    np.testing.assert_allclose(
        plain.probabilities(test.x), scaled.probabilities(test.x * scale), atol=1e-4
    )


@pytest.mark.parametrize("classes", [2, 3])
def test_probabilities_match_scikit_learn(classes):
    data = clusters(120, classes)
    names = NAMES[:classes]
    head, _ = fit(data, Labelled(data.x[:0], data.y[:0]), names, strengths=(1.0,))
    scaler = StandardScaler().fit(data.x.astype(float))
    model = LogisticRegression(max_iter=1000).fit(scaler.transform(data.x.astype(float)), data.y)
    expected = model.predict_proba(scaler.transform(data.x.astype(float)))
    np.testing.assert_allclose(head.probabilities(data.x), expected, atol=1e-6)


def test_class_absent_in_train_has_probability_zero_and_is_named():
    train, valid = clusters(90, 2), clusters(60, 2, seed=1)
    both = Labelled(np.concatenate([train.x, valid.x]), np.concatenate([train.y, valid.y]))
    logistic, choice = fit(train, valid)
    paper, told = fit_paper_head(both, NAMES, PaperHead(epochs=2), 0, "toy")
    assert choice["absent_classes"] == told["absent_classes"] == ["r"]
    for head in (logistic, paper):
        p = head.probabilities(valid.x)
        assert (p[:, 2] == 0).all()
        np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-6)


def test_class_that_only_validation_subjects_have_is_learnt_in_the_end():
    train, valid = clusters(90, 2), clusters(90, 3, seed=1)
    head, choice = fit(train, valid)
    assert choice["absent_classes"] == []
    assert head.probabilities(valid.x)[valid.y == 2].argmax(axis=1).mean() > 1.5
    assert all(np.isfinite(step["valid_log_loss"]) for step in choice["path"])


def test_single_class_is_refused_with_counts():
    data = Labelled(np.zeros((5, 2), np.float32), np.ones(5, int))
    with pytest.raises(DataError, match=r"toy: .*two classes.* w 0, n 5, r 0 .*folds"):
        fit(data, data)
    with pytest.raises(DataError, match="two classes"):
        fit_paper_head(data, NAMES, PaperHead(), 0, "toy")


def test_no_validation_rows_is_refused_only_if_there_is_a_choice():
    data = clusters(60)
    none = Labelled(data.x[:0], data.y[:0])
    with pytest.raises(DataError, match="no validation windows"):
        fit(data, none)
    _, choice = fit(data, none, strengths=(0.5,))
    assert choice["strength"] == 0.5


def test_constant_embedding_gives_the_class_shares_without_a_warning(recwarn):
    y = np.repeat([0, 1, 2], [60, 30, 10])
    data = Labelled(np.zeros((100, 1), np.float32), y)
    head, choice = fit(data, data)
    np.testing.assert_allclose(head.probabilities(data.x[:1])[0], [0.6, 0.3, 0.1], atol=1e-3)
    paper, _ = fit_paper_head(
        data, NAMES, PaperHead(epochs=60, learning_rate=0.02, batch=100), 0, "toy"
    )
    np.testing.assert_allclose(paper.probabilities(data.x[:1])[0], [0.6, 0.3, 0.1], atol=0.05)
    assert choice["converged"]
    assert not recwarn.list


def test_fit_that_gave_up_is_recorded_not_hidden(recwarn):
    data = clusters(200)
    _, choice = fit(data, data, max_iterations=1)
    assert not choice["converged"]
    assert not any(step["converged"] for step in choice["path"])
    assert not recwarn.list


def test_linear_heads_survive_a_file(tmp_path):
    head, _ = fit(clusters(90, 2), clusters(60, 2))
    save_heads(tmp_path / "h.npz", {"a+b": head, "a": head}, {"fold": 1})
    found = load_heads(tmp_path / "h.npz")
    assert list(found) == ["a+b", "a"]
    assert load_facts(tmp_path / "h.npz") == {"fold": 1}
    x = clusters(9).x
    np.testing.assert_array_equal(found["a+b"].probabilities(x), head.probabilities(x))


@pytest.mark.parametrize("text", ["[]", "3", "null", '"facts"'])
def test_facts_that_are_no_table_are_refused(tmp_path, text):
    np.savez(tmp_path / "h.npz", facts=np.array(text))
    with pytest.raises(DataError, match="not a file of heads"):
        load_facts(tmp_path / "h.npz")


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("bias", np.zeros(())), ("bias", np.zeros(3)), ("weight", np.ones((2, 5))),
        ("mean", np.zeros((4, 1))), ("scale", np.ones(3)), ("weight", np.full((2, 4), "1")),
    ],
)  # fmt: skip
def test_parts_of_a_head_that_do_not_fit_each_other_are_refused(tmp_path, part, value):
    sound = {"mean": np.zeros(4), "scale": np.ones(4), "weight": np.ones((2, 4))}
    sound |= {"bias": np.zeros(2), part: value}
    np.savez(tmp_path / "h.npz", **{f"a/{name}": x for name, x in sound.items()})
    with pytest.raises(DataError, match=r"not a file of heads.*parts of shapes"):
        load_heads(tmp_path / "h.npz")


# --- the paper's head


@pytest.mark.parametrize("rows", [512 + 1, 3, 1025])
def test_last_batch_of_one_joins_its_neighbour(rows):
    import torch

    parts = batches(torch.arange(rows), 512)
    assert torch.equal(torch.cat(parts), torch.arange(rows))
    assert min(len(part) for part in parts) > 1


def test_paper_head_trains_with_a_last_batch_of_one():
    data = clusters(33)
    for batch in (32, 1):
        head, _ = fit_paper_head(data, NAMES, PaperHead(epochs=1, batch=batch), 0, "toy")
        assert np.isfinite(head.probabilities(data.x)).all()


def test_paper_head_learns_and_repeats_itself():
    import torch

    data = clusters(600, noise=0.3)
    spec = PaperHead(epochs=20, batch=64, learning_rate=3e-3)
    before = torch.random.get_rng_state()
    first, told = fit_paper_head(data, NAMES, spec, 3, "toy")
    assert torch.equal(before, torch.random.get_rng_state())
    second, _ = fit_paper_head(data, NAMES, spec, 3, "toy")
    p = first.probabilities(data.x)
    assert (p.argmax(axis=1) == data.y).mean() > 0.98
    assert told["final_loss"] < 0.2
    np.testing.assert_array_equal(p, second.probabilities(data.x))
    # a row's result does not depend on the rows beside it
    np.testing.assert_allclose(p[:1], first.probabilities(data.x[:1]), atol=1e-6)
