import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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
    return Labelled(x.astype(np.float32), y, np.arange(n) % 6)


def fit(data, classes=NAMES, **spec):
    return fit_logistic(data, classes, ProbeSpec(**spec), "toy")


def test_head_is_the_minimum_of_the_penalised_log_loss():
    data, strength = clusters(150), 0.1
    head, _ = fit(data, strengths=(strength,))
    z = (data.x - data.x.mean(axis=0)) / data.x.std(axis=0)

    def objective(theta):
        weight, bias = theta[:12].reshape(3, 4), theta[12:]
        p = softmax(z @ weight.T + bias)[np.arange(150), data.y]
        return -np.log(p).sum() * strength + 0.5 * (weight**2).sum()

    slow = minimize(objective, np.zeros(15), method="BFGS").x
    expected = softmax(z @ slow[:12].reshape(3, 4).T + slow[12:])
    np.testing.assert_allclose(head.probabilities(data.x), expected, atol=1e-3)


def test_strength_is_the_one_with_least_held_out_loss_found_by_separate_fits():
    data, strengths = clusters(120, noise=2.0), (1e-4, 1e-2, 1.0, 100.0)
    _, choice = fit(data, strengths=strengths)
    losses = []
    for c in strengths:
        true = np.empty(120)
        for subject in range(6):
            held = data.subjects == subject
            scaler = StandardScaler().fit(data.x[~held].astype(float))
            model = LogisticRegression(C=c, max_iter=1000)
            model.fit(scaler.transform(data.x[~held]), data.y[~held])
            p = model.predict_proba(scaler.transform(data.x[held]))
            true[held] = p[np.arange(held.sum()), data.y[held]]
        losses.append(-np.log(true).mean())
    assert choice["strength"] == strengths[int(np.argmin(losses))]
    found = [step["cv_log_loss"] for step in choice["path"]]
    np.testing.assert_allclose(found, losses[: len(found)], atol=5e-3)
    assert 1e-4 < choice["strength"] < 100.0
    assert (choice["splits"], choice["subjects"], choice["edge"]) == (6, 6, "")


def test_columns_are_standardised_without_the_subject_held_out():
    """One subject lies far off: of the others' scale its class is certain, of all's it is not."""
    y = np.tile([0, 1], 30)
    subjects = np.repeat([0, 1, 2], 20)
    x = (2.0 * y - 1) * np.where(subjects == 2, 1000.0, 1.0)
    data, strengths = Labelled(x[:, None].astype(np.float32), y, subjects), (1.0, 2.0)
    _, choice = fit(data, NAMES[:2], strengths=strengths)
    for step in choice["path"]:
        true = np.empty(60)
        for subject in range(3):
            held = subjects == subject
            model = LogisticRegression(C=step["strength"], max_iter=1000)
            model.fit(x[~held, None] / x[~held].std(), y[~held])
            p = model.predict_proba(x[held, None] / x[~held].std())
            true[held] = p[np.arange(20), y[held]]
        assert step["cv_log_loss"] == pytest.approx(-np.log(true).mean(), rel=0.01)


def people(n=8, each=40, seed=0):
    """Subjects whose embeddings are shifted by far more than what tells the classes apart.

    Half the columns hold the class, small; the others only who it is. Each subject has nearly one
    class, so that who it is tells the class of everyone who was seen, and of nobody else.
    """
    rng = np.random.default_rng(seed)
    subjects = np.repeat(np.arange(n), each)
    y = np.where(rng.random(n * each) < 0.9, subjects % 2, 1 - subjects % 2)
    signal = (2 * y - 1)[:, None] + 1.5 * rng.normal(size=(n * each, 4))
    person = 10 * rng.normal(size=(n, 12))[subjects] + 0.1 * rng.normal(size=(n * each, 12))
    return Labelled(np.hstack([signal, person]).astype(np.float32), y, subjects)


@pytest.mark.slow
def test_a_strength_chosen_on_one_subject_is_the_twin_that_misleads():
    """Left alone, one subject of one class asks for the largest C or for the least, by chance."""
    data, strengths = people(), (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
    _, pooled = fit(data, strengths=strengths)
    alone = []
    for subject in range(8):
        held = data.subjects == subject
        scaler = StandardScaler().fit(data.x[~held].astype(float))
        losses = []
        for c in strengths:
            model = LogisticRegression(C=c, max_iter=1000)
            model.fit(scaler.transform(data.x[~held]), data.y[~held])
            p = model.predict_proba(scaler.transform(data.x[held]))
            true = p[np.arange(held.sum()), data.y[held]]
            losses.append(-np.log(np.maximum(true, 1e-15)).mean())
        alone.append(strengths[int(np.argmin(losses))])
    spread = np.log10(max(alone)) - np.log10(min(alone))
    assert spread >= 2  # the choice hangs on who was asked
    assert min(alone) < pooled["strength"] < max(alone)
    assert pooled["edge"] == ""


def test_final_head_has_seen_all_labelled_rows():
    data = clusters(240)
    head, choice = fit(data)
    alone, _ = fit(data, strengths=(choice["strength"],))
    np.testing.assert_array_equal(head.weight, alone.weight)


@pytest.mark.slow
@settings(max_examples=5, deadline=None)
@given(st.integers(0, 9999))
def test_the_order_of_rows_changes_no_choice(seed):
    data, grid = clusters(90, noise=2.0), (1e-3, 1e-1, 10.0)
    order = np.random.default_rng(seed).permutation(90)
    _, before = fit(data, strengths=grid)
    _, after = fit(Labelled(*(part[order] for part in data[:3])), strengths=grid)
    assert after["strength"] == before["strength"]
    for a, b in zip(after["path"], before["path"], strict=True):
        assert a["cv_log_loss"] == pytest.approx(b["cv_log_loss"], abs=2e-3)


def test_a_choice_at_an_edge_of_the_grid_says_which():
    noise = clusters(120)
    noise = noise._replace(x=np.random.default_rng(0).normal(size=(120, 20)).astype(np.float32))
    assert fit(noise, strengths=(1e-3, 1.0, 1e3))[1]["edge"] == "lowest"
    easy = clusters(240, noise=0.5)
    assert fit(easy, strengths=(1e-5, 1e-4, 1e-3))[1]["edge"] == "highest"
    assert fit(easy, strengths=(1e-8, 1e-8))[1]["edge"] == ""  # nothing was chosen


def test_the_path_ends_after_two_rises_in_a_row():
    noise = clusters(60)
    noise = noise._replace(x=np.random.default_rng(0).normal(size=(60, 20)).astype(np.float32))
    _, choice = fit(noise, strengths=(1e-3, 1e-2, 1e-1, 1.0, 10.0))
    assert [step["strength"] for step in choice["path"]] == [1e-3, 1e-2, 1e-1]
    assert choice["stopped_early"]
    assert choice["strength"] == 1e-3
    assert not fit(clusters(60), strengths=(1e-3,))[1]["stopped_early"]


def test_units_of_the_embedding_do_not_matter():
    train, test = clusters(240), clusters(50, seed=2)
    scale = np.array([1e4, 1e-4, 1, 7], dtype=np.float32)
    plain, _ = fit(train)
    scaled, _ = fit(train._replace(x=train.x * scale))
    np.testing.assert_allclose(
        plain.probabilities(test.x), scaled.probabilities(test.x * scale), atol=1e-4
    )


@pytest.mark.parametrize("classes", [2, 3])
def test_probabilities_match_scikit_learn(classes):
    data = clusters(120, classes)
    names = NAMES[:classes]
    head, _ = fit(data, names, strengths=(1.0,))
    scaler = StandardScaler().fit(data.x.astype(float))
    model = LogisticRegression(max_iter=1000).fit(scaler.transform(data.x.astype(float)), data.y)
    expected = model.predict_proba(scaler.transform(data.x.astype(float)))
    np.testing.assert_allclose(head.probabilities(data.x), expected, atol=1e-6)


def test_class_absent_in_train_has_probability_zero_and_is_named():
    data = clusters(90, 2)
    logistic, choice = fit(data)
    paper, told = fit_paper_head(data, NAMES, PaperHead(epochs=2), 0, "toy")
    assert choice["absent_classes"] == told["absent_classes"] == ["r"]
    for head in (logistic, paper):
        p = head.probabilities(data.x)
        assert (p[:, 2] == 0).all()
        np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-6)


def test_class_that_one_subject_has_is_learnt_in_the_end_and_spoils_no_choice():
    data = clusters(180, 3, noise=2.0)
    alone = data._replace(y=np.where((data.y == 2) & (data.subjects != 0), 1, data.y))
    head, choice = fit(alone)
    assert choice["absent_classes"] == []
    assert (head.probabilities(alone.x)[:, 2] > 0).all()
    assert all(np.isfinite(step["cv_log_loss"]) for step in choice["path"])


def test_a_split_with_one_class_to_learn_from_is_certain_of_it():
    data = clusters(40, 2)
    y = np.where(np.arange(40) % 2, data.y, 0)
    data = Labelled(data.x, y, np.arange(40) % 2)  # without subject 1 all is class 0
    _, choice = fit(data)
    wrong = (y == 1).sum() / 40
    assert all(step["cv_log_loss"] > -wrong * np.log(1e-15) for step in choice["path"])


def test_single_class_is_refused_with_counts():
    data = Labelled(np.zeros((5, 2), np.float32), np.ones(5, int), np.arange(5))
    with pytest.raises(DataError, match=r"toy: .*two classes.* w 0, n 5, r 0 .*folds"):
        fit(data)
    with pytest.raises(DataError, match="two classes"):
        fit_paper_head(data, NAMES, PaperHead(), 0, "toy")


def test_one_subject_is_refused_only_if_there_is_a_choice():
    data = clusters(60)._replace(subjects=np.zeros(60, int))
    with pytest.raises(DataError, match=r"toy: one labelled subject only.*folds\.train_share"):
        fit(data)
    _, choice = fit(data, strengths=(0.5,))
    assert choice["strength"] == 0.5
    assert choice["path"] == []


def test_constant_embedding_gives_the_class_shares_without_a_warning(recwarn):
    y = np.repeat([0, 1, 2], [60, 30, 10])
    data = Labelled(np.zeros((100, 1), np.float32), y, np.arange(100) % 4)
    head, choice = fit(data)
    np.testing.assert_allclose(head.probabilities(data.x[:1])[0], [0.6, 0.3, 0.1], atol=1e-3)
    paper, _ = fit_paper_head(
        data, NAMES, PaperHead(epochs=60, learning_rate=0.02, batch=100), 0, "toy"
    )
    np.testing.assert_allclose(paper.probabilities(data.x[:1])[0], [0.6, 0.3, 0.1], atol=0.05)
    assert choice["converged"]
    assert choice["edge"] == ""  # the strength makes no difference
    assert choice["strength"] == min(ProbeSpec().strengths)
    assert not recwarn.list


def test_fit_that_gave_up_is_recorded_not_hidden(recwarn):
    data = clusters(200)
    _, choice = fit(data, max_iterations=1)
    assert not choice["converged"]
    assert not any(step["converged"] for step in choice["path"])
    assert not recwarn.list


def test_linear_heads_survive_a_file(tmp_path):
    head, _ = fit(clusters(90, 2))
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
        ("bias", np.zeros(())),
        ("bias", np.zeros(3)),
        ("weight", np.ones((2, 5))),
        ("mean", np.zeros((4, 1))),
        ("scale", np.ones(3)),
        ("weight", np.full((2, 4), "1")),
    ],
)
def test_parts_of_a_head_that_do_not_fit_each_other_are_refused(tmp_path, part, value):
    sound = {"mean": np.zeros(4), "scale": np.ones(4), "weight": np.ones((2, 4))}
    sound |= {"bias": np.zeros(2), part: value}
    np.savez(tmp_path / "h.npz", **{f"a/{name}": x for name, x in sound.items()})
    with pytest.raises(DataError, match=r"not a file of heads.*parts of shapes"):
        load_heads(tmp_path / "h.npz")


@pytest.mark.parametrize(
    ("part", "value"),
    [("scale", np.zeros(4)), ("mean", np.full(4, np.nan)), ("bias", np.full(2, np.inf))],
)
def test_heads_that_cannot_be_computed_with_are_refused(tmp_path, part, value):
    sound = {"mean": np.zeros(4), "scale": np.ones(4), "weight": np.ones((2, 4))}
    sound |= {"bias": np.array([0.0, -np.inf])}  # a class never seen
    np.savez(tmp_path / "h.npz", **{f"a/{name}": x for name, x in sound.items()})
    assert list(load_heads(tmp_path / "h.npz")) == ["a"]
    np.savez(tmp_path / "h.npz", **{f"a/{name}": x for name, x in (sound | {part: value}).items()})
    with pytest.raises(DataError, match="scale that is not above 0, or numbers that are not fin"):
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


def test_a_weight_is_that_many_copies_of_a_column_squared():
    data = clusters(120, noise=3.0)
    copied = np.hstack([data.x, *[data.x[:, 3:]] * 8])
    weighted, _ = fit(data._replace(weights=np.array([1.0, 1.0, 1.0, 3.0])), strengths=(0.01,))
    plain, _ = fit(data._replace(x=copied), strengths=(0.01,))
    ours, theirs = weighted.probabilities(data.x), plain.probabilities(copied)
    np.testing.assert_allclose(ours, theirs, atol=1e-3)
    assert np.abs(ours - fit(data, strengths=(0.01,))[0].probabilities(data.x)).max() > 0.02
